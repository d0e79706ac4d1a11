"""The parity gate: the same probes through torch and every backend; one no is a no."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.backend_result import BackendResult
from parity_export.gate.backends import DEFAULT, REFERENCE, Backend, backends
from parity_export.gate.batching import LazyModel, ModelFunction
from parity_export.gate.comparison import Difference, away, close
from parity_export.gate.missing_cells_check import missing_cells
from parity_export.gate.oracle import Oracle
from parity_export.gate.reference_evaluator import differing_operator
from parity_export.gate.remembered_differences import RememberedDifferences
from parity_export.gate.report_summary import batch_sizes, dimensions, summary_rows
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.errors import first_line, whole_text
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import counted


@dataclass
class Report:
    """What the gate found. It passes iff there is no mismatch, at least one result, and no result failed.

    Attributes:
        mismatches: names, dtypes and shapes that differ from the contract; values are not compared then.
        results: each backend at each batch size and assignment of the dimensions.
        not_run: backends that could not run the graph, and why.
        evaluator: where ONNX's reference evaluator alone answers otherwise, a line each; reported, not gated: it has
            faults of its own, and every configuration of onnxruntime agrees with torch.
        nonfinite: how answers to NaN and infinite inputs compare; reported, not gated.
        row_independent: whether rows of one batch do not influence one another; None if not reached.
        encoder: how many rows and values the graph's encoder was compared on by itself; empty without one.
        plan: how much was run, and what a bigger budget would add, in the form of JSON.
        judge: what the graph is compared with: torch, or the file's own graph where it was adopted.
    """

    mismatches: list[str] = field(default_factory=list)
    results: list[BackendResult] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    evaluator: list[str] = field(default_factory=list)
    nonfinite: dict[str, int] = field(default_factory=dict)
    row_independent: bool | None = None
    encoder: dict[str, int] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    judge: str = "torch"

    def __repr__(self) -> str:
        return f"Report({self.brief})"

    @property
    def brief(self) -> str:
        """What was found, in a few words: ``passed, 133015 values in 52 configurations``."""
        if not self.passed:
            return f"refused, {counted(len(self.reasons()), 'reason')}"
        return f"passed, {counted(self.compared, 'value')} in {counted(len(self.results), 'configuration')}"

    @property
    def agreement(self) -> str:
        """What agrees with the judge, as a sentence: ``133015 values in 52 configurations agree with torch``."""
        agree = "agrees" if self.compared == 1 else "agree"
        where = counted(len(self.results), "configuration")
        return f"{counted(self.compared, 'value')} in {where} {agree} with {self.judge}"

    def largest(self, group: str) -> dict[str, float]:
        """Return the largest deviation from float64 of any backend on a group of probes, by output, in its unit."""
        found: dict[str, float] = {}
        for one in (one for result in self.results for one in result.differences):
            if one.group == group and math.isfinite(one.max_abs):
                found[one.output] = max(found.get(one.output, 0.0), one.max_abs)
        return found

    def jump_notes(self) -> list[str]:
        """Return a line for each output with values beside a jump of the module, which the tolerance does not hold."""
        found: dict[str, list[Difference]] = {}
        for one in (one for result in self.results for one in result.differences if one.beside_jumps):
            found.setdefault(one.output, []).append(one)
        return [
            f"{name} beside a jump of the module, where its float32 answers differ from float64 as well: "
            f"{counted(sum(one.beside_jumps for one in some), 'value')}, by up to {max(one.jump for one in some):.3g}"
            for name, some in found.items()
        ]

    @property
    def passed(self) -> bool:
        """Whether the graph answers as the module does."""
        return not self.mismatches and bool(self.compared) and not self._decisive

    @property
    def _decisive(self) -> list[BackendResult]:
        """The failed results that refuse: ONNX's reference evaluator does not refuse alone."""
        return [result for result in self.results if result.failed and not self._excuses(result)]

    def differences(self, output: str, group: str) -> list[Difference]:
        """Return one output's differences on one group of probes, one of each result that is gated."""
        gated = [result for result in self.results if not self._excuses(result)]
        found = [difference for result in gated for difference in result.differences]
        return [difference for difference in found if (difference.output, difference.group) == (output, group)]

    def _excuses(self, result: BackendResult) -> bool:
        return bool(self.evaluator) and result.failed and result.backend == REFERENCE

    def reasons(self) -> list[str]:
        """Return why the gate says no, a line each, the results in order."""
        if not self.mismatches and not self.compared and not self._decisive:
            return ["nothing was compared"]
        return self.mismatches + [reason for result in self._decisive for reason in result.reasons()]

    def reason(self) -> str:
        """Return the first reason, and how many more there are."""
        first, *others = self.reasons()
        return f"{first} (and {len(others)} more)" if others else first

    def remarks(self) -> list[str]:
        """Return what a person should know although it refuses nothing, a line each."""
        return [
            *(f"not run: {line}" for line in self.not_run),
            *(f"reported: {line}" for line in self.evaluator),
            *(f"effort: {line}" for line in self.plan.get("left_out", ())),
        ]

    def encoder_agreement(self, contract: ModelContract) -> str:
        """Return what the encoder's own values agree with, as a sentence; it has been compared."""
        dates = any(feature.kind == "datetime" for feature in contract.features)
        cells = ["text"] * any(feature.is_text for feature in contract.features) + ["dates"] * dates
        found = "indices and years" if dates else "indices"
        where = "every backend that ran" if self.not_run else "every backend"
        return f"{' and '.join(cells)} of {self.encoder['rows']:,} rows give the reference's {found}, on {where}"

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(difference.compared for result in self.results for difference in result.differences)

    def to_json(self, *, full: bool = False) -> dict[str, Any]:
        """Return the JSON form: a row for each backend and output.

        Args:
            full: add every result, each batch size, assignment of the dimensions and group of probes. A report that
                says no has them always: somebody has to find out why.
        """
        encoder = {"encoder": self.encoder} if self.encoder else {}
        every = {"results": [result.to_json() for result in self.results]} if full or not self.passed else {}
        return {
            "passed": self.passed,
            "reasons": self.reasons(),
            "mismatches": self.mismatches,
            "row_independent": self.row_independent,
            "nonfinite": self.nonfinite,
            "not_run": self.not_run,
            "plan": self.plan,
            "evaluator": self.evaluator,
            "batch_sizes": batch_sizes(self.results),
            "dimensions": dimensions(self.results),
            "summary": summary_rows(self.results),
            **encoder,
            **every,
        }


