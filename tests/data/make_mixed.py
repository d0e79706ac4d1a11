"""Makes the package ``mixed`` beside it with onnx alone: ``python tests/data/make_mixed.py``.

A classifier over a table of every kind of column, whose encoder stands in its graph. Its expected answers are computed
here with numpy in float64, from dictionaries and numpy's own calendar.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from parity_runtime import Feature, ModelContract, TensorSpec, Tolerance
from parity_runtime.contract import METADATA_KEY, binary_logit_threshold, classifier_outputs
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.files.json_file import dump_json
from parity_runtime.package.manifest import write_manifest
from parity_runtime.verification.test_vectors import OrdinaryVectors, VectorSet

HERE = Path(__file__).parent
DAY = 86400

COLORS, CODES = ("red", "green", "crème brûlée"), ("1", "2", "10")
CONTRACT = ModelContract(
    name="mixed",
    task="binary",
    inputs=(
        TensorSpec("features", "float32", ("batch", 2)),
        TensorSpec("categories", "string", ("batch", 2)),
        TensorSpec("timestamps", "int64", ("batch", 1)),
    ),
    outputs=classifier_outputs(2),
    features=(
        Feature("color", "categories", 0, "categorical", "impute", categories=COLORS),
        Feature("size", "features", 0, "numeric", "impute", 0.0, 10.0),
        Feature("when", "timestamps", 0, "datetime", "impute", -86400.0, 1600000000.0),
        Feature("new", "features", 1, "boolean", "impute", 0.0, 1.0),
        Feature("code", "categories", 1, "code", "impute", categories=CODES),
    ),
    targets=("sold",),
    classes=("no", "yes"),
    positive="yes",
    threshold=0.5,
    logit_threshold=binary_logit_threshold(0.5),
    row_independent=True,
    graphs={"default": "model.onnx"},
    tolerance={"logits": Tolerance(1e-5, 1e-6, 0.0, "by hand")},
    min_onnxruntime="1.20",
)  # fmt: skip

MEANS = np.array([4.0, 0.5], np.float32)
WEIGHTS = np.array([[0.25], [-0.5]], np.float32)
COLOR_TABLE = np.array([[0.125], [-0.25], [1.5], [-1.75], [0.75]], np.float32)  # missing, unknown, then COLORS
CODE_TABLE = np.array([[-0.125], [0.5], [2.25], [-2.5], [1.0]], np.float32)
WEEKDAY_TABLE = np.array([[0.0625], [1.0], [-1.0], [0.5], [-0.5], [0.25], [2.0], [-2.0]], np.float32)  # 0: missing


def make(target: Path) -> None:
    """Write the package."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    contract = CONTRACT.to_json()
    model = _model()
    helper.set_model_props(model, {METADATA_KEY: json.dumps(contract, ensure_ascii=False)})
    (target / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (target / "contract.json").write_bytes(dump_json(contract))
    inputs = rows()
    vectors = VectorSet(OrdinaryVectors(inputs, answers(inputs), 1e-3, 1e-7), None)
    (target / "conformance.json").write_bytes(dump_json(vectors.to_json()))
    write_manifest(target)


def rows() -> dict[str, np.ndarray[Any, Any]]:
    """Return rows of known, unknown and missing cells, dates before 1970 among them."""
    colors = ["red", "green", "crème brûlée", "", "Red", " red", "日本", "red", "green", "None"]
    codes = ["1", "2", "10", "", "3", "1.0", "01", "-1", "1", "nan"]
    dates = ["2020-01-01", "1969-12-31T23:59:59", "1970-01-01", "NaT", "0001-01-01", "9999-12-31T23:59:59",
             "1900-02-28", "2000-02-29", "NaT", "2038-01-19T03:14:08"]  # fmt: skip
    numbers = np.random.default_rng(1).uniform(0, 10, (len(colors), 1))
    flags = np.arange(len(colors))[:, None] % 2
    return {
        "features": np.concatenate([numbers, flags], axis=1).astype(np.float32),
        "categories": np.array(list(zip(colors, codes, strict=True)), object),
        "timestamps": np.array(dates, "datetime64[s]").astype(np.int64)[:, None],
    }


def answers(inputs: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return every output, computed in float64 and rounded."""
    features = inputs["features"].astype(np.float64)
    logits = np.where(np.isnan(features), MEANS, features) @ WEIGHTS.astype(np.float64)
    for column, (known, table) in enumerate(((COLORS, COLOR_TABLE), (CODES, CODE_TABLE))):
        places = {"": 0} | {text: index for index, text in enumerate(known, 2)}
        logits += table[[places.get(cell, 1) for cell in inputs["categories"][:, column]]]
    moments = inputs["timestamps"][:, 0].view("datetime64[s]")
    weekdays = (moments.astype("datetime64[D]").astype(np.int64) + 3) % 7 + 1
    logits += WEEKDAY_TABLE[np.where(np.isnat(moments), 0, weekdays)]
    probability = 1 / (1 + np.exp(-logits))
    return {
        "label": (logits[:, 0] >= 0).astype(np.int64),
        "probabilities": np.concatenate([1 - probability, probability], axis=1).astype(np.float32),
        "logits": logits.astype(np.float32),
    }


def _model() -> onnx.ModelProto:
    constants = {
        "means": MEANS, "weights": WEIGHTS, "color_table": COLOR_TABLE, "code_table": CODE_TABLE,
        "weekday_table": WEEKDAY_TABLE, "missing": np.array(MISSING_TIMESTAMP), "zero": np.array(0),
        "day": np.array(DAY), "three": np.array(3), "seven": np.array(7), "one": np.array(1),
        "one_float": np.array(1, np.float32), "threshold": np.array(0, np.float32), "first": np.array(0),
        "second": np.array(1),
    }  # fmt: skip
    nodes = [
        *_steps("IsNaN features is_nan", "Where is_nan means features filled", "MatMul filled weights from_numbers"),
        *_lookup("color", "first", COLORS),
        *_lookup("code", "second", CODES),
        helper.make_node("Gather", ["timestamps", "first"], ["seconds"], axis=1),
        *_steps("Equal seconds missing is_missing", "Where is_missing zero seconds known", "Mod known day of_day",
                "Sub known of_day midnight", "Div midnight day days", "Add days three shifted",
                "Mod shifted seven since_monday", "Add since_monday one weekday", "Where is_missing zero weekday index",
                "Gather weekday_table index from_date",
                "Add from_numbers from_color sum_1", "Add sum_1 from_code sum_2", "Add sum_2 from_date logits",
                "Neg logits negative"),
        helper.make_node("Concat", ["logits", "negative"], ["both"], axis=1),
        *_steps("Exp both grown", "Add grown one_float denominator", "Reciprocal denominator probabilities",
                "GreaterOrEqual logits threshold is_positive"),
        helper.make_node("Cast", ["is_positive"], ["labels"], to=TensorProto.INT64),
        helper.make_node("Gather", ["labels", "first"], ["label"], axis=1),
    ]  # fmt: skip
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "string": TensorProto.STRING}
    ends = [[helper.make_tensor_value_info(spec.name, kinds[spec.dtype], list(spec.shape)) for spec in specs]
            for specs in (CONTRACT.inputs, CONTRACT.outputs)]  # fmt: skip
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "mixed", *ends, tensors)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="parity")
    onnx.checker.check_model(model, full_check=True)
    return model


def _steps(*steps: str) -> list[onnx.NodeProto]:
    """Return nodes of one output, each written as its operator, its inputs and its output."""
    parts = [step.split() for step in steps]
    return [helper.make_node(operator, names[:-1], names[-1:]) for operator, *names in parts]


def _lookup(name: str, column: str, known: tuple[str, ...]) -> list[onnx.NodeProto]:
    """Return the nodes that look a column of text up in a table."""
    encoder = helper.make_node(
        "LabelEncoder", [f"{name}_text"], [f"{name}_index"], domain="ai.onnx.ml",
        keys_strings=["", *known], values_int64s=[0, *range(2, 2 + len(known))], default_int64=1,
    )  # fmt: skip
    return [
        helper.make_node("Gather", ["categories", column], [f"{name}_text"], axis=1),
        encoder,
        *_steps(f"Gather {name}_table {name}_index from_{name}"),
    ]


if __name__ == "__main__":
    make(HERE / "mixed")
