"""What a backend is allowed: honest arithmetic stays inside, whatever the columns are, and a jump widens nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, source_from_module
from parity_export.gate.run_gate import run_gate
from parity_export.gate.tolerances import FACTOR, FAR_FACTOR, Deviations, floors, row_floors
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace

WIDTH, ROWS = 800, 24


def permuted(layers: list[nn.Module], rows: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Answer with every sum in another order, as another backend may."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            order = random.permutation(rows.shape[1])
            rows = rows[:, order] @ layer.weight[:, order].T + layer.bias
        else:
            rows = layer(rows)
    return rows


def column_floors(deviation: np.ndarray, exact: np.ndarray, **other: np.ndarray) -> np.ndarray:
    """The floors of ordinary rows, which were drawn and which torch itself answers exactly unless it is said."""
    fields = {"own": np.zeros_like(exact), "drawn": np.ones(len(exact), bool)} | other
    return floors("ordinary", Deviations(exact, deviation, **fields))


@pytest.mark.parametrize("allowing", [column_floors, row_floors])
def test_a_wide_network_that_ends_in_relu_is_not_refused_for_its_silent_columns(allowing) -> None:
    """Rows from 1e2 to 1e6, as the large probes are: a column may be zero on all but a row, and err there like any."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    layers = [layer for _ in range(3) for layer in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    module = nn.Sequential(*layers)
    rows = random.standard_normal((ROWS, WIDTH)) * np.resize(10.0 ** np.arange(2, 7), ROWS)[:, None]
    x = torch.from_numpy(rows.astype(np.float32))
    with torch.no_grad():
        float32 = module(x).numpy()
        others = [permuted(layers, x, random).numpy() for _ in range(6)]
        float64 = module.double()(x.double()).numpy()
    allowed = np.maximum(1e-5 + 1.3e-6 * np.abs(float64), allowing(np.abs(float32 - float64), float64))
    assert sum(int((np.abs(other - float64) > allowed).sum()) for other in others) == 0  # of 115,200


def test_a_small_column_beside_a_large_one_keeps_its_own_floor() -> None:
    random = np.random.default_rng(0)
    exact = random.uniform(0.5, 1, (100, 2)) * [1e6, 1e-3]
    found = column_floors(np.abs(1e-7 * random.uniform(-1, 1, exact.shape) * exact), exact)
    assert FACTOR * 1e-7 * 1e6 / 2 < found[0] < FACTOR * 1e-7 * 1e6 * 2
    assert FACTOR * 1e-7 * 1e-3 / 2 < found[1] < FACTOR * 1e-7 * 1e-3 * 20


def test_a_column_that_torch_computes_exactly_has_the_floor_of_those_of_its_scale() -> None:
    random = np.random.default_rng(0)
    exact = random.standard_normal((50, 4))
    deviation = np.abs(1e-7 * random.uniform(-1, 1, exact.shape) * exact)
    deviation[:, 2] = 0
    found = column_floors(deviation, exact)
    assert found[2] > found.max() / 10


def test_a_jump_widens_the_tolerance_of_no_other_value() -> None:
    exact = np.ones((200, 1))
    deviation = np.full((200, 1), 1e-7)
    without = column_floors(deviation, exact)
    deviation[7] = 24.0
    assert column_floors(deviation, exact) == without


def test_rows_that_a_search_brought_to_a_jump_do_not_make_it_rounding() -> None:
    exact, deviation = np.ones((200, 1)), np.full((200, 1), 1e-7)
    without = column_floors(deviation, exact)
    deviation[100:] = 24.0
    assert column_floors(deviation, exact, drawn=np.arange(200) < 100) == without


def test_where_every_moved_row_jumps_torch_itself_says_what_rounding_is() -> None:
    """Floor of whole numbers: each of them lies at a jump, and only evaluations of moved inputs land beside it."""
    exact = np.ones((200, 1))
    assert column_floors(np.full((200, 1), 1.0), exact, own=np.full((200, 1), 1e-7)) < 1e-3
    honest = np.full((200, 1), 3e-3)  # an ill-conditioned module, which errs as much where nothing is moved
    assert column_floors(honest, exact, own=honest / 2) == pytest.approx(FACTOR * 3e-3)


def test_a_far_row_answers_for_itself() -> None:
    exact = np.ones((3, 2)) * [[1e2], [1e4], [1e6]]
    deviation = exact * [[1e-7], [0.0], [1e-2]]
    found = row_floors(deviation, exact)
    assert found.shape == exact.shape
    assert (found[1] == 0).all()
    np.testing.assert_allclose(found[[0, 2]], FAR_FACTOR * deviation[[0, 2]])


def test_nothing_but_zeros_has_no_floor() -> None:
    assert (column_floors(np.zeros((5, 3)), np.zeros((5, 3))) == 0).all()
    assert column_floors(np.zeros(5), np.zeros(5)) == 0
    assert column_floors(np.zeros((5, 2, 0)), np.zeros((5, 2, 0))).shape == (0,)
    assert (row_floors(np.zeros((5, 3)), np.zeros((5, 3))) == 0).all()


def test_what_is_said_to_be_allowed_is_what_was_allowed() -> None:
    """A jump that is found later widens the envelope; the contract's tolerance is the one that the gate applied."""
    source = source_from_module(nn.Linear(3, 2), ["x: float32[batch, 3]"], OutputSpec(), "m")
    gate_result = run_gate(attach_head(trace(source, ExportOptions())), (1e-5, 1e-5))
    expected = replace(gate_result.expected)  # one that has derived nothing yet
    assert expected.allowed["output"].size
    expected.envelope.high["output"] += np.float32(1e3)
    reported = {group: told["output"] for group, told in expected.reported_tolerances.items()}
    assert reported["ordinary"].floor < 1e-3 and (reported["ordinary"].rtol, reported["large"].rtol) == (1e-5, 1e-3)
    assert "8 x" in reported["ordinary"].source and "64 x" in reported["large"].source
