"""The backward pass through what is linear only near to where it is, and through what takes parts of a row."""

from typing import Any

import numpy as np
import onnx
import pytest

from parity_export.error_bounds.rounding_model import UNIT
from tests.proof.arithmetic import Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import certified_graph, value_graph
from tests.proof.test_adjoints import EVALUATORS, _node, asked, bare, made, worst_error
from tests.proof.test_norms import LAYER_NORM, TWO, WIDTH, _layers, conv, gemm, product, shape

MEAN = ("ReduceMean", [np.array([-1])], {"keepdims": 1})
SOFTMAX = ("Softmax", [], {"axis": -1})
CAUSAL = np.triu(np.full((3, 3), -np.inf, np.float32), 1)
LAST = ("Slice", ("saved", np.array([1]), np.array([3]), np.array([1])), {})
HEADS = [shape(0, 3, 2, 3), ("Transpose", [], {"perm": [2, 0, 1, 3]}), "save"]


def part(first: int) -> list[Any]:
    taken = ("Slice", ("saved", np.array([first]), np.array([first + 1]), np.array([0])), {})
    return [taken, ("Squeeze", [np.array([0])], {})]


def sequence(*kinds: Any, width: int = 6) -> tuple[list[Any], list[int], int]:
    return [product(6, 4), product(6, 6), *kinds, shape(-1, 3 * width), gemm(2, 3 * width)], [3, 4], 2


def row(*kinds: Any, width: int = WIDTH) -> tuple[list[Any], list[int], int]:
    return [*TWO, *kinds, gemm(2, width)], [WIDTH], 2


ATTENTION: list[Any] = [
    "save", ("Transpose", [], {"perm": [0, 2, 1]}), ("MatMul", ("saved", "current"), {}), ("Mul", [np.float32(0.4)], {})
]  # fmt: skip
NETWORKS: dict[str, tuple[list[Any], list[int], int]] = {
    "LayerNormalization": row(LAYER_NORM),
    "InstanceNormalization": (
        [conv(4, 2, 1, 1), conv(3, 4, 1, 1), ("InstanceNormalization", [np.float32([1, 2, -3]), np.float32([-1, 0, 1])],
         {}), ("Flatten", [], {"axis": 1}), gemm(2, 27)],
        [2, 3, 3],
        2,
    ),
    "a root mean square": row(
        "save", ("Pow", [np.float32(2)], {}), MEAN, ("Add", [np.float32(1e-5)], {}), "Sqrt",
        ("Div", ("saved", "current"), {}),
    ),
    "the same by a reciprocal": row(
        "save", ("Mul", ("saved", "current"), {}), MEAN, ("Add", [np.float32(1e-5)], {}), "Sqrt", "Reciprocal",
        ("Mul", ("saved", "current"), {}),
    ),
    "Softmax": row(SOFTMAX),
    "a product": row("save", "Tanh", ("Mul", ("current", "saved"), {})),
    "Exp": row("Tanh", "Exp"),
    "Log": row("Sigmoid", ("Add", [np.full(6, 0.5, np.float32)], {}), "Log"),
    "a cube": row(("Pow", [np.float32(3)], {})),
    "a root": row("Sigmoid", ("Add", [np.full(6, 0.5, np.float32)], {}), ("Pow", [np.float32(0.5)], {})),
    "Elu": row("Elu"), "Celu": row("Celu"), "Softplus": row("Softplus"), "Erf": row("Erf"),
    "Softsign": row("Softsign"), "Abs": row("Abs"),
    "Softplus as torch has it": row(
        ("Mul", [np.float32(30)], {}), "save", ("Greater", [np.float32(20)], {}),
        ("Softplus", ("saved",), {}), ("Where", ("Greater3", "saved", "Softplus4"), {}),
    ),
    "Clip": row(("Clip", [np.float32(-0.4), np.float32(0.5)], {})),
    "Clip from below": row(("Clip", [np.float32(0.1)], {})),
    "the larger of two": row("save", "Tanh", ("Neg", [], {}), ("Max", ("current", "saved"), {})),
    "the smaller of two": row("save", "Tanh", ("Neg", [], {}), ("Min", ("saved", "current"), {})),
    "the larger of a number and constants": row(("Max", [np.full(6, -0.2, np.float32)], {})),
    "repeated": row(
        shape(0, 1, 6), ("Expand", [np.array([1, 2, 6])], {}),
        ("Mul", [np.linspace(1, 2, 12, dtype=np.float32).reshape(1, 2, 6)], {}), shape(0, 12), width=12,
    ),
    "parts": row(
        "save", LAST, ("Concat", [], {"axis": 1}), ("Pad", [np.array([0, 1, 0, 3])], {}),
        ("Split", [], {"axis": 1, "num_outputs": 2}), ("Gather", [np.array([2, 3, 4])], {"axis": 1}), width=3,
    ),
    "chosen": row("save", ("Less", ("features", "half"), {}), ("Where", ("current", "saved", "half"), {})),
    "two matrices": sequence(*ATTENTION, ("MatMul", ("current", "saved"), {})),
    "attention": sequence(*ATTENTION, SOFTMAX, ("MatMul", ("current", "saved"), {})),
    "causal attention": sequence(
        *ATTENTION, ("Add", [CAUSAL], {}), SOFTMAX, ("MatMul", ("current", "saved"), {}), LAYER_NORM
    ),
    "attention with numbers put away": sequence(
        *ATTENTION, ("Where", (np.isinf(CAUSAL), np.float32(-1e9), "current"), {}), SOFTMAX,
        ("MatMul", ("current", "saved"), {}),
    ),
    "heads before the batch": (
        [product(6, 4), product(6, 6), *HEADS, *part(0), "Tanh", shape(0, 9), gemm(2, 9)], [3, 4], 2,
    ),
}  # fmt: skip


