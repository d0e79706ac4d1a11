"""Every rule: it holds, it is needed, and where nothing can be claimed nothing is."""

from typing import Any

import numpy as np
import pytest

from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.operator_rule import Node, WorstCase
from parity_export.error_bounds.registry import RULES
from parity_runtime.inference.session import create_session
from tests.proof.arithmetic import COMPLIANT, Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import certified_graph, value_graph, worst_case_graph

CASES = [case for rule in RULES for case in rule.worst_cases()]
NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_worst_case_comes_near_to_the_error_bound_and_stays_below(case: WorstCase) -> None:
    graph, contract = worst_case_graph(case)
    certified = certified_graph(graph, contract)
    inputs = {"features": case.rows}
    exact = evaluate(graph, inputs, Exact())["value"]
    worst = 0.0
    bounds = [create_session(certified).run(["error_bound"], inputs)[0]]
    bounds += [evaluate(certified, inputs, backend)["error_bound"] for backend in COMPLIANT.values()]
    for name, backend in COMPLIANT.items():
        error = np.abs(evaluate(graph, inputs, backend)["value"] - exact)
        for bound in bounds:
            assert (error <= bound).all(), f"{name}: {(error / bound).max()}"
            worst = max(worst, float((error / bound).max()))
    assert worst >= case.least


def fills_missing_values(case: WorstCase) -> bool:
    return any(op_type == "IsNaN" for op_type, _, _ in case.nodes)


@pytest.mark.parametrize(
    ("case", "filling"),
    [
        pytest.param(case, filling, id=f"{filling}-{case.name}")
        for case in CASES
        for filling in (np.nan, np.inf, -np.inf)
        if not (np.isnan(filling) and fills_missing_values(case))
    ],
)
def test_nothing_is_claimed_for_inputs_that_are_not_finite(case: WorstCase, filling: float) -> None:
    graph, contract = worst_case_graph(case)
    certified = certified_graph(graph, contract)
    rows = np.full_like(case.rows[:2], filling)
    for level in ("disabled", "all"):
        bound, value = create_session(certified, optimization=level).run(["error_bound", "value"], {"features": rows})
        assert np.isposinf(bound).all(), value
    assert np.isposinf(evaluate(certified, {"features": rows}, COMPLIANT["forward"])["error_bound"]).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.overflows], ids=lambda case: case.name)
def test_nothing_is_claimed_where_a_sum_may_overflow(case: WorstCase) -> None:
    graph, contract = worst_case_graph(case)
    same = np.full_like(case.rows[:1], 3e38)
    opposite = same.copy()
    opposite.reshape(-1)[::2] = -3e38
    session = create_session(certified_graph(graph, contract))
    assert any(np.isposinf(session.run(["error_bound"], {"features": rows})[0]).any() for rows in (same, opposite))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_it_holds_on_random_and_subnormal_rows(case: WorstCase) -> None:
    graph, contract = worst_case_graph(case)
    certified = certified_graph(graph, contract)
    random = np.random.default_rng(3)
    shape = (60, *case.rows.shape[1:])
    for scale in (1.0, 1e-30, 2.0**-126, 2.0**-130, 1e6):
        inputs = {"features": (random.standard_normal(shape) * scale).astype(np.float32)}
        exact = evaluate(graph, inputs, Exact())["value"]
        for name, backend in COMPLIANT.items():
            found = evaluate(certified, inputs, backend)
            with np.errstate(invalid="ignore"):  # the root of a negative number, of which nothing is claimed
                kept = np.abs(found["value"] - exact) <= found["error_bound"]
            assert (kept | np.isposinf(found["error_bound"])).all(), (name, scale)


def test_a_softsign_claims_nothing_where_a_reciprocal_is_flushed_and_holds_below() -> None:
    """In onnxruntime it is x times the reciprocal of 1 + |x|: zero for 2^127 where subnormal numbers are flushed."""
    graph, contract = value_graph([("Softsign", ["features"], {})], {}, [1], 1)
    rows = np.ldexp(np.linspace(1, 2, 2000, dtype=np.float32)[:-1, None], [[-3, 0, 1, 20, 124]]).reshape(-1, 1)
    inputs = {"features": np.float32(np.concatenate([rows, [[2.0**127]], [[-(2.0**127)]]]))}
    session = create_session(certified_graph(graph, contract))
    bound, value = session.run(["error_bound", "value"], inputs)
    error = np.abs(value - evaluate(graph, inputs, Exact())["value"])
    assert np.isposinf(bound[-2:]).all() and (error <= bound).all()
    assert (error / bound).max() > 0.6


