"""The last stage: the folder of a package, or the report of why there is none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from parity_export.artifacts import artifacts, plots
from parity_export.error_bounds.bound_report import BoundReport
from parity_export.export_graph import ExportGraph
from parity_export.export_options import OLDEST_OPSET, ExportOptions
from parity_export.gate.run_gate import GateResult, report_to_json
from parity_export.graph.check_weights import Initializers
from parity_export.graph.convert_model import own_opset
from parity_export.graph.onnx_versions import ML_DOMAIN, oldest_onnxruntime
from parity_export.model_file import write_models
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import InputError, ModelContract, ParityError, ParityRefusedError, Predictor
from parity_runtime.arguments import argument
from parity_runtime.contract import METADATA_KEY, batch_name
from parity_runtime.drift.profile import Profile
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import FORMAT, dump_json, dump_table
from parity_runtime.files.paths import refuse_unwritable
from parity_runtime.files.staged_folder import refuse_existing, staged_folder
from parity_runtime.package.manifest import (
    CERTIFIED_MODEL,
    CONTRACT,
    EVALUATION,
    MANIFEST,
    MODEL,
    PROFILE,
    REPORT,
    Package,
    write_manifest,
)
from parity_runtime.verification.verify import verify


@dataclass(frozen=True)
class GatedGraph:
    """A graph, and what every stage found of it.

    Attributes:
        graph: with its head.
        initializers: where its constants are from.
        gate_result: of the gate.
        bound_report: what its certified form proves; None without one.
        profile: what the rows of its training looked like; None where nobody knows.
        evaluation: what its run knows of held-out rows; empty where nobody knows.
    """

    graph: ExportGraph
    initializers: Initializers
    gate_result: GateResult
    bound_report: BoundReport | None
    profile: Profile | None = None
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def facts(self, *, full: bool) -> dict[str, Any]:
        """Return what parity.json holds; ``full`` adds every result of the gate."""
        facts = report_to_json(self.graph.contract, self.gate_result, full=full)
        facts |= {"initializers": self.initializers.to_json()}
        return facts if self.bound_report is None else facts | {"error_bounds": self.bound_report.to_json()}

    def graphs(self) -> dict[str, OnnxGraph]:
        """Return the graphs by their files' names."""
        certified = {} if self.bound_report is None else {CERTIFIED_MODEL: self.bound_report.model.graph}
        return {MODEL: self.graph.onnx, **certified}

    def measured_contract(self) -> ModelContract:
        """Return the contract with what was measured."""
        model = self.graph.model
        certified = {} if self.bound_report is None else {"certified": CERTIFIED_MODEL}
        return replace(
            self.graph.contract,
            graphs={"default": MODEL, **certified},
            tolerance=self.gate_result.expected.reported_tolerances["ordinary"],
            min_onnxruntime=oldest_onnxruntime(
                model.opset_imports.get("", OLDEST_OPSET), model.ir_version, model.opset_imports.get(ML_DOMAIN)
            ),
            row_independent=self.gate_result.report.row_independent,
            unit_norm=self.gate_result.expected.unit_norm,
        )


def check_target(target: Path, options: ExportOptions) -> None:
    """Raise `InputError` unless a package can be written there: before anything is computed for it."""
    refuse_existing(target, replace=options.replace, check=_refuse_lost_files)
    refuse_unwritable(target)


def write_package(target: Path, gated: GatedGraph, options: ExportOptions) -> tuple[ModelContract, str]:
    """Write a package that the gate passed, and return its contract and its id.

    Raises:
        ParityRefusedError: the gate says no; the report is written beside the target, and nothing under its name.
    """
    if not gated.gate_result.report.passed:
        _refuse(target, gated, options)
    contract = gated.measured_contract()
    files = _files(gated, contract, options)
    gated.graph.onnx.give_back()
    package_id = _write(target, files, gated.graphs(), contract, options)
    _refused_path(target).unlink(missing_ok=True)
    return contract, package_id