def network(name: str) -> tuple[bytes, dict[str, np.ndarray]]:
    kinds, inputs, outputs = NETWORKS[name]
    nodes, constants = _layers(*kinds)
    graph, _ = value_graph(nodes, constants | {"half": np.full((1, 1), 0.5, np.float32)}, inputs, outputs)
    rows = np.random.default_rng(31).standard_normal((4, *inputs)).astype(np.float32)
    return graph, {"features": rows}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_pass_goes_to_the_first_linear_map(name: str) -> None:
    graph, _ = network(name)
    first = onnx.load_from_string(graph).graph.node[0]
    assert made(graph).ended == {first.output[0]}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_operator_adds_more_of_its_own_than_it_says(name: str) -> None:
    graph, inputs = network(name)
    pass_made, model = made(graph, alone=True), onnx.load_from_string(graph).graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.initializer}
    for backend in EVALUATORS.values():
        if backend.fold:
            continue
        found = evaluate(pass_made.graph, inputs, backend) | constants
        for node in model.node:
            value = node.output[0]
            if value in pass_made.own and value not in pass_made.ended:
                own, scale, _ = pass_made.own[value]
                exact = _node(node, found)
                exact = exact[0] if node.op_type == "Split" else exact
                with np.errstate(invalid="ignore"):
                    error = np.abs(found[value] - exact)
                assert not (error > found[own].astype(float).reshape(error.shape) * scale).any(), value


@pytest.mark.parametrize("name", NETWORKS)
def test_own_errors_with_the_worst_signs_come_near_to_the_bound_and_do_not_pass_it(name: str) -> None:
    graph, inputs = network(name)
    whole, alone = made(graph), bare(graph)
    bounds, known = asked(whole, inputs), asked(alone, inputs)
    for seed, other in ((0, None), (1, None), (0, 1)):
        bound = bounds[whole.bound[other is not None]][:, seed].astype(float) * UNIT
        share = worst_error(graph, inputs, (alone, known), (seed, other)) / bound
        assert (share <= 1).all() and np.median(share) > 0.5, share


@pytest.mark.parametrize("name", NETWORKS)
def test_an_error_of_the_input_stays_within_the_bound_to_second_order(name: str) -> None:
    """The exact input is as far off as it may be, and another evaluation's twice as far, to the same side."""
    graph, inputs = network(name)
    for error in (1e-5, 3e-3):
        pass_made = made(graph, error=error)
        known, random = asked(pass_made, inputs), np.random.default_rng(8)
        bounds, largest = [known[one].astype(float) * UNIT for one in pass_made.bound], 0.0
        for _ in range(5):
            signs = error * random.choice([-1, 1], inputs["features"].shape)
            exact, other = (
                evaluate(graph, {"features": inputs["features"].astype(float) + times * signs}, Exact())["value"]
                for times in (1, 2)
            )
            moved = other - exact
            for found, bound in zip((moved, moved - moved[:, -1:]), bounds, strict=True):
                assert not (np.abs(found) > bound).any()
                largest = max(largest, float(np.nanmax(np.abs(found) / bound, initial=0)))
        assert error > 1e-5 or largest > 0.1, largest


@pytest.mark.parametrize("name", ["causal attention", "InstanceNormalization", "the same by a reciprocal", "parts"])
def test_no_evaluator_leaves_a_tight_error_bound(name: str) -> None:
    kinds, inputs, outputs = NETWORKS[name]
    nodes, constants = _layers(*kinds)
    graph, contract = value_graph(nodes, constants, inputs, outputs)
    _, rows = network(name)
    tight = certified_graph(graph, contract, "tight")
    exact = evaluate(graph, rows, Exact())["value"]
    found = [evaluate(tight, rows, backend) for backend in EVALUATORS.values()]
    smallest = np.min([answer["error_bound"] for answer in found], axis=0)
    assert np.isfinite(smallest).all()
    assert all((np.abs(answer["value"] - exact) <= smallest).all() for answer in found)