def value_of(nodes: list[Node], constants: dict[str, Any]) -> Any:
    graph, contract = value_graph(nodes, constants, [3], 3)
    return certified_graph(graph, contract)


ONE, AXIS = np.float32([1.0]), np.array([1])


@pytest.mark.parametrize(
    ("operator", "nodes", "constants"),
    [
        ("ArgMax", [("ArgMax", ["features"], {"axis": 1}), ("Cast", ["ArgMax0"], {"to": 1})], {}),
        ("TopK", [("TopK", ["features", "k"], {})], {"k": AXIS}),
        ("Round", [("Round", ["features"], {})], {}),
        ("Floor", [("Floor", ["features"], {})], {}),
        (
            "Cast",
            [("Cast", ["features"], {"to": 7}), ("Gather", ["features", "Cast0"], {})],
            {},
        ),
        ("Where", [("Greater", ["features", "c"], {}), ("Where", ["Greater0", "features", "c"], {})], {"c": 0 * ONE}),
        (
            "Less",
            [("Tanh", ["features"], {}), ("Less", ["Tanh0", "c"], {}), ("Where", ["Less1", "features", "c"], {})],
            {"c": ONE},
        ),
        (
            "Where",
            [("Mul", ["features", "c"], {}), ("IsNaN", ["Mul0"], {}), ("Where", ["IsNaN1", "c", "Mul0"], {})],
            {"c": np.float32([2.0])},
        ),
        ("Cast", [("Greater", ["features", "c"], {}), ("Cast", ["Greater0"], {"to": 1})], {"c": 0 * ONE}),
        ("Gemm", [("Gemm", ["features", "w"], {"alpha": 2.0})], {"w": np.eye(3, dtype=np.float32)}),
        ("Gemm", [("Gemm", ["features", "w", "b"], {"beta": 0.5})], {"w": np.eye(3, dtype=np.float32), "b": ONE}),
        ("Sin", [("Sin", ["features"], {})], {}),
        ("Div", [("Div", ["features", "c"], {})], {"c": 0 * ONE}),
        ("Pow", [("Pow", ["features", "c"], {})], {"c": np.float32([1.5])}),
        ("Pow", [("Pow", ["c", "features"], {})], {"c": ONE}),
        ("Elu", [("Elu", ["features"], {"alpha": 2.0})], {}),
        ("HardSigmoid", [("HardSigmoid", ["features"], {})], {}),
        ("Mul", [("Mul", ["features", "c"], {})], {"c": np.float32([1e-40])}),
    ],
)
def test_what_has_no_rule_is_refused_by_name(operator: str, nodes: list[Node], constants: dict[str, Any]) -> None:
    with pytest.raises(CannotCertifyError, match=f"^cannot certify: operator {operator} at node ") as refused:
        value_of(nodes, constants)
    assert str(refused.value).count("cannot certify") == 1


def test_a_constant_that_is_not_finite_is_refused() -> None:
    with pytest.raises(CannotCertifyError, match="constant c is not finite"):
        value_of([("Add", ["features", "c"], {})], {"c": np.float32([np.inf])})


def test_a_missing_cell_is_imputed_and_certified() -> None:
    nodes = [("IsNaN", ["features"], {}), ("Where", ["IsNaN0", "c", "features"], {}), ("Mul", ["Where1", "d"], {})]
    graph = value_of(nodes, {"c": np.float32([1, 2, 3]), "d": np.float32([0.3])})
    rows = np.float32([[np.nan, 1, np.nan], [0, np.inf, 1]])
    bound = create_session(graph).run(["error_bound"], {"features": rows})[0]
    assert np.isfinite(bound[0]).all()
    assert np.isposinf(bound[1, 1])
