"""Lower precisions: what an evaluation may be off by, which labels stay, and what the command says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from parity_export.error_bounds import CannotCertifyError, propagate_error_bounds
from parity_export.error_bounds.low_precision.low_precision_model import CHANGES, LowPrecisionModel
from parity_export.error_bounds.precision import PRECISIONS
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.inference.session import create_session
from parity_training import XORClassifier
from tests.proof.graphs import value_graph
from tests.proof.lower import Lower, evaluations
from tests.proof.test_adjoints import NETWORKS
from tests.proof.test_norms import LAYER_NORM, WIDTH, _layers, gemm

DATA = Path(__file__).parent.parent / "data"
STORED = ("float16", "bfloat16")
REFUSED = {"rounded constants"}
"""Networks of which a constant is computed in the graph."""

LINEAR: list[Any] = [("Gemm", [np.ones((1, 1), np.float32)], {})]
ALL: dict[str, tuple[list[Any], list[int], int]] = NETWORKS | {
    "moved weights": (
        [*[("Transpose", (f"w{index}",), {"perm": [1, 0]}) for index in range(2)],
         ("MatMul", ("features", "Transpose0"), {}), "Relu", ("MatMul", ("current", "Transpose1"), {})],
        [WIDTH],
        WIDTH,
    ),
    "lowest masks": (
        [gemm(), ("Add", [np.float32([0, np.finfo(np.float32).min, 0, 0, np.finfo(np.float32).min, 0])], {}),
         ("Softmax", [], {"axis": 1}), gemm(2)],
        [WIDTH],
        2,
    ),
    "of many kinds": (
        [gemm(), "save", ("Relu", [], {}), gemm(), "Add", "save", "Tanh", gemm(), ("Add", [], {}), LAYER_NORM,
         ("Gelu", [], {}), ("Mul", [np.float32(0.3)], {}), gemm(), "save", "Sigmoid", ("Mul", ("current", "saved"), {}),
         ("Add", [np.float32([0.1])], {}), gemm(), ("Softmax", [], {"axis": 1}), gemm(2)],
        [WIDTH],
        2,
    ),
}  # fmt: skip
OFTEN = ("of many kinds", "images", "moved weights", "lowest masks")
SQUARES = np.random.default_rng(3).standard_normal((2, WIDTH, WIDTH)).astype(np.float32)


def made(name: str) -> tuple[bytes, ModelContract]:
    kinds, inputs, outputs = ALL[name]
    nodes, constants = _layers(*kinds)
    more = {"half": np.float32([0.5]), "w0": SQUARES[0], "w1": SQUARES[1]}
    return value_graph(nodes, constants | more, inputs, outputs)


def drawn(name: str, size: float, count: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(21)
    return {"features": (random.standard_normal((count, *ALL[name][1])) * size).astype(np.float32)}


def bounded(graph: bytes, contract: ModelContract, precision: str, inputs: Any) -> list[np.ndarray]:
    """Return what the graph of a lower precision answers: its values, and how far an evaluation may be from them."""
    session = create_session(lowered(graph, contract, precision))
    found: list[np.ndarray] = session.run(["value", "error_bound"], inputs)
    return found


def lowered(graph: bytes, contract: ModelContract, precision: str) -> bytes:
    return propagate_error_bounds(OnnxGraph(graph), contract, "tight", PRECISIONS[precision]).data


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.soak) for name in sorted(ALL)]
)
def test_no_evaluation_leaves_its_error_bound(name: str, precision: str) -> None:
    if name in REFUSED and precision in STORED:
        pytest.skip("refused")
    graph, contract = made(name)
    session = create_session(lowered(graph, contract, precision))
    for size in (1.0, 0.05):
        inputs = drawn(name, size)
        value, bound = session.run(["value", "error_bound"], inputs)
        assert name not in OFTEN or np.isfinite(bound).all()
        for evaluation in evaluations(precision):
            found = evaluation.evaluate(graph, inputs)["value"]
            error = np.abs(found.astype(np.float64) - value)
            assert (np.isinf(bound) | (error <= bound)).all(), (evaluation, error.max(), bound.max())


@pytest.mark.parametrize("precision", STORED)
def test_x_times_its_rounded_sigmoid_keeps_to_it_far_out(precision: str) -> None:
    """Below -90 the sigmoid is next to nothing, but what it is off by is multiplied by x."""
    graph, contract = value_graph(*_layers("save", "Sigmoid", ("Mul", ("current", "saved"), {})), [1], 1)
    inputs = {"features": np.float32([[-100], [-2048], [-3e4], [-80], [2048], [5], [0]])}
    value, bound = bounded(graph, contract, precision, inputs)
    errors = [np.abs(one.evaluate(graph, inputs)["value"] - value.astype(float)) for one in evaluations(precision)]
    share = np.max(errors, axis=0) / bound
    assert 0.4 < share.max() <= 1, share


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_rounding_is_hardly_less_than_its_error_bound(precision: str) -> None:
    """Of a product with 1: a result is rounded once, of tf32 both factors are."""
    graph, contract = value_graph(*_layers(*LINEAR), [1], 1)
    inputs = {"features": np.float32([[1.0], [-3.0], [2.0**-16]])}
    value, bound = bounded(graph, contract, precision, inputs)
    errors = [np.abs(one.evaluate(graph, inputs)["value"] - value.astype(float)) for one in evaluations(precision)]
    assert (np.max(errors, axis=0) <= bound).all() and (np.max(errors, axis=0) >= 0.9 * bound).all()


def as_float16(graph: bytes) -> bytes:
    """Return the same graph in float16, from and to float32."""
    model = onnx.load_from_string(graph)
    nodes = [helper.make_node("Cast", ["features"], ["features.low"], to=TensorProto.FLOAT16)]
    for one in model.graph.initializer:
        array = numpy_helper.to_array(one)
        if array.dtype == np.float32:
            one.CopyFrom(numpy_helper.from_array(array.astype(np.float16), one.name))
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [{"features": "features.low", "value": "value.low"}.get(name, name) for name in names]
        nodes.append(node)
    nodes.append(helper.make_node("Cast", ["value.low"], ["value"], to=TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


@pytest.mark.parametrize("name", OFTEN[:2])
def test_onnxruntime_in_float16_keeps_to_it(name: str) -> None:
    """It rounds constants, inputs and few results: on a CPU it computes most of them in float32."""
    graph, contract = made(name)
    inputs = drawn(name, 1.0, 64)
    value, bound = bounded(graph, contract, "float16", inputs)
    for optimization in ("disabled", "all"):
        [found] = create_session(as_float16(graph), optimization=optimization).run(["value"], inputs)
        assert found.any() and (np.abs(found - value) <= bound).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_labels_that_stay_are_those_that_torch_gives(precision: str) -> None:
    """Of the rows of a grid, near the boundary too, one flips at least and none that is certified does."""
    model = LowPrecisionModel.open_lower(DATA / "xor", precision)
    axis = np.linspace(-0.5, 1.5, 301, dtype=np.float32)
    rows = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    found = model.on_rows()(rows)
    logits = in_torch(DATA / "xor" / "model.onnx", precision, rows)
    flipped = (logits >= 0) != (found["label"] == 1)
    assert flipped.any() and not (flipped & found["certified"]).any()
    assert flipped[found[CHANGES]].all()
    assert 0.9 < found["certified"].mean() < 1
    assert (np.abs(logits - found["logits"][:, 0]) <= found["error_bound"][:, 0]).all()


def in_torch(path: Path, precision: str, rows: np.ndarray) -> np.ndarray:
    """Return the logits of an XOR classifier by torch: in the format, or with the factors of products in tf32."""
    module = XORClassifier(2, 4, 1)
    weights = {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
    module.load_state_dict({name: torch.from_numpy(weights[name].copy()) for name in module.state_dict()})
    if precision == "tf32":
        cut = Lower("tf32", scalars=True).to_nearest
        x = torch.from_numpy(rows)
        for layer, last in ((module.linear1, False), (module.linear2, True)):
            x = torch.from_numpy(cut(x.detach().numpy())) @ torch.from_numpy(cut(layer.weight.detach().numpy())).T
            x = x + layer.bias if last else torch.tanh(x + layer.bias)
        return x.detach().numpy()[:, 0]
    dtype = getattr(torch, precision)
    with torch.no_grad():
        return module.to(dtype)(torch.from_numpy(rows).to(dtype)).float().numpy()[:, 0]


def test_what_leaves_the_range_of_float16_has_no_error_bound() -> None:
    """A row at a time, also where only a value in between does."""
    down: Any = ("Gemm", [np.full((WIDTH, 1), 2.0**-10, np.float32)], {})
    graph, contract = value_graph(*_layers(("Gemm", [np.full((2, WIDTH), 256, np.float32)], {}), "Relu", down), [2], 1)
    inputs = {"features": np.float32([[100, 100], [130, 130], [-130, -130], [60000, 0], [70000, 0], [0, np.nan]])}
    value, bound = bounded(graph, contract, "float16", inputs)
    assert np.isfinite(bound[:, 0]).tolist() == [True, False, False, False, False, False]
    found = Lower("float16").evaluate(graph, inputs)["value"]
    assert (np.abs(found[0] - value[0]) <= bound[0]).all() and np.isinf(found[1]).all()
    assert np.isfinite(bounded(graph, contract, "bfloat16", inputs)[1][:4]).all()


REFUSALS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "a large weight": ([("Gemm", [np.full((2, 1), 7e4, np.float32)], {})], {}, "above the range of float16"),
    "a root": ([("Sqrt", ("c",), {}), ("Add", ("features", "current"), {})], {"c": np.float32([0.3])}, "a constant"),
    "a small factor": ([("Mul", [np.float32(1e-9)], {})], {}, "is rounded to 0"),
    "a comparison": (
        [("Less", [np.float32([0.1])], {}), ("Where", ("current", "features", "c"), {})],
        {"c": np.float32([0.5])},
        "compares with is not a number of float16",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_known_in_float16_is_refused_by_name(name: str) -> None:
    kinds, constants, reason = REFUSALS[name]
    nodes, more = _layers(*kinds)
    graph, contract = value_graph(nodes, more | constants, [2], 1 if name == "a large weight" else 2)
    with pytest.raises(CannotCertifyError, match=f"^cannot certify: operator .*{reason}"):
        lowered(graph, contract, "float16")
    lowered(graph, contract, "tf32")


def test_certify_says_which_labels_stay(parity, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x1,x2\n1,0\n1,1\n0.5,0.5\n1e6,1e6\n")
    answer = parity("certify", DATA / "xor", table, "--precision", "float16", "--out", tmp_path / "out")
    assert answer.code == 0 and "of 4 labels are certified in float16" in answer.out
    assert "error bound of a logit in float16: at most" in answer.out
    assert "it holds for every evaluation of the graph with constants, inputs and every operator" in answer.out
    assert "not proven: row 4: x1=1000000, x2=1000000" in answer.out
    assert json.loads((tmp_path / "out" / "certificate.json").read_text())["precision"] == "float16"
    figures = json.loads(parity("certify", DATA / "xor", table, "--precision", "tf32", "--json").out)
    assert (figures["precision"], figures["rows"], figures["changed"]) == ("tf32", 4, 0)
    assert parity("certify", DATA / "xor", table, "--precision", "int8").code == 2


def test_certify_bounds_values_and_tables_with_text(parity, tmp_path: Path) -> None:
    table = tmp_path / "rent.csv"
    table.write_text("area,rooms,age\n50,2,30\n80.5,3,12\n")
    answer = parity("certify", DATA / "rent", table, "--precision", "bfloat16")
    assert "2 of 2 values have a proven error bound in bfloat16" in answer.out, answer
    parcels = tmp_path / "parcels.csv"
    parcels.write_text("weight,fragile,city,carrier,sent\n9.6,true,Paris,30,1965-05-17\n0.5,false,nowhere,1,\n")
    figures = json.loads(parity("certify", DATA / "parcels", parcels, "--precision", "float16", "--json").out)
    assert (figures["rows"], figures["certified"]) == (2, 2), figures