def _files(gated: GatedGraph, contract: ModelContract, options: ExportOptions) -> dict[str, bytes]:
    """Return the files of a package but its graphs, their weights and its manifest, by path in the package."""
    gate_result, bound_report = gated.gate_result, gated.bound_report
    files = {
        CONTRACT: dump_json(contract.to_json()),
        REPORT: dump_table(gated.facts(full=options.report == "full")),
    }
    if gated.profile is not None:
        files[PROFILE] = gated.profile.dump()
    if gated.evaluation:
        files[EVALUATION] = dump_table(packaged_evaluation(gated.evaluation))
    plotted = plots(contract, gate_result, bound_report) if options.plots else {}
    return files | plotted | artifacts(contract, gate_result, bound_report, list(plotted), gated.evaluation)


def packaged_evaluation(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a package holds of its run's evaluation.json: all but cells of rows."""
    found = {"format": FORMAT} | dict(evaluation)
    worst = found.get("worst_rows")
    if isinstance(worst, dict) and isinstance(worst.get("rows"), list):
        rows = [{name: row[name] for name in row if name != "cells"} for row in worst["rows"] if isinstance(row, dict)]
        found["worst_rows"] = worst | {"rows": rows}
    return found


def _metadata(contract: ModelContract) -> bytes:
    """Return a serialized ModelProto with the contract in its metadata and nothing else.

    Two serialized protobuf messages, one after the other, are the two merged: the graph is not built again.
    """
    text = json.dumps(contract.to_json(), ensure_ascii=False)
    entry = onnx.StringStringEntryProto(key=METADATA_KEY, value=text)
    metadata: bytes = onnx.ModelProto(metadata_props=[entry]).SerializeToString(deterministic=True)
    return metadata


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
            f"{target} holds {others[0]}, which is not a file of the package and would be lost; move it away first"
        )


def _refused_path(target: Path) -> Path:
    """Return where the report of a refused export is kept."""
    return target.with_name(f"{target.name}.refused.json")


def _refuse(target: Path, gated: GatedGraph, options: ExportOptions) -> None:
    path = _refused_path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, dump_table(gated.facts(full=options.report == "full")))
    raise ParityRefusedError(f"no package: {gated.gate_result.reason()}; {_of_opset(gated)}the whole report is {path}")


def _of_opset(gated: GatedGraph) -> str:
    """Return what may mend a graph that ONNX's converter made of an older one; nothing of another."""
    adopted = gated.graph.source.adopted
    own = None if adopted is None else own_opset(adopted)
    made = gated.graph.model.opset_imports.get("")
    if own is None or own == made:
        return ""
    return (
        f"ONNX's converter, which made this graph of opset {made} from the file's of opset {own}, may have changed it: "
        f"export the model again with {argument('opset', 18)} of its exporter; "
    )


def _write(
    target: Path, files: dict[str, bytes], graphs: dict[str, OnnxGraph], contract: ModelContract, options: ExportOptions
) -> str:
    with staged_folder(target, replace=options.replace, check=_refuse_lost_files) as staging:
        for name, data in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(data)
        known, tensors = write_models(staging, graphs, _metadata(contract), external=options.external_weights)
        package_id = write_manifest(staging, tensors, known)
        graphs[MODEL].give_back()
        # the very bytes that are handed over: digests, contract, test vectors
        verify(staging, allow_operators=contract.operators)
        graphs[MODEL].give_back()
        _check_no_rows(Predictor(staging, allow_operators=contract.operators))
    return package_id


def _check_no_rows(predictor: Predictor) -> None:
    """Ask for zero rows, which some kernels of onnxruntime abort on, through the runtime's guard."""
    contract = predictor.contract
    batch = batch_name(contract)
    if batch is None:
        return
    sizes = {name: 0 if name == batch else 2 for spec in contract.inputs for name in spec.shape}
    empty = {
        spec.name: np.zeros([sizes[size] if isinstance(size, str) else size for size in spec.shape], spec.numpy_dtype)
        for spec in contract.inputs
    }
    answers = predictor.run(empty)
    for spec in contract.outputs:
        if batch in spec.shape and answers[spec.name].shape[spec.shape.index(batch)] != 0:
            raise InputError(f"{spec.name} is not empty for an empty batch")