def compare_backends(graph: OnnxGraph, contract: ModelContract, oracles: Sequence[Oracle]) -> Report:
    """Compare a graph, whose interface fits, with torch.

    Args:
        graph: a model.
        contract: what it must take and give.
        oracles: the probes and torch's outputs, one for each assignment of the dynamic dimensions.
    """
    report, known = Report(), RememberedDifferences(contract)
    for backend in backends(graph):
        planned = [oracle for oracle in oracles if backend.is_planned(oracle.plan)]
        if planned:
            report.results += _backend_results(backend, graph, planned, known, report)
            graph.give_back(collect=False)
    report.evaluator = list(_evaluator_alone(graph, oracles, report))
    if not report.passed:  # its answers may not even have the shapes that the rest compares
        return report
    default = LazyModel(lambda: DEFAULT.load(graph, contract))
    report.row_independent = oracles[0].row_independent and _row_independent(default, oracles[0])
    report.nonfinite = _nonfinite(default, oracles[0]) if oracles[0].plan.far else {}
    default.release()  # it holds the weights once more, as torch's float64 copy does
    report.mismatches += missing_cells(default, oracles[0])
    if oracles[0].torch_float32.order.unordered:
        report.not_run.append(
            "rows with missing cells (NaN): the module sorts or chooses among them, and backends order NaN differently"
        )
    return report


def _evaluator_alone(graph: OnnxGraph, oracles: Sequence[Oracle], report: Report) -> Iterator[str]:
    """Yield which operator ONNX's reference evaluator computes otherwise, where all of onnxruntime agrees."""
    failed = [result for result in report.results if result.failed]
    if report.mismatches or not failed or any(result.backend != REFERENCE for result in failed):
        return
    result = failed[0]
    oracle = next(one for one in oracles if one.dimensions == result.dimensions)
    worst = max(result.differences, key=lambda found: found.outside)
    call = oracle.batches.call(oracle.probes.inputs, np.array([worst.worst_probe]))
    operator = differing_operator(graph, call)
    outside: dict[str, int] = {}
    for difference in (one for result in failed for one in result.differences if one.outside):
        outside[difference.output] = outside.get(difference.output, 0) + difference.outside
    told = ", ".join(f"{count} values of {name}" for name, count in outside.items())
    yield f"{REFERENCE} alone differs ({told}), by {operator}"


