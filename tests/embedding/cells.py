"""What a reader owes the graph for each cell of a table: tests/data/cells.json, and packages that answer what they got.

The model of such a package gives its inputs back: numbers as they are, a category as its place among the texts that are
expected, a moment's seconds in two parts, so that float32 holds them exactly.
"""

import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parity_runtime import Feature, ModelContract, TensorSpec
from parity_runtime.contract import METADATA_KEY
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.files.json_file import dump_json
from parity_runtime.package.manifest import write_manifest
from parity_runtime.verification.test_vectors import OrdinaryVectors, VectorSet

CELLS = Path(__file__).parent.parent / "data" / "cells.json"
TABLES: dict[str, Any] = json.loads(CELLS.read_text())["tables"]
REFUSED = [
    (table, column["name"], cell)
    for table, told in TABLES.items()
    for column in told["columns"]
    for cell, value in column["cells"]
    if value == "refused"
]
"""The cells that no reader takes, each with its table and its column."""

MISSING_NUMBER = -123456.0
PART = 2**24  # float32 holds every whole number up to here
_INPUTS = {"numeric": "features", "boolean": "features", "categorical": "categories", "code": "categories",
           "datetime": "timestamps"}  # fmt: skip


@dataclass(frozen=True)
class CellTable:
    """A table of every cell that is taken, and a package whose model answers what it got.

    Attributes:
        package: its folder.
        cells: by column, as they stand in the table; columns of fewer cells begin again.
        sizes: the cells of the column of numbers, typed; None where one is missing.
        answers: float32 ``[rows, targets]``.
    """

    package: Path
    cells: dict[str, list[str]]
    sizes: list[float | None]
    answers: NDArray[np.float32]

    def csv(self, *, header: bool = True, **changed: str) -> str:
        """Return the table, or its first row with some cells changed."""
        cells = {name: [changed.get(name, column[0])] if changed else column for name, column in self.cells.items()}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([list(cells)] if header else [])
        writer.writerows(zip(*cells.values(), strict=True))
        return text.getvalue()


def make_cell_table(folder: Path, name: str) -> CellTable:
    """Write the package of one of `TABLES`."""
    columns = TABLES[name]["columns"]
    taken = [[pair for pair in column["cells"] if pair[1] != "refused"] for column in columns]
    count = max(map(len, taken))
    rows = [[pairs[row % len(pairs)] for row in range(count)] for pairs in taken]
    values = {column["name"]: [value for _, value in pairs] for column, pairs in zip(columns, rows, strict=True)}
    cells = {column["name"]: [cell for cell, _ in pairs] for column, pairs in zip(columns, rows, strict=True)}
    contract = _contract(name, columns, TABLES[name]["missing_values"])
    inputs = {spec.name: _input(contract, spec.name, values) for spec in contract.inputs}
    known = {feature.name: sorted({*values[feature.name]} - {""}) for feature in contract.columns if feature.is_text}
    package = folder / name
    package.mkdir()
    _write(package, contract, known, inputs)
    return CellTable(package, cells, values["size"], answers(contract, known, inputs))


