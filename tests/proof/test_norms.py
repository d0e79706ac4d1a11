"""The norm of the error: the constants that it is made with, what it claims of every value, and where it is put in."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch.nn import functional

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms import linear_norm
from parity_export.error_bounds.norms.convolution_norm import convolution_norms
from parity_export.error_bounds.norms.error_norm import norm_of, whole
from parity_export.error_bounds.norms.spectral_norm import spectral_norm
from parity_export.error_bounds.operator_rule import Node
from parity_export.error_bounds.propagate import _apply
from parity_export.error_bounds.registry import RULES
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U
from parity_runtime.inference.session import OPTIMIZATIONS, create_session
from tests.proof.arithmetic import COMPLIANT, Compliant, Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import certified_graph, value_graph

RANDOM = np.random.default_rng(4)
WIDTH, K = 6, 16
EVALUATORS = {
    **{name: COMPLIANT[name] for name in ("random, flushed, functions above", "tree, FMA, flushed, folded")},
    **{f"adversarial {sign:+d}": Compliant(f"adversarial {sign:+d}", error=float(sign)) for sign in (1, -1)},
}
MATRICES = {
    "random": RANDOM.standard_normal((40, 30)),
    "one column": RANDOM.standard_normal((7, 1)),
    "equal singular values": np.linalg.qr(RANDOM.standard_normal((20, 20)))[0],
    "one singular value": np.outer(np.arange(1.0, 9), np.arange(1.0, 5)),
    "huge": RANDOM.standard_normal((5, 5)) * 1e200,
    "tiny": RANDOM.standard_normal((5, 5)) * 1e-200,
    "many sizes": RANDOM.standard_normal((8, 8)) * 10.0 ** RANDOM.uniform(-30, 30, (8, 8)),
    "ill conditioned": 1 / (np.arange(12)[:, None] + np.arange(12) + 1.0),
    "nilpotent": np.eye(9, k=1),
    "complex": RANDOM.standard_normal((6, 9)) + 1j * RANDOM.standard_normal((6, 9)),
    "a batch": RANDOM.standard_normal((4, 5, 6)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_spectral_norm_is_bounded_from_above_and_hardly_more(name: str) -> None:
    exact = float(np.linalg.norm(MATRICES[name], 2, axis=(-2, -1)).max())
    assert exact * (1 - 1e-13) <= spectral_norm(MATRICES[name]) <= 1.1 * exact


def test_zeros_have_no_norm() -> None:
    assert spectral_norm(np.zeros((3, 4))) == 0


def test_a_large_matrix_is_bounded_by_its_rows_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity_export.error_bounds.norms.spectral_norm._LARGEST_ORDER", 10)
    for name in ("random", "nilpotent", "equal singular values"):
        exact = float(np.linalg.norm(MATRICES[name], 2))
        assert exact <= spectral_norm(MATRICES[name]) <= 6 * exact


@pytest.mark.parametrize("points", [None, ((4, 1e9),), ()], ids=["fine", "coarse", "taps"])
@pytest.mark.parametrize(
    ("shape", "strides", "dilations", "groups"),
    [
        ((4, 3, 3, 3), (1, 1), (1, 1), 1),
        ((4, 3, 3, 3), (2, 2), (1, 1), 1),
        ((3, 4, 1, 1), (2, 2), (1, 1), 1),
        ((4, 2, 2, 3), (1, 2), (2, 1), 2),
        ((6, 1, 4, 1), (3, 1), (1, 1), 6),
        ((5, 2, 4), (2,), (3,), 1),
    ],
)
def test_a_convolutions_norm_is_that_of_its_matrix_or_more(
    monkeypatch: pytest.MonkeyPatch, points: Any, shape: tuple[int, ...], strides: Any, dilations: Any, groups: int
) -> None:
    if points is not None:
        monkeypatch.setattr("parity_export.error_bounds.norms.convolution_norm._POINTS", points)
    weight = np.random.default_rng(7).standard_normal(shape)
    found = convolution_norms(weight, strides, dilations, groups)
    signed, absolute = (_norm_of_matrix(array, strides, dilations, groups) for array in (weight, np.abs(weight)))
    assert signed <= found.signed <= (1.8 if points is None else 4) * signed
    assert absolute <= found.absolute <= 1.8 * absolute and found.signed <= found.absolute


def _norm_of_matrix(weight: np.ndarray, strides: Any, dilations: Any, groups: int) -> float:
    """Return the norm of a padded convolution of small images, by its matrix."""
    rank, channels = weight.ndim - 2, weight.shape[1] * groups
    size = {1: 24, 2: 6}[rank]
    everything = torch.eye(channels * size**rank, dtype=torch.float64).reshape(-1, channels, *[size] * rank)
    convolve = {1: functional.conv1d, 2: functional.conv2d}[rank]
    pads = tuple(d * (k - 1) // 2 for d, k in zip(dilations, weight.shape[2:], strict=True))
    results = convolve(everything, torch.from_numpy(weight), None, strides, pads, dilations, groups)
    return float(np.linalg.norm(results.reshape(len(everything), -1).numpy(), 2))


def _weights(*shape: int) -> np.ndarray:
    fan_in = int(np.prod(shape[1:]))
    return (RANDOM.standard_normal(shape) * 2 / np.sqrt(fan_in)).astype(np.float32)


def _layers(*kinds: Any) -> tuple[list[Node], dict[str, Any]]:
    """Return a chain of nodes: an operator of the value before it alone, or with its operands and its attributes.

    A list of operands stands behind the value before it, a tuple in its place: of names, ``current`` and ``saved``.
    """
    nodes: list[Node] = []
    constants: dict[str, Any] = {}
    current, saved = "features", ""
    for index, kind in enumerate(kinds):
        operator, more, attributes = kind if isinstance(kind, tuple) else (kind, [], {})
        if operator == "save":
            saved = current
            continue
        names = []
        for place, constant in enumerate(more):
            if isinstance(constant, str):
                names.append({"current": current, "saved": saved}.get(constant, constant))
                continue
            names.append(f"c{index}.{place}")
            constants[names[-1]] = np.asarray(constant)
        taken = names if isinstance(more, tuple) else [current, *names]
        taken += [saved] * (operator in ("Add", "Concat") and not more)
        current = f"{operator}{len(nodes)}"
        nodes.append((operator, taken, attributes))
    return nodes, constants


def gemm(outputs: int = WIDTH, inputs: int = WIDTH) -> tuple[str, list[Any], dict[str, Any]]:
    return "Gemm", [_weights(outputs, inputs), _weights(outputs, 1)[:, 0]], {"transB": 1}


def conv(outputs: int, inputs: int, *kernel: int, **attributes: Any) -> tuple[str, list[Any], dict[str, Any]]:
    return "Conv", [_weights(outputs, inputs, *kernel), _weights(outputs, 1)[:, 0]], attributes


def product(outputs: int, inputs: int) -> tuple[str, list[Any], dict[str, Any]]:
    return "MatMul", [_weights(outputs, inputs).T.copy()], {}


def shape(*sizes: int) -> tuple[str, list[Any], dict[str, Any]]:
    return "Reshape", [np.array(sizes)], {}


NORMALIZED = [np.float32([0.5, -2, 1, 1.5, 1, 3]), *(np.float32(np.linspace(0.1, 1, 6)) for _ in range(3))]
ACTIVATIONS: list[Any] = [
    "Relu", "Tanh", "Sigmoid", ("Gelu", [], {}), "Erf", ("LeakyRelu", [], {"alpha": 1.5}), "Abs", "Neg", "Softplus",
    ("PRelu", [np.float32([-2])], {}), ("Clip", [np.float32(-1), np.float32(1)], {}), ("Selu", [], {}), "Identity",
    ("Mul", [np.float32([-3, 2, 1, 1, 0.1, 1])], {}), ("Add", [np.float32([1, 2, 3, 4, 5, 6])], {}),
    ("Div", [np.float32(0.3)], {}), ("BatchNormalization", NORMALIZED, {}),
]  # fmt: skip
NETWORKS: dict[str, tuple[list[Any], list[int], int]] = {
    **{
        str(one if isinstance(one, str) else one[0]): ([gemm(), gemm(), one, gemm(), "Tanh", one, gemm(2)], [WIDTH], 2)
        for one in ACTIVATIONS
    },
    "residual": (
        [gemm(), gemm(), "save", gemm(), "Relu", gemm(), ("Add", [], {}), "save", "Tanh", "Add", gemm(3)], [WIDTH], 3
    ),
    "joined": ([gemm(), gemm(), "save", "Tanh", ("Concat", [], {"axis": 1}), gemm(4, 12), gemm(2, 4)], [WIDTH], 2),
    "images": (
        [conv(4, 2, 3, 3, pads=[1] * 4), "Relu", conv(4, 4, 3, 3, pads=[1] * 4, strides=[2, 1]),
         ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [1, 2], "pads": [1, 1, 1, 1]}),
         conv(4, 4, 2, 1),
         ("AveragePool", [], {"kernel_shape": [2, 2], "pads": [0, 1, 0, 1], "count_include_pad": 1}), "Tanh",
         conv(3, 4, 1, 1), ("Flatten", [], {"axis": 1}), gemm(2, 24)],
        [2, 6, 4],
        2,
    ),
    "a mean of images": (
        [conv(4, 2, 3, 3), conv(4, 4, 2, 1), "Relu", conv(4, 4, 1, 1), ("GlobalAveragePool", [], {}), shape(-1, 4),
         gemm(2, 4)],
        [2, 6, 4],
        2,
    ),
    "sequences": (
        [product(5, 4), product(5, 5), ("Add", [_weights(5, 1)[:, 0]], {}), "Relu", product(4, 5),
         ("Transpose", [], {"perm": [0, 2, 1]}), "Neg", ("Transpose", [], {"perm": [0, 2, 1]}), product(4, 4),
         ("ReduceMean", [np.array([1])], {"keepdims": 0}), gemm(3, 4), ("Squeeze", [np.array([1])], {})],
        [3, 4],
        3,
    ),
    "a flat sequence": (
        [product(5, 4), product(5, 5), "Tanh", ("Unsqueeze", [np.array([1])], {}), shape(0, 0, 15),
         ("Squeeze", [np.array([1])], {}), gemm(4, 15), gemm(2, 4)],
        [3, 4],
        2,
    ),
    "sums": (
        [product(5, 4), product(5, 5), ("ReduceSum", [np.array([1])], {"keepdims": 1}), product(3, 5),
         ("ReduceMax", [np.array([2])], {"keepdims": 1}), shape(-1, 1)],
        [3, 4],
        1,
    ),
}  # fmt: skip
NETWORKS["sequences"][0].pop()  # of a matrix
POSITIVE: list[Any] = ["Abs", ("Add", [np.full(6, 0.5, np.float32)], {})]
LAYER_NORM = "LayerNormalization", [np.float32([1, -2, 0.5, 1, 3, 1]), np.float32(np.linspace(-1, 1, 6))], {}
TWICE = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
TWO = [gemm(), gemm()]
NETWORKS |= {
    "functions": (
        [*TWO, "Elu", "Celu", ("HardSigmoid", [], {"alpha": 1 / 6}), gemm(),
         ("HardSwish", [], {}), gemm(), "Mish", gemm(), gemm(2)],
        [WIDTH],
        2,
    ),
    "roots": (
        [*TWO, *POSITIVE, "Sqrt", gemm(), *POSITIVE, "Log", gemm(), *POSITIVE, "Reciprocal", gemm(), gemm(2)],
        [WIDTH],
        2,
    ),
    "powers": (
        [*TWO, "Tanh", "Exp", gemm(), "Tanh", ("Pow", [np.float32(3)], {}), gemm(), "Softsign", gemm(), *POSITIVE,
         ("Pow", [np.float32(0.5)], {}), gemm(), gemm(2)],
        [WIDTH],
        2,
    ),
    "choices": (
        [*TWO, ("Max", [np.float32([-0.5])], {}), *TWO, "save", *POSITIVE, ("Div", ("saved", "current"), {}), *TWO,
         "save", "Tanh", ("Min", ("current", "saved"), {}), *TWO, "save", ("Less", ("features", "half"), {}),
         ("Where", ("current", "saved", "features"), {}), *TWO, "save", "Tanh", ("Mul", ("current", "saved"), {}),
         ("ReduceMax", [np.array([1])], {"keepdims": 1}), gemm(3, 1), gemm(2, 3)],
        [WIDTH],
        2,
    ),
    "parts": (
        [*TWO, ("Split", [], {"axis": 1, "num_outputs": 2}), gemm(6, 3), gemm(), ("Pad", [np.array([0, 1, 0, 2])], {}),
         gemm(6, 9), gemm(), ("CumSum", [np.array(1)], {}), *TWO,
         ("Slice", [np.array([0]), np.array([3]), np.array([1])], {}), gemm(6, 3), gemm(),
         ("Gather", [np.array([1, 0, 5])], {"axis": 1}), gemm(6, 3), gemm(), ("Unsqueeze", [np.array([1])], {}),
         ("Expand", [np.array([1, 2, 6])], {}), shape(-1, 12), gemm(4, 12), gemm(2, 4)],
        [WIDTH],
        2,
    ),
    "normalized": (
        [*TWO, ("Softmax", [], {"axis": 1}), *TWO, LAYER_NORM, *TWO, "save", "Tanh", ("Add", [np.float32([3] * 6)], {}),
         ("Add", [], {}), LAYER_NORM, gemm(), "Relu", gemm(2)],
        [WIDTH],
        2,
    ),
    "transposed convolutions": (
        [conv(4, 2, 3, 3, pads=[1] * 4), "Relu", conv(4, 4, 1, 1),
         ("ConvTranspose", [_weights(4, 3, 2, 2)], {"strides": [2, 1]}), conv(3, 3, 1, 1),
         ("InstanceNormalization", [np.float32([1, 2, 3]), np.float32([-1, 0, 1])], {}), conv(3, 3, 1, 1),
         ("Resize", [np.float32([]), np.float32([1, 1, 2, 2])], TWICE), conv(3, 3, 1, 1),
         ("ConvTranspose", [_weights(3, 2, 2, 2), np.float32([1, 2])], {"strides": [1, 1]}), conv(2, 2, 3, 3),
         ("GlobalMaxPool", [], {}), ("Flatten", [], {"axis": 1}), gemm(3, 2), gemm(2, 3)],
        [2, 3, 3],
        2,
    ),
    "attention": (
        [product(6, 4), product(6, 6), "save", product(6, 6), ("Transpose", ("saved",), {"perm": [0, 2, 1]}),
         ("MatMul", ("MatMul2", "current"), {}), ("Mul", [np.float32(0.4)], {}), ("Softmax", [], {"axis": 2}),
         ("MatMul", ("current", "saved"), {}), ("Add", [], {}), LAYER_NORM, product(6, 6),
         ("Gelu", [], {}), product(6, 6),
         ("Trilu", [], {"upper": 0}), product(4, 6), ("Sub", ["features"], {}), shape(-1, 12), gemm(3, 12)],
        [3, 4],
        3,
    ),
}  # fmt: skip


def network(name: str) -> tuple[bytes, Any]:
    kinds, inputs, outputs = NETWORKS[name]
    nodes, constants = _layers(*kinds)
    return value_graph(nodes, constants | {"half": np.float32([0.5])}, inputs, outputs)


WITHOUT_A_NORM = {
    "ConvTranspose", "CumSum", "Exp", "Expand", "Gather", "InstanceNormalization", "Log", "Max", "Min", "Pad",
    "Pow", "Reciprocal", "Resize", "Slice", "Softmax", "Softsign", "Split", "Sqrt", "Trilu", "Where",
}  # fmt: skip
"""Of what has a norm. Mul, Div and MatMul have none either of two values that are computed."""

WITHOUT_AN_ERROR = {"Greater", "IsNaN"}
WRITTEN_OUT = {"GRU", "LSTM"}
"""Their errors are computed by other operators beside them, without a norm (`test_recurrence`)."""
REGROUPED = {"Add10"}  # of "normalized"


def test_every_operator_hands_on_the_norm_that_is_derived_for_it_or_none() -> None:
    """A rule that keeps its operand's norm as it is claims what nobody has derived."""
    kept: set[str] = set()
    lost: set[str] = set()
    for name in NETWORKS:
        graph, norms = _with_norms(network(name)[0])
        model = onnx.load_from_string(graph).graph
        constants = {one.name for one in model.initializer}
        for node in model.node:
            if node.name.startswith("error_bound.") or not {*node.input} & {*norms} or node.output[0] in REGROUPED:
                continue
            computed = [value for value in node.input if value not in constants]
            both = node.op_type in ("Mul", "Div", "MatMul") and len(computed) > 1
            (kept if node.output[0] in norms else lost).add(f"{node.op_type} of two" if both else node.op_type)
    products = {"Mul of two", "Div of two", "MatMul of two"}
    assert lost == WITHOUT_A_NORM | products
    assert not kept & lost
    known = {rule.onnx for rule in RULES} - WITHOUT_AN_ERROR - WRITTEN_OUT
    assert known <= kept | lost, known - kept - lost