def _backend_results(
    backend: Backend, graph: OnnxGraph, oracles: Sequence[Oracle], known: RememberedDifferences, report: Report
) -> list[BackendResult]:
    """Load an engine, ask it everything, and let it go: it holds the weights once more."""
    try:
        answer = backend.load(graph, known.contract)
    except Exception as error:  # the reference evaluator's own, which knows not every operator
        if backend != REFERENCE:
            raise
        report.not_run.append(f"{backend} cannot load the graph: {first_line(error)}")
        return []
    return [result for one in oracles for result in _results(backend, answer, one, known, report)]


def _results(
    backend: Backend, answer: ModelFunction, oracle: Oracle, known: RememberedDifferences, report: Report
) -> Iterator[BackendResult]:
    sizes = backend.batch_sizes(oracle.plan) if oracle.batches.name is not None else (1,)
    for batch in filter(oracle.accepts, sizes):
        expected = oracle(batch)
        available = max(len(expected.probes), batch) if oracle.row_independent else len(expected.probes)
        count = min(available, batch * backend.max_batches(oracle.plan))
        rows = np.resize(np.arange(len(expected.probes)), count)  # asked again where a batch takes more than there are
        try:
            with np.errstate(all="ignore"):
                found = oracle.batches.run(answer, expected.probes.inputs, rows, batch)
        except Exception as error:  # onnxruntime's and the reference evaluator's own
            where = f"{backend} fails at batch {batch}"
            if backend == REFERENCE:  # it goes into the package, whose bytes are the same everywhere
                report.not_run.append(f"{where}: {first_line(error)}")
            else:
                report.mismatches.append(f"{where}: {whole_text(error)}")
            return
        differences = known.compare(found, expected, rows)
        if any(one.outside for one in differences) and oracle.look_closer(away(found, expected, rows)):
            known.forget()
            differences = known.compare(found, expected, rows)
        yield BackendResult(backend, batch, oracle.dimensions, count, differences)


def _row_independent(answer: ModelFunction, oracle: Oracle) -> bool:
    """Whether every row's answer stays within twice its tolerance when the other rows of its batch change."""
    expected = oracle(1)
    rows = np.arange(min(len(expected.probes), oracle.plan.checked_rows))
    inputs, run = expected.probes.inputs, oracle.batches.run
    together, permuted = run(answer, inputs, rows, len(rows)), run(answer, inputs, rows[::-1], len(rows))
    alone = run(answer, inputs, rows, 1)
    return all(
        close(other[name], together[name], 2 * expected.allowed[name][rows])
        for other in (alone, {name: array[::-1] for name, array in permuted.items()})
        for name in expected.reported_tolerances["ordinary"]
    )


def _nonfinite(answer: ModelFunction, oracle: Oracle) -> dict[str, int]:
    """Count values that are alike (finite, NaN, or the same infinity) when every input is NaN or infinite."""
    inputs = oracle.sampler.nonfinite()
    rows = np.arange(len(next(iter(inputs.values()))))
    try:
        with np.errstate(all="ignore"):
            wanted = oracle.batches.run(oracle.torch_float32, inputs, rows, 1)
    except Exception:
        return {}
    found: Arrays = oracle.batches.run(answer, inputs, rows, 1)
    floats = [name for name, array in wanted.items() if array.dtype.kind == "f"]
    alike = sum(int((_sort_of(found[name]) == _sort_of(wanted[name])).sum()) for name in floats)
    return {"values": sum(wanted[name].size for name in floats), "alike": alike}


def _sort_of(array: NDArray[Any]) -> NDArray[Any]:
    """Return 0 for finite, 1 and -1 for the infinities, 2 for NaN."""
    return np.where(np.isnan(array), 2, np.where(np.isinf(array), np.sign(array), 0))
