"""Constants that are computed from constants, and masks before a Softmax."""

from typing import Any

import numpy as np
import pytest

from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.operator_rule import Node
from parity_runtime.inference.session import create_session
from tests.proof.arithmetic import COMPLIANT, Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import certified_graph, value_graph

RANDOM = np.random.default_rng(4)
SQUARE = RANDOM.standard_normal((4, 4)).astype(np.float32)
SOME = np.float32([0.3, 0.7, 1.9, 5.1])
HIDDEN = np.triu(np.ones((4, 4), bool), 1)
LOWEST = np.finfo(np.float32).min


def worst_share(nodes: list[Node], constants: dict[str, Any], rows: np.ndarray) -> float:
    """Return the largest share of an error bound that any evaluator's error takes; every one must be finite."""
    graph, contract = value_graph(nodes, constants, rows.shape[1:], 4)
    certified, inputs = certified_graph(graph, contract), {"features": rows}
    exact, worst = evaluate(graph, inputs, Exact())["value"], 0.0
    bounds = [create_session(certified).run(["error_bound"], inputs)[0]]
    bounds += [evaluate(certified, inputs, backend)["error_bound"] for backend in COMPLIANT.values()]
    for backend in COMPLIANT.values():
        error = np.abs(evaluate(graph, inputs, backend)["value"] - exact)
        for bound in bounds:
            assert np.isfinite(bound).all()
            worst = max(worst, float((error / bound).max()))
    return worst


