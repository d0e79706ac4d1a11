"""The floors of the tolerance: honest backends stay below them, whatever the columns are."""

import numpy as np
import torch
from torch import nn

from parity_export.gate.tolerances import TORCH_FACTOR, column_floors

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


def test_a_wide_network_that_ends_in_relu_is_not_refused_for_its_silent_columns() -> None:
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
    allowed = np.maximum(1e-5 + 1.3e-6 * np.abs(float64), column_floors(float32, float64))
    assert sum(int((np.abs(other - float64) > allowed).sum()) for other in others) <= 1  # of 115,200


def test_a_small_column_beside_a_large_one_keeps_its_own_floor() -> None:
    random = np.random.default_rng(0)
    exact = random.uniform(0.5, 1, (100, 2)) * [1e6, 1e-3]
    found = exact * (1 + 1e-7 * random.uniform(-1, 1, exact.shape))
    floors = column_floors(found, exact)
    assert TORCH_FACTOR * 1e-7 * 1e6 / 2 < floors[0] < TORCH_FACTOR * 1e-7 * 1e6 * 2
    assert TORCH_FACTOR * 1e-7 * 1e-3 / 2 < floors[1] < TORCH_FACTOR * 1e-7 * 1e-3 * 20


def test_a_column_that_torch_computes_exactly_has_the_floor_of_the_others() -> None:
    random = np.random.default_rng(0)
    exact = random.standard_normal((50, 4))
    found = exact * (1 + 1e-7 * random.uniform(-1, 1, exact.shape))
    found[:, 2] = exact[:, 2]
    floors = column_floors(found, exact)
    assert floors[2] > floors.max() / 10


def test_nothing_but_zeros_has_no_floor() -> None:
    assert (column_floors(np.zeros((5, 3)), np.zeros((5, 3))) == 0).all()
    assert column_floors(np.zeros(5), np.zeros(5)) == 0
