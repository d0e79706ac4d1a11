"""The estimate of rounding errors: what it takes of each operator, and what it says of networks."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_export.cli.estimate import _with_inputs
from parity_export.cli.table_rows import refuse_other_inputs
from parity_export.error_bounds.registry import OPERATORS
from parity_export.error_estimate.estimate import LAMBDA, ErrorEstimate
from parity_export.error_estimate.roundings import EXACT, FUNCTIONS, known_operators
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import InputError
from parity_runtime.inference.session import create_session
from tests.proof.graphs import value_graph
from tests.proof.orders import shares
from tests.proof.test_norms import LAYER_NORM, WIDTH, _layers, gemm

DATA = Path(__file__).parent.parent / "data"
U = 2.0**-24


def test_of_a_long_sum_it_is_lambda_times_the_root_of_its_length() -> None:
    weight = np.ones((1, 1000), np.float32)
    graph, contract = value_graph([("Gemm", ["features", "w"], {"transB": 1})], {"w": weight}, [1000], 1)
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": np.ones((1, 1000), np.float32)})
    assert found.answers.item() == 1000
    assert found.error_estimate.item() == pytest.approx(LAMBDA * U * math.sqrt(1000) * 1000)
    assert found.beyond is None


def test_of_a_short_sum_it_is_the_worst() -> None:
    graph, contract = value_graph([("Gemm", ["features", "w"], {})], {"w": np.ones((2, 1), np.float32)}, [2], 1)
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": np.float32([[3, -1]])})
    assert found.error_estimate.item() == pytest.approx(2 * 4 * U)


NETWORKS: dict[str, list[Any]] = {
    "tanh": [gemm(), "Tanh", gemm(), "Tanh", gemm(2)],
    "residual": [gemm(), "save", ("Relu", [], {}), gemm(), "Add", ("Gelu", [], {}), gemm(2)],
    "normalized": [gemm(), LAYER_NORM, ("Softmax", [], {"axis": 1}), gemm(2)],
    "gates": [gemm(), "save", "Sigmoid", ("Mul", ("current", "saved"), {}), gemm(2)],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_float32_keeps_to_it_by_far(name: str) -> None:
    nodes, constants = _layers(*NETWORKS[name])
    graph, contract = value_graph(nodes, constants, [WIDTH], 2)
    rows = np.random.default_rng(0).standard_normal((300, WIDTH)).astype(np.float32)
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": rows})
    error = np.abs(create_session(graph).run([contract.bounded], {"features": rows})[0] - found.answers)
    share = error / found.error_estimate
    assert 0.01 < share.max() < 0.5


def test_orders_of_sums_that_are_chosen_to_hurt_take_more_of_it_and_here_not_all() -> None:
    random, nodes = np.random.default_rng(0), list[Any]()
    constants = {f"w{index}": (random.standard_normal((16, 16)) / 4).astype(np.float32) for index in range(4)}
    for index in range(4):
        nodes.append(("Gemm", [f"Relu{2 * index - 1}" if index else "features", f"w{index}"], {}))
        nodes.append(("Relu", [f"Gemm{2 * index}"], {}))
    graph, contract = value_graph(nodes[:-1], constants, [16], 16)
    taken = shares(graph, contract, random.standard_normal((20, 16)).astype(np.float32))
    hurt = [share for evaluator, share in taken.items() if evaluator.startswith("hurting")]
    others = [share for evaluator, share in taken.items() if not evaluator.startswith("hurting")]
    assert 1.2 * max(others) < max(hurt) < 1, taken


def test_equal_numbers_that_are_added_one_after_the_other_exceed_it() -> None:
    """Their roundings are the same over long stretches, and not independent: it is no bound."""
    count, numbers = 4096, np.random.default_rng(0).uniform(1, 2, 100).astype(np.float32)
    sums = np.cumsum(np.broadcast_to(numbers, (count, 100)), axis=0, dtype=np.float32)[-1]
    graph, contract = value_graph([("ReduceSum", ["features", "axis"], {})], {"axis": np.array([1])}, [count], 1)
    rows = np.ascontiguousarray(np.broadcast_to(numbers[:, None], (100, count)))
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": rows})
    assert (np.abs(sums - found.answers[:, 0]) / found.error_estimate[:, 0]).max() > 1.5


def test_rows_are_estimated_alike_alone_and_together() -> None:
    estimate = ErrorEstimate.open(DATA / "xor")
    rows = np.random.default_rng(0).uniform(-0.5, 1.5, (40, 2))
    together = estimate.of_rows(rows)
    alone = [ErrorEstimate.open(DATA / "xor").of_rows(row[None]) for row in rows[:5]]
    for row, one in enumerate(alone):
        np.testing.assert_allclose(one.error_estimate[0], together.error_estimate[row], rtol=1e-9)
    assert together.beyond is not None and together.beyond.all()


def test_a_value_that_all_rows_share_counts_for_each_alone() -> None:
    nodes = [("Exp", ["c"], {}), ("Mul", ["features", "Exp0"], {}), ("Gemm", ["Mul1", "w"], {})]
    graph, contract = value_graph(nodes, {"c": np.ones((1, 4), np.float32), "w": np.ones((4, 1), np.float32)}, [4], 1)
    rows = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    known = OnnxGraph(graph)
    together = ErrorEstimate(contract, known).of_inputs({"features": rows}).error_estimate
    alone = [ErrorEstimate(contract, known).of_inputs({"features": row[None]}).error_estimate[0] for row in rows]
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_a_tie_is_not_beyond_its_estimate() -> None:
    source = OnnxGraph((DATA / "xor" / "model.onnx").read_bytes())
    contract = ErrorEstimate.open(DATA / "xor").contract
    estimate = ErrorEstimate(contract, source)
    low, high = np.float32([[0.1, 0.1]]), np.float32([[0.1, 0.9]])
    for _ in range(60):  # to neighbours on both sides of the decision
        middle = (low + high) / 2
        low, high = (middle, high) if estimate.of_rows(middle).answers.item() < 0 else (low, middle)
    found = estimate.of_rows(np.concatenate([low, high]))
    assert found.beyond is not None and not found.beyond.any()


def test_many_classes_are_estimated_where_they_are_largest() -> None:
    weight = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    nodes = [("Gemm", ["features", "w"], {"transB": 1})]
    graph, contract = value_graph(nodes, {"w": weight}, [4], 40)
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": np.ones((3, 4), np.float32)})
    known = np.isfinite(found.error_estimate)
    assert (known.sum(axis=1) == 16).all()
    assert found.answers[known].min() > found.answers[~known].max()


def test_it_knows_every_operator_that_the_proof_knows_but_for_some() -> None:
    left_out = {"GRU", "LSTM", "IsNaN", "Greater"}
    assert {*OPERATORS} - known_operators() == left_out
    assert not EXACT & FUNCTIONS


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([("Sin", ["features"], {})], "operator Sin at node value .nothing is known about what it rounds"),
        (
            [("Gemm", ["features", "w"], {}), ("Greater", ["Gemm0", "zero"], {}), ("Where", ["Greater1", *"ww"], {})],
            "operator Greater at node Greater1 .it decides by a computed number",
        ),
    ],
)
def test_what_is_not_known_is_refused_by_name(nodes: list[Any], said: str) -> None:
    constants = {"w": np.ones((1, 1), np.float32), "zero": np.zeros(1, np.float32)}
    graph, contract = value_graph(nodes, constants, [1], 1)
    with pytest.raises(InputError, match=said):
        ErrorEstimate(contract, OnnxGraph(graph)).of_inputs({"features": np.ones((2, 1), np.float32)})


def test_the_command_says_that_it_proves_nothing(parity, tmp_path: Path) -> None:
    said = parity("estimate", DATA / "xor").out
    assert "1000 of 1000 labels have a margin above the estimate" in said
    assert "not a proof" in said and "certified" not in said
    (tmp_path / "rows.csv").write_text("x1,x2\n0,1\n0.5,1\n")
    figures = json.loads(parity("estimate", DATA / "xor", tmp_path / "rows.csv", "--json").out)
    assert figures["rows"] == figures["estimated"] == 2 and 0 < figures["largest_error_estimate"] < 1e-4


def test_other_tasks_and_images_are_refused(parity) -> None:
    assert "series has the task tensors" in parity("estimate", DATA / "series").err
    _, contract = value_graph([("Gemm", ["features", "w"], {})], {"w": np.ones((2, 1), np.float32)}, [2], 1)
    with pytest.raises(InputError, match=r"ErrorEstimate.open\('images'\).of_inputs\({'features': ...}\)"):
        refuse_other_inputs(contract, "estimate", _with_inputs(contract, Path("images")))