def test_a_sum_that_a_normalization_may_regroup_has_no_norm() -> None:
    """What its terms' other order adds stands in its elements' bounds alone."""
    _, norms = _with_norms(network("normalized")[0])
    assert {"Gemm7", "Add9"} <= {*norms} and not REGROUPED & {*norms}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_evaluation_leaves_the_norm_of_any_value(name: str) -> None:
    graph, norms = _with_norms(network(name)[0])
    assert len(norms) >= 3
    shaped = (4, *NETWORKS[name][1])
    for size in (1.0, 1e-20):
        inputs = {"features": (np.random.default_rng(9).standard_normal(shaped) * size).astype(np.float32)}
        exact = evaluate(graph, inputs, Exact())
        for backend in EVALUATORS.values():
            found = evaluate(graph, inputs, backend)
            for value, (norm, scale, axes) in norms.items():
                if value not in found:
                    continue  # folded into the map behind it
                error = np.sqrt(((found[value] - exact[value]) ** 2).sum(axis=axes, keepdims=True))
                assert (error <= found[norm].astype(float) * scale).all(), (value, size)


def _with_norms(graph: bytes) -> tuple[bytes, dict[str, tuple[str, float, tuple[int, ...]]]]:
    """Return a graph that answers the norm of every value that has one; the norm, its scale and axes by the value."""
    model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), data_prop=True))
    builder = BoundBuilder(model.graph)
    builder.begin(model.graph.inputs[0], Bound(constant=FLUSHED))
    found = {}
    for node in list(model.graph):
        _apply(builder, node, model.opset_imports)
        value = node.outputs[0]
        norm = whole(builder, value) if builder.knows(value) and norm_of(builder, value) else None
        if norm is not None:
            model.graph.outputs.append(norm.tensor)
            found[str(value.name)] = (str(norm.tensor.name), norm.scale * UNIT, norm.axes)
    return ir.to_proto(model).SerializeToString(), found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every linear map take a norm, where there is one."""
    monkeypatch.setattr(linear_norm, "NEEDED_LAYERS", 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_error_bound_with_a_norm_holds_on_every_evaluator(name: str, at_once: None) -> None:
    graph, contract = network(name)
    certified = certified_graph(graph, contract)
    assert b"error_bound.Sqrt" in certified
    inputs = {"features": RANDOM.standard_normal((8, *NETWORKS[name][1])).astype(np.float32)}
    exact = evaluate(graph, inputs, Exact())["value"]
    bounds = [create_session(certified, optimization=level).run(["error_bound"], inputs)[0] for level in OPTIMIZATIONS]
    bounds += [evaluate(certified, inputs, backend)["error_bound"] for backend in EVALUATORS.values()]
    smallest = np.min(bounds, axis=0)
    for backend in EVALUATORS.values():
        error = np.abs(evaluate(graph, inputs, backend)["value"] - exact)
        assert (error <= smallest).all()
    assert np.isfinite(smallest).all()


def _lossy() -> tuple[bytes, Any, np.ndarray]:
    """Return sums in which every half of a last place is lost, of one sign, and the mean of what is lost, three times.

    1 is taken away from what the first layer computes, so that the later ones hardly add to the error.
    """
    mean, one = np.full((K, K), 1 / K, np.float32), np.ones(K, np.float32)
    kinds = [("Gemm", [mean, bias], {}) for bias in (one, -one)] + [("Gemm", [mean], {})] * 3
    graph, contract = value_graph(*_layers(*kinds), [K], K)
    return graph, contract, np.full((1, K), U * 0.99 * K, np.float32)


def test_errors_of_one_sign_come_near_to_the_norm(at_once: None) -> None:
    graph, contract, rows = _lossy()
    certified, inputs = certified_graph(graph, contract), {"features": rows}
    exact, found = (evaluate(graph, inputs, one)["value"] for one in (Exact(), EVALUATORS["adversarial -1"]))
    error, by_hand = np.abs(found - exact), evaluate(certified, inputs, Compliant())["error_bound"]
    for bound in (create_session(certified).run(["error_bound"], inputs)[0], by_hand):
        assert 0.1 < (error / bound).max() < 1


def test_norms_that_are_too_small_are_found(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above must be able to fail."""
    monkeypatch.setattr(linear_norm, "spectral_norm", lambda matrix: 0.01)
    plain, _, rows = _lossy()
    graph, norms = _with_norms(plain)
    inputs = {"features": rows}
    exact, found = evaluate(graph, inputs, Exact()), evaluate(graph, inputs, EVALUATORS["adversarial -1"])
    norm, scale, _ = list(norms.values())[-1]
    assert np.linalg.norm(found["value"] - exact["value"]) > found[norm].item() * scale