ROWS = RANDOM.standard_normal((200, 4)).astype(np.float32)
COMPUTED: dict[str, list[Node]] = {
    "a factor behind a linear map": [
        ("MatMul", ["features", "w"], {}),
        ("Exp", ["c"], {}),
        ("Reciprocal", ["Exp1"], {}),
        ("Reshape", ["Reciprocal2", "row"], {}),
        ("Mul", ["MatMul0", "Reshape3"], {}),
    ],
    "a summand behind a linear map, and a factor": [
        ("MatMul", ["features", "w"], {}),
        ("Sqrt", ["c"], {}),
        ("Add", ["MatMul0", "Sqrt1"], {}),
        ("Mul", ["Add2", "c"], {}),
    ],
    "a divisor": [("Mul", ["c", "c"], {}), ("Sqrt", ["Mul0"], {}), ("Div", ["features", "Sqrt1"], {})],
    "a summand": [("Sub", ["c", "d"], {}), ("Add", ["Sub0", "features"], {})],
    "weights that are masked, exactly": [("Mul", ["w", "triangle"], {}), ("MatMul", ["features", "Mul0"], {})],
    "a size": [
        ("Shape", ["features"], {"start": 1}),
        ("Cast", ["Shape0"], {"to": 1}),
        ("Sqrt", ["Cast1"], {}),
        ("Div", ["features", "Sqrt2"], {}),
    ],
}
CONSTANTS = {
    "w": SQUARE,
    "c": SOME,
    "d": np.float32([0.1]),
    "triangle": HIDDEN.astype(np.float32),
    "row": np.array([1, 4]),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_a_constant_that_is_computed_counts_with_its_roundings(name: str) -> None:
    assert 0.05 < worst_share(COMPUTED[name], CONSTANTS, ROWS) <= 1


@pytest.mark.parametrize(
    "nodes",
    [
        [("Mul", ["w", "d"], {}), ("MatMul", ["features", "Mul0"], {})],
        [("Exp", ["w"], {}), ("Gemm", ["features", "Exp0"], {})],
        [("Exp", ["c"], {}), ("PRelu", ["features", "Exp0"], {})],
    ],
)
def test_weights_that_are_computed_with_roundings_are_refused(nodes: list[Node]) -> None:
    graph, contract = value_graph(nodes, CONSTANTS, [4], 4)
    with pytest.raises(CannotCertifyError, match="takes a constant that backends compute with roundings"):
        certified_graph(graph, contract)


def scores(*masking: Node) -> list[Node]:
    """Return products of ``features [4, 4]`` with themselves, masked, and the Softmax of them times the features."""
    first: list[Node] = [("Transpose", ["features"], {"perm": [0, 2, 1]}), ("MatMul", ["features", "Transpose0"], {})]
    last = f"{masking[-1][0]}{len(masking) + 1}"
    count = len(masking) + 2
    return [
        *first,
        *masking,
        ("Softmax", [last], {}),
        ("MatMul", [f"Softmax{count}", "features"], {}),
        ("ReduceSum", [f"MatMul{count + 1}", "one"], {"keepdims": 0}),
    ]


MASKS: dict[str, list[Node]] = {
    "minus infinity is added": scores(("Add", ["MatMul1", "infinite"], {})),
    "the lowest number is added, then a bias": scores(
        ("Add", ["MatMul1", "lowest"], {}), ("Add", ["Add2", "bias"], {})
    ),
    "minus infinity is put in": scores(("Where", ["hidden", "below", "MatMul1"], {})),
    "what is left of 1, times the lowest": scores(
        ("Cast", ["hidden"], {"to": 1}),
        ("Sub", ["unit", "Cast2"], {}),
        ("Sub", ["unit", "Sub3"], {}),
        ("Mul", ["Sub4", "large"], {}),
        ("Add", ["MatMul1", "Mul5"], {}),
    ),
}
GIVEN = {
    "infinite": np.where(HIDDEN, np.float32(-np.inf), np.float32(0)),
    "lowest": np.where(HIDDEN, LOWEST, np.float32(0)),
    "bias": SQUARE,
    "hidden": HIDDEN,
    "below": np.float32(-np.inf),
    "unit": np.float32(1),
    "large": LOWEST,
    "one": np.array([1]),
}
SEQUENCES = RANDOM.standard_normal((40, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("name", MASKS)
def test_a_masked_attention_has_the_error_bound_of_what_is_left(name: str) -> None:
    assert 0.01 < worst_share(MASKS[name], GIVEN, SEQUENCES) <= 1


def bounds_of(nodes: list[Node], rows: np.ndarray, constants: dict[str, Any]) -> np.ndarray:
    graph, contract = value_graph(nodes, GIVEN | constants, rows.shape[1:], 4)
    return create_session(certified_graph(graph, contract)).run(["error_bound"], {"features": rows})[0]


def test_a_row_of_which_all_is_masked_has_no_error_bound() -> None:
    everything = {"infinite": np.full((4, 4), -np.inf, np.float32)}
    assert np.isposinf(bounds_of(MASKS["minus infinity is added"], SEQUENCES, everything)).all()


def test_what_is_masked_by_too_little_still_counts() -> None:
    """A score of 1e4 and more stands beside the others below a mask of -1e4, and was rounded to 1e-3."""
    nodes: list[Node] = [("Add", ["features", "little"], {}), ("Softmax", ["Add0"], {})]
    rows = ROWS + np.float32([1e4, 0, 0, 0])
    assert 0.1 < worst_share(nodes, {"little": np.float32([-1e4, 0, 0, 0])}, rows) <= 1


def test_an_input_that_is_not_finite_is_not_masked_away() -> None:
    rows = SEQUENCES.copy()
    rows[:, 3] = np.nan
    assert np.isposinf(bounds_of(MASKS["minus infinity is put in"], rows, {})).all()


def test_a_mask_that_a_float_makes_is_none() -> None:
    """Of a product of an input with -1e9 nothing is known beforehand: its error is what the rules say."""
    nodes: list[Node] = [("Mul", ["features", "c"], {}), ("Add", ["features", "Mul0"], {}), ("Softmax", ["Add1"], {})]
    graph, contract = value_graph(nodes, {"c": np.float32(-1e9)}, [4], 4)
    rows = np.float32([[1, 0, 1, 0]])
    assert (create_session(certified_graph(graph, contract)).run(["error_bound"], {"features": rows})[0] > 1).all()
