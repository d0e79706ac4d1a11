"""From a source to a package that proved itself: graph, questions, gate, files, in that order."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
from onnx import numpy_helper

from parity_export.card import model_card
from parity_export.comparison import Expected
from parity_export.expectation import Expectation
from parity_export.gate import Report, run_gate
from parity_export.graph import export_graph
from parity_export.head import add_head
from parity_export.onnxruntime_versions import oldest_onnxruntime
from parity_export.source import ModelSource
from parity_export.vectors import make_conformance
from parity_runtime import ModelContract, ParityRefusedError, TensorSpec
from parity_runtime.conformance import OrdinaryVectors
from parity_runtime.contract import METADATA_KEY
from parity_runtime.files import refuse_existing, staged_folder, write_file
from parity_runtime.jsonfile import FORMAT, dump_json
from parity_runtime.package import CARD, CONFORMANCE, CONTRACT, MODEL, REPORT, write_manifest
from parity_runtime.session import import_onnxruntime
from parity_runtime.verification import verify

TEST_DATA = "test_data_set_0"


@dataclass(frozen=True)
class Exported:
    """A package that was written.

    Attributes:
        path: its folder.
        package_id: sha256 of its manifest.
        contract: measured.
        report: of the gate.
    """

    path: Path
    package_id: str
    contract: ModelContract
    report: Report


def export_package(source: ModelSource, target: str | Path, *, replace_existing: bool = False) -> Exported:
    """Export a source, gate it, and write the package; nothing is written under ``target`` if the gate says no.

    Args:
        source: a module and what it means.
        target: the package folder.
        replace_existing: exchange a package that stands there already.

    Raises:
        ParityRefusedError: the graph does not answer as the module; the report is kept beside the target as
            ``<target>.refused.json``.
        InputError: the module cannot be exported, the target exists, or the meaning contradicts the outputs.
    """
    target = Path(target)
    refuse_existing(target, replace=replace_existing)
    model = export_graph(source.module, source.contract.inputs)
    add_head(model, source.contract, source.module_output)
    source = replace(source, contract=_with_graph_outputs(source.contract, model))
    expectation = Expectation(source)
    expected = expectation(len(expectation.probes))
    contract = replace(
        source.contract,
        graphs={"default": MODEL},
        tolerance=expected.tolerances["ordinary"],
        min_onnxruntime=oldest_onnxruntime(model.opset_imports[""], model.ir_version),
    )
    report = run_gate(_serialize(model), contract, expectation, row_independent=expectation.row_independent)
    record = _record(contract, expected, report)
    if not report.passed:
        _refuse(target, record, report)
    refusal(target).unlink(missing_ok=True)
    contract = replace(contract, row_independent=report.row_independent)
    model.metadata_props[METADATA_KEY] = json.dumps(contract.to_json(), ensure_ascii=False)
    files = {MODEL: _serialize(model), CONTRACT: dump_json(contract.to_json()), REPORT: dump_json(record)}
    conformance = make_conformance(contract, expected, expectation.reference)
    files |= {CONFORMANCE: dump_json(conformance.to_json()), CARD: model_card(contract, report)}
    files |= _test_data(conformance.ordinary)
    return Exported(target, _write(target, files, replace_existing=replace_existing), contract, report)


def refusal(target: Path) -> Path:
    """Return where the report of a refused export is kept."""
    return target.with_name(f"{target.name}.refused.json")


def _with_graph_outputs(contract: ModelContract, model: ir.Model) -> ModelContract:
    if contract.task != "tensors":
        return contract
    return replace(contract, outputs=tuple(_spec(value) for value in model.graph.outputs))


def _spec(value: ir.Value) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size.value) for size in value.shape or ())
    dtype = value.dtype.numpy().name if value.dtype is not None else "float32"
    return TensorSpec(str(value.name), dtype, shape)


def _serialize(model: ir.Model) -> bytes:
    data: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return data


def _record(contract: ModelContract, expected: Expected, report: Report) -> dict[str, Any]:
    """Return what parity.json holds: what was asked, what was allowed and what was found; no timings, no dates."""
    return {
        "format": FORMAT,
        "name": contract.name,
        "passed": report.passed,
        "mismatches": report.mismatches,
        "provenance": dict(contract.provenance),
        "versions": {"onnx": onnx.__version__, "onnxruntime": import_onnxruntime().__version__},
        "probes": expected.probes.counts(),
        "tolerances": {
            group: {name: tolerance.to_json() for name, tolerance in tolerances.items()}
            for group, tolerances in expected.tolerances.items()
        },
        "row_independent": report.row_independent,
        "cells": [cell.to_json() for cell in report.cells],
    }


def _refuse(target: Path, record: dict[str, Any], report: Report) -> None:
    reasons = report.reasons()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(refusal(target), dump_json(record | {"reasons": reasons}))
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    raise ParityRefusedError(f"no package: {reasons[0]}{more}; the whole report is {refusal(target)}")


def _test_data(vectors: OrdinaryVectors) -> dict[str, bytes]:
    """Return the ordinary vectors as files of the ONNX backend-test layout."""
    return {
        f"{TEST_DATA}/{side}_{index}.pb": numpy_helper.from_array(array, name).SerializeToString(deterministic=True)
        for side, arrays in (("input", vectors.inputs), ("output", vectors.outputs))
        for index, (name, array) in enumerate(arrays.items())
    }


def _write(target: Path, files: dict[str, bytes], *, replace_existing: bool) -> str:
    with staged_folder(target, replace=replace_existing) as staging:
        for name, data in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(data)
        package_id = write_manifest(staging)
        verify(staging)  # the very bytes that are handed over: digests, contract, vectors
    return package_id
