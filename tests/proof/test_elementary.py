"""The constants of the elementary functions: their slopes, their curvatures, their float64 values."""

import math

import numpy as np
import pytest
import torch

from parity_export.error_bounds.elementary_functions import accuracy
from parity_export.error_bounds.operators import sigmoid, tanh, thresholded_softplus
from parity_export.error_bounds.registry import ELEMENTARY
from parity_runtime.inference import probability_bound

DENSE = torch.linspace(-30, 30, 3_000_001, dtype=torch.float64)


STEEP = [name for name, function in ELEMENTARY.items() if math.isinf(function.slope)]
"""Functions without a Lipschitz constant over all reals."""


@pytest.mark.parametrize("name", [name for name in ELEMENTARY if name not in STEEP])
def test_no_function_is_steeper_than_its_slope(name: str) -> None:
    values = ELEMENTARY[name].exact(DENSE)
    steepest = float(((values[1:] - values[:-1]).abs() / (DENSE[1] - DENSE[0])).max())
    assert steepest * (1 - 1e-8) <= ELEMENTARY[name].slope <= steepest * 1.001 + 1e-6  # a quotient of float64


@pytest.mark.parametrize(
    ("slope", "constant"),
    [
        (lambda x: 1 - torch.tanh(x) ** 2, tanh.CURVATURE),
        (lambda x: torch.sigmoid(x) * (1 - torch.sigmoid(x)), sigmoid.CURVATURE),
    ],
)
def test_no_slope_changes_faster_than_its_curvature(slope, constant: float) -> None:
    values = slope(DENSE)
    fastest = float(((values[1:] - values[:-1]).abs() / (DENSE[1] - DENSE[0])).max())
    assert fastest <= constant <= fastest * 1.001


def test_the_remaining_constants() -> None:
    assert math.log1p(math.exp(-20)) < thresholded_softplus.JUMP < 1.01 * math.log1p(math.exp(-20))
    assert math.sqrt(2 / (math.pi * math.e)) < 0.484


@pytest.mark.parametrize("name", ELEMENTARY)
def test_the_float64_values_are_those_of_more_digits(name: str) -> None:
    """Against mpmath, 50 digits: what the table is measured against errs by far less than float32 can see."""
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 50
    softplus = lambda x: mpmath.log1p(mpmath.exp(x))  # noqa: E731
    sigmoid = lambda x: 1 / (1 + mpmath.exp(-x))  # noqa: E731
    sixth = mpmath.mpf(float(np.float32(1 / 6)))
    alpha, scale = (mpmath.mpf(float(np.float32(value))) for value in (1.6732632423543772, 1.0507009873554805))
    root = mpmath.sqrt(2 / mpmath.pi)
    precise = {
        "Tanh": mpmath.tanh,
        "Sigmoid": sigmoid,
        "Erf": mpmath.erf,
        "Exp": mpmath.exp,
        "Log": mpmath.log,
        "Sqrt": mpmath.sqrt,
        "HardSigmoid": lambda x: min(max(x * sixth + mpmath.mpf("0.5"), mpmath.mpf(0)), mpmath.mpf(1)),
        "Gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
        "GeluTanh": lambda x: x / (1 + mpmath.exp(-2 * root * (x + mpmath.mpf("0.044715") * x**3))),
        "Silu": lambda x: x * sigmoid(x),
        "Softplus": softplus,
        "Elu": lambda x: x if x > 0 else mpmath.expm1(x),
        "Celu": lambda x: x if x > 0 else mpmath.expm1(x),
        "Selu": lambda x: scale * (x if x > 0 else alpha * mpmath.expm1(x)),
        "Mish": lambda x: x * mpmath.tanh(softplus(x)),
        "HardSwish": lambda x: x * min(max(x / 6 + mpmath.mpf("0.5"), mpmath.mpf(0)), mpmath.mpf(1)),
    }[name]
    rows = np.concatenate([np.linspace(-20, 20, 401), np.geomspace(1e-30, 1e3, 50)]).astype(np.float32)
    if name in ("Log", "Sqrt", "Exp"):
        rows = rows[(rows > 0) & (rows < 80)]
    found = ELEMENTARY[name].exact(torch.from_numpy(rows).double()).numpy()
    for x, value in zip(rows.tolist(), found.tolist(), strict=True):
        exact = precise(mpmath.mpf(x))
        assert abs(value - float(exact)) <= 2.0**-45 * (abs(float(exact)) + 2.0**-30), (name, x)


def test_the_runtime_knows_how_exact_an_exponential_is() -> None:
    assert accuracy("Exp").alpha == probability_bound.EXP_ERROR * 2.0**-24
