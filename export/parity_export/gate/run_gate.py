"""From a graph and its source to a result: the probes for each assignment of the dynamic dimensions, the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import onnx

from parity_export.export_graph import ExportGraph
from parity_export.export_options import Effort
from parity_export.gate.asked_notes import asked_notes, kernel_notes, left_out_note
from parity_export.gate.backends import DEFAULT
from parity_export.gate.batching import LazyModel, RememberedAnswers
from parity_export.gate.decision_constants import code_numbers
from parity_export.gate.encoder_check import check_encoder
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.oracle import GateSetting, Oracle
from parity_export.gate.own_label_check import check_own_labels
from parity_export.gate.quantized_kernels import quantized_notes
from parity_export.gate.report import Report, compare_backends
from parity_export.gate.size_plans import plan_sizes
from parity_export.gate.torch_reference import TorchReference
from parity_export.quiet import quiet
from parity_export.sources.model_source import ModelSource
from parity_export.sources.probe_options import check_compared, with_blind_masks
from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.contract import batch_name
from parity_runtime.files.json_file import FORMAT
from parity_runtime.inference.session import import_onnxruntime
from parity_runtime.inference.signature import shape_mismatches, signature_mismatches


@dataclass(frozen=True)
class GateResult:
    """What the gate said of a graph, and what it was judged by.

    Attributes:
        report: the gate's.
        oracle: the main probes; None where names, dtypes or shapes already differed.
        notes: what a person should know of how the module was asked, a line each.
    """

    report: Report
    oracle: Oracle | None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"GateResult({self.report.brief})"

    def reason(self) -> str:
        """Return the report's first reason, and the notes, which may explain it."""
        return self.with_notes(self.report.reason())

    def with_notes(self, refusal: str) -> str:
        """Return why there is no package, and the notes, which may explain it."""
        return "; ".join([refusal, *self.notes])

    @property
    def expected(self) -> ExpectedOutputs:
        """Torch's outputs for the main probes, run as one batch."""
        if self.oracle is None:
            raise InputError("nothing was compared: the graph's names, dtypes or shapes differ")
        return self.oracle(len(self.oracle.probes))


@quiet
def run_gate(
    graph: ExportGraph,
    given: tuple[float, float] | None = None,
    certified: LazyModel | None = None,
    *,
    external: bool = False,
    effort: Effort = "normal",
) -> GateResult:
    """Compare a graph with its source's module: names, then dtypes and shapes, then values.

    Of another exporter's graph the answers' own shapes count, not the declared ones: exporters declare sizes that they
    saw once.

    Args:
        graph: the graph, the module, and the contract that the graph must fulfil.
        given: rtol and atol that a person set.
        certified: the certified graph, whose error bounds the tolerances may not exceed; None without one.
        external: the graph is another exporter's.
        effort: how much work and memory may be spent.

    Raises:
        InputError: the module takes no batch of one row.
        ParityRefusedError: it computes other outputs from the same rows each time, or too coarsely to compare.
    """
    graph = _compared_graph(graph)
    source = graph.source
    notes = asked_notes(source)
    mismatches = signature_mismatches(graph.onnx.session(), graph.contract, external=external)
    if mismatches:
        return GateResult(Report(mismatches=mismatches), None, notes)
    _check_one_row(graph.source)
    graph.onnx.give_back()
    numbers = code_numbers(graph)
    setting = GateSetting(
        LazyModel(lambda: DEFAULT.load(graph.onnx, graph.contract)),
        RememberedAnswers(LazyModel(lambda: TorchReference(graph.source, double=True))),
        given,
        certified,
        numbers.compared,
    )
    plans = plan_sizes(graph.source, effort, numbers.lengths)
    refused, oracles = plans.refused, []
    for sizes in plans.sizes:
        oracle = Oracle(sizes.source, sizes.dimensions, sizes.plan, setting)
        oracle.prepare()
        oracles.append(oracle)
        setting = replace(setting, mixes=not oracle.row_independent)
        refused += [f"{line}{_at(oracle.dimensions)}" for line in oracle.refused]
        graph.onnx.give_back(collect=False)
    setting.release()
    report = compare_backends(graph.onnx, graph.contract, oracles)
    report.mismatches += check_own_labels(source, oracles[0])
    setting.release()  # missing cells and closer looks have loaded the float64 copy again
    graph.onnx.give_back()
    report.plan = plans.to_json()
    report.judge = source.answerer if source.adopted is None else f"{source.answerer} in float64"
    report.not_run += refused
    encoder = None if external else check_encoder(graph)  # another exporter's has values of other names
    if encoder is not None:
        report.mismatches += encoder.mismatches
        report.not_run += encoder.not_run
        report.encoder = {"rows": encoder.rows, "values": encoder.values}
    if external and not report.passed:
        report.mismatches[:0] = shape_mismatches(graph.onnx.session(), graph.contract.outputs)
    notes = (*notes, *left_out_note(oracles[0].sampler.left_out), *kernel_notes(source))
    if not report.passed:
        notes = (*notes, *quantized_notes(graph.onnx))
    return GateResult(report, oracles[0], notes)


def report_to_json(contract: ModelContract, gate_result: GateResult, *, full: bool = False) -> dict[str, Any]:
    """Return what a report holds on disk: what was asked, allowed and found; no timings, no dates.

    Args:
        contract: of the model.
        gate_result: what the gate said of it.
        full: every result, beside the row for each backend and output; a gate that says no is always recorded so.
    """
    asked = gate_result.oracle
    tolerances = gate_result.expected.reported_tolerances if asked is not None else {}
    return {
        "format": FORMAT,
        "name": contract.name,
        "provenance": dict(contract.provenance),
        "notes": list(gate_result.notes),
        "versions": {"onnx": onnx.__version__, "onnxruntime": import_onnxruntime().__version__},
        "probes": asked.probes.counts() if asked is not None else {},
        "tolerances": {
            group: {name: tolerance.to_json() for name, tolerance in by_output.items()}
            for group, by_output in tolerances.items()
        },
        **gate_result.report.to_json(full=full),
    }


def _compared_graph(graph: ExportGraph) -> ExportGraph:
    """Return a graph whose source says where each of its outputs is compared.

    Raises:
        InputError: it speaks of an output that there is not, or that has no value for each of the input's.
    """
    source, contract = graph.source, graph.contract
    check_compared(source.compared_where, contract.inputs, contract.outputs, batch_name(contract))
    where = with_blind_masks(source.compared_where, source.blind_masks, contract)
    return replace(graph, source=replace(source, compared_where=where))


def _at(dimensions: Mapping[str, int]) -> str:
    return f", at {dict(dimensions)}" if dimensions else ""


def _check_one_row(source: ModelSource) -> None:
    """Refuse a module that takes several rows and not a single one, as batch normalization over the batch itself."""
    batch = batch_name(source.contract)
    if batch is None:
        return
    sizes = source.example.sizes
    reason = source.refusal({batch: 1})
    if reason is not None:
        fixed = [
            replace(spec, shape=tuple(sizes[batch] if size == batch else size for size in spec.shape))
            for spec in source.contract.inputs
        ]
        options = argument("inputs", [str(spec) for spec in fixed], option="--input")
        raise InputError(
            f"{source.answerer} takes no batch of one row here ({reason}), and a model with the dimension {batch} "
            f"must; give normalizations running statistics, or fix the size: {options}"
        )