@pytest.mark.parametrize("filling", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("name", ["Relu", "residual", "images"])
def test_nothing_is_claimed_by_a_norm_of_what_is_not_finite(name: str, filling: float, at_once: None) -> None:
    certified = certified_graph(*network(name))
    rows = np.full((2, *NETWORKS[name][1]), filling, np.float32)
    rows[1] = 1
    for level in ("disabled", "all"):
        bound = create_session(certified, optimization=level).run(["error_bound"], {"features": rows})[0]
        assert np.isposinf(bound[0]).all() and np.isfinite(bound[1]).all()
    assert np.isposinf(evaluate(certified, {"features": rows}, Compliant())["error_bound"][0]).all()


def _deep(layers: int, width: int = 24) -> tuple[bytes, Any]:
    kinds = [kind for _ in range(layers) for kind in (gemm(width, width), ("LeakyRelu", [], {"alpha": 0.5}))]
    return value_graph(*_layers(*kinds, gemm(2, width)), [width], 2)


def test_a_deep_networks_error_bound_is_that_of_the_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, contract = _deep(8)
    rows = {"features": np.random.default_rng(3).standard_normal((64, 24)).astype(np.float32)}
    found = create_session(certified_graph(graph, contract)).run(["error_bound"], rows)[0]
    monkeypatch.setattr(linear_norm, "NEEDED_LAYERS", 99)
    before = create_session(certified_graph(graph, contract)).run(["error_bound"], rows)[0]
    assert np.median(before / found) > 5
    assert (found <= before * 1.01).mean() > 0.99  # whichever is smaller is chosen for each row, not for each result


def test_a_shallow_networks_graph_holds_nothing_of_a_norm() -> None:
    certified = onnx.load_from_string(certified_graph(*_deep(2)))
    assert not {"ReduceSumSquare", "Sqrt", "Min"} & {node.op_type for node in certified.graph.node}


def test_the_graph_of_a_deep_network_is_hardly_larger_than_twice() -> None:
    graph, contract = _deep(8, 64)
    assert len(certified_graph(graph, contract)) < 2.5 * len(graph)