def answers(
    contract: ModelContract, known: dict[str, list[str]], inputs: dict[str, NDArray[Any]]
) -> NDArray[np.float32]:
    """Return what the model answers, computed with numpy."""
    columns = [np.where(np.isnan(inputs["features"]), MISSING_NUMBER, inputs["features"])]
    for feature in contract.features_of("categories"):
        places = {"": -1.0} | {text: float(place) for place, text in enumerate(known[feature.name])}
        columns.append(np.array([[places[text]] for text in inputs["categories"][:, feature.index]]))
    seconds = inputs["timestamps"]
    columns += [seconds // PART, seconds % PART]
    return np.concatenate([column.astype(np.float32) for column in columns], axis=1)


def _contract(name: str, columns: list[dict[str, Any]], missing_values: list[str] | None) -> ModelContract:
    counts: dict[str, int] = dict.fromkeys(("features", "categories", "timestamps"), 0)
    features = []
    for column in columns:
        owner = _INPUTS[column["kind"]]
        features.append(
            Feature(column["name"], owner, counts[owner], column["kind"], "impute", format=column.get("format"))
        )
        counts[owner] += 1
    # Turned, so that the graph's order is not the table's.
    features = [replace(feature, index=counts[feature.input] - 1 - feature.index) for feature in features]
    dtypes = {"features": "float32", "categories": "string", "timestamps": "int64"}
    width = counts["features"] + counts["categories"] + 2 * counts["timestamps"]
    return ModelContract(
        name, "regression",
        tuple(TensorSpec(owner, dtypes[owner], ("batch", counts[owner])) for owner in counts),
        (TensorSpec("value", "float32", ("batch", width)),),
        tuple(features), tuple(f"target_{place}" for place in range(width)),
        row_independent=True, graphs={"default": "model.onnx"},
        missing_values=None if missing_values is None else tuple(missing_values),
    )  # fmt: skip


def _input(contract: ModelContract, name: str, values: dict[str, list[Any]]) -> NDArray[Any]:
    columns = [values[feature.name] for feature in contract.features_of(name)]
    if name == "categories":
        return np.array(columns, object).T
    missing: Any = np.nan if name == "features" else MISSING_TIMESTAMP
    filled = [[missing if value is None else value for value in column] for column in columns]
    return np.array(filled, np.float32 if name == "features" else np.int64).T


def _write(
    package: Path, contract: ModelContract, known: dict[str, list[str]], inputs: dict[str, NDArray[Any]]
) -> None:
    model = _model(contract, known)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(contract.to_json())})
    (package / "model.onnx").write_bytes(model.SerializeToString())
    (package / "contract.json").write_bytes(dump_json(contract.to_json()))
    recorded = inputs | {"features": np.nan_to_num(inputs["features"], nan=0.5)}  # JSON has no NaN
    outputs = {"value": answers(contract, known, recorded)}
    vectors = VectorSet(OrdinaryVectors(recorded, outputs, 0.0, 0.0), None)
    (package / "conformance.json").write_bytes(dump_json(vectors.to_json()))
    write_manifest(package)


def _model(contract: ModelContract, known: dict[str, list[str]]) -> onnx.ModelProto:
    def node(operator: str, *names: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, names[:-1], names[-1:], **attributes)

    constants = {"missing": np.float32(MISSING_NUMBER), "part": np.int64(PART)}
    nodes = [node("IsNaN", "features", "is_nan"), node("Where", "is_nan", "missing", "features", "numbers")]
    ends = ["numbers"]
    for feature in contract.features_of("categories"):
        place, name = f"place_{feature.name}", feature.name
        constants[place] = np.array([feature.index])
        keys = ["", *known[name]]
        nodes += [
            node("Gather", "categories", place, f"text_{name}", axis=1),
            node("LabelEncoder", f"text_{name}", f"index_{name}", domain="ai.onnx.ml", keys_strings=keys,
                 values_int64s=range(-1, len(known[name])), default_int64=-2),
            node("Cast", f"index_{name}", f"number_{name}", to=TensorProto.FLOAT),
        ]  # fmt: skip
        ends.append(f"number_{name}")
    nodes += [
        node("Mod", "timestamps", "part", "rest"), node("Sub", "timestamps", "rest", "whole"),
        node("Div", "whole", "part", "parts"), node("Cast", "parts", "high", to=TensorProto.FLOAT),
        node("Cast", "rest", "low", to=TensorProto.FLOAT), node("Concat", *ends, "high", "low", "value", axis=1),
    ]  # fmt: skip
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}
    sides = [[helper.make_tensor_value_info(spec.name, kinds[spec.dtype], list(spec.shape)) for spec in specs]
             for specs in (contract.inputs, contract.outputs)]  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    graph = helper.make_graph(nodes, contract.name, *sides, tensors)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="parity")
