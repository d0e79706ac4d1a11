"""From a source to a package that proved itself: graph, questions, gate, files, in that order."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from parity_export.artifacts import artifacts, plots
from parity_export.error_bounds.bound_report import BoundReport, derive_bounds
from parity_export.error_bounds.check_bounds import check_bounds
from parity_export.export_options import OLDEST_IR, OLDEST_OPSET, ExportOptions
from parity_export.gate.run_gate import GateResult, record, run_gate
from parity_export.graph.build_graph import build_graph, check_graph, serialize, with_graph_outputs
from parity_export.graph.onnx_versions import check_loads, oldest_onnxruntime
from parity_export.memory import LARGE, give_back
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError, ModelContract, ParityError, ParityRefusedError, Predictor
from parity_runtime.contract import METADATA_KEY, batch_name
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_json, dump_table
from parity_runtime.files.paths import refuse_unwritable
from parity_runtime.files.staged_folder import refuse_existing, staged_folder
from parity_runtime.package.manifest import CERTIFIED_MODEL, CONTRACT, MANIFEST, MODEL, REPORT, Package, write_manifest
from parity_runtime.verification.verify import verify


@dataclass(frozen=True)
class Exported:
    """A package that was written.

    >>> from torch import nn
    >>> from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
    >>> source = source_from_module(nn.Linear(2, 1), ["x: float32[batch, 2]"], OutputSpec("regression"), "line")
    >>> exported = export_package(source, "packages/line", ExportOptions(replace=True, plots=False))
    >>> exported
    Exported('packages/line', regression, 2 features)
    >>> exported.contract.graphs
    {'default': 'model.onnx'}

    Attributes:
        path: its folder.
        package_id: sha256 of its manifest.
        contract: measured.
        gate_result: of the gate.
        bound_report: what the certified graph proves; None without one.
    """

    path: Path
    package_id: str
    contract: ModelContract
    gate_result: GateResult
    bound_report: BoundReport | None = None

    def __repr__(self) -> str:
        certified = "" if self.bound_report is None else ", certified"
        return f"Exported({str(self.path)!r}, {self.contract.brief}{certified})"


def export_package(source: ModelSource, target: str | Path, options: ExportOptions | None = None) -> Exported:
    """Export a source, gate it, and write the package; nothing is written under ``target`` if the gate says no.

    >>> from torch import nn
    >>> from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
    >>> from parity_runtime import Predictor
    >>> spec = OutputSpec("multiclass", output="logits", classes=("red", "green", "blue"))
    >>> source = source_from_module(nn.Linear(2, 3), ["x: float32[batch, 2]"], spec, "colours")
    >>> path = export_package(source, "packages/colours", ExportOptions(replace=True, plots=False)).path
    >>> Predictor(path)
    Predictor('packages/colours', multiclass, 2 features, cpu)

    Args:
        source: a module and what it means.
        target: the package folder.
        options: opset, tolerance, whether to replace.

    Raises:
        ParityRefusedError: the graph does not answer as the module; the report is kept beside the target as
            ``<target>.refused.json``.
        InputError: the module cannot be exported, the target exists, the installed onnxruntime does not know the opset
            or the IR version, or the meaning contradicts the outputs.
    """
    target, options = Path(target), options or ExportOptions()
    refuse_existing(target, replace=options.replace, check=_refuse_lost_files)
    refuse_unwritable(target)
    check_loads(options.opset or OLDEST_OPSET, options.ir_version or OLDEST_IR)
    model, initializers = build_graph(source, options)
    source = replace(source, contract=with_graph_outputs(source, model))
    graph = serialize(model)
    check_graph(graph)
    if len(graph) > LARGE:
        give_back()
    bound_report = derive_bounds(source, graph) if options.certified else None
    gate_result = run_gate(
        graph, source, options.tolerance, None if bound_report is None else bound_report.exact_bounds()
    )
    gate_result.report.mismatches += [
        f"the initializer {name} is not the state_dict's" for name in initializers.differing
    ]
    if bound_report is not None and gate_result.oracle is not None:
        check_bounds(bound_report, graph, gate_result.oracle)
        gate_result.report.mismatches += bound_report.violations
    facts = record(source.contract, gate_result, full=options.report == "full")
    facts |= {"initializers": initializers.to_json()}
    facts |= {} if bound_report is None else {"error_bounds": bound_report.to_json()}
    if not gate_result.report.passed:
        _refuse(target, facts, gate_result)
    contract = _measured(source.contract, model, gate_result)
    if bound_report is not None:
        contract = replace(contract, graphs={**contract.graphs, "certified": CERTIFIED_MODEL})
    files = {MODEL: _with_metadata(graph, contract), CONTRACT: dump_json(contract.to_json()), REPORT: dump_table(facts)}
    if bound_report is not None:
        files[CERTIFIED_MODEL] = _with_metadata(bound_report.model.graph, contract)
    plotted = plots(contract, gate_result, bound_report) if options.plots else {}
    files |= plotted | artifacts(contract, gate_result, bound_report, list(plotted))
    package_id = _write(target, files, replace_existing=options.replace)
    _refused_path(target).unlink(missing_ok=True)
    return Exported(target, package_id, contract, gate_result, bound_report)


def _refuse_lost_files(target: Path) -> None:
    """Raise `InputError` unless a folder holds a package and nothing else: what is replaced is lost."""
    if not (target / MANIFEST).is_file():
        raise InputError(f"{target} is not empty and holds no package; it is not replaced, choose another name")
    try:
        others = Package.open(target).unlisted()
    except ParityError as error:
        raise InputError(f"{target} is not replaced, its files are not known: {error}; move it away first") from error
    if others:
        raise InputError(
            f"{target} holds {others[0]}, which is no file of the package and would be lost; move it away first"
        )


def _with_metadata(graph: bytes, contract: ModelContract) -> bytes:
    """Return a serialized graph with the contract in its metadata.

    Two serialized protobuf messages, one after the other, are the two merged: the graph is not built again.
    """
    text = json.dumps(contract.to_json(), ensure_ascii=False)
    entry = onnx.StringStringEntryProto(key=METADATA_KEY, value=text)
    metadata: bytes = onnx.ModelProto(metadata_props=[entry]).SerializeToString(deterministic=True)
    return graph + metadata


def _refused_path(target: Path) -> Path:
    """Return where the report of a refused export is kept."""
    return target.with_name(f"{target.name}.refused.json")


def _measured(contract: ModelContract, model: ir.Model, gate_result: GateResult) -> ModelContract:
    return replace(
        contract,
        graphs={"default": MODEL},
        tolerance=gate_result.expected.tolerances["ordinary"],
        min_onnxruntime=oldest_onnxruntime(model.opset_imports[""], model.ir_version),
        row_independent=gate_result.report.row_independent,
    )


def _refuse(target: Path, facts: dict[str, Any], gate_result: GateResult) -> None:
    path = _refused_path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, dump_table(facts))
    raise ParityRefusedError(f"no package: {gate_result.reason()}; the whole report is {path}")


def _write(target: Path, files: dict[str, bytes], *, replace_existing: bool) -> str:
    with staged_folder(target, replace=replace_existing, check=_refuse_lost_files) as staging:
        while files:
            name, data = files.popitem()
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(data)
            del data
        package_id = write_manifest(staging)
        if (staging / MODEL).stat().st_size > LARGE:
            give_back()
        verify(staging)  # the very bytes that are handed over: digests, contract, vectors
        _check_no_rows(Predictor(staging))
    return package_id


def _check_no_rows(predictor: Predictor) -> None:
    """Ask for zero rows, which some kernels of onnxruntime abort on, through the runtime's guard."""
    contract = predictor.contract
    batch = batch_name(contract)
    if batch is None:
        return
    sizes = {name: 0 if name == batch else 2 for spec in contract.inputs for name in spec.shape}
    empty = {
        spec.name: np.zeros([sizes[size] if isinstance(size, str) else size for size in spec.shape], spec.dtype)
        for spec in contract.inputs
    }
    answers = predictor.run(empty)
    for spec in contract.outputs:
        if batch in spec.shape and answers[spec.name].shape[spec.shape.index(batch)] != 0:
            raise InputError(f"{spec.name} is not empty for an empty batch")
