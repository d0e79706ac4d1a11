"""Error bounds of probabilities: they hold for the worst logits that are allowed, as the head rounds them."""

from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.inference.probability_bound import probability_error_bound

RANDOM = np.random.default_rng(2)


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def head(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + others / own) in float32, as the graph computes it."""
    own = np.exp(z - z.max(axis=1, keepdims=True))
    others = np.stack([np.delete(own, index, axis=1).sum(axis=1, dtype=np.float32) for index in range(z.shape[1])], 1)
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / (1 + others / own)


@pytest.mark.parametrize("scale", [1e-7, 1e-4, 1e-2, 0.3, 3.0])
@pytest.mark.parametrize("spread", [1.0, 30.0, 120.0])
def test_no_probability_leaves_its_error_bound(scale: float, spread: float) -> None:
    z = (RANDOM.standard_normal((400, 5)) * spread).astype(np.float32)
    reach = (RANDOM.uniform(0, 1, z.shape) * scale).astype(np.float32)
    found, worst = softmax(z.astype(float)), 0.0
    bound = probability_error_bound(z, reach)
    for index in range(z.shape[1]):
        for sign in (1, -1):  # the other classes against this one
            moved = np.where(np.arange(z.shape[1]) == index, sign, -sign) * reach
            exact = z - moved  # z is within reach of it, and so is another answer, on its other side
            for computed in (head(z), head(np.float32(exact - moved)), softmax(z), softmax(exact - moved)):
                share = np.abs(computed - softmax(exact)) / bound
                assert (share <= 1).all()
                worst = max(worst, float(share.max()))
    assert worst > (0.3 if 1e-4 <= scale < 1 and spread < 100 else 0.0)
    assert (bound >= 0).all() and (bound <= 1.001).all() and found.shape == bound.shape


def test_two_classes_have_one_logit() -> None:
    bound = probability_error_bound(np.float32([[0.0], [40.0], [-200.0]]), np.float32([[1e-3], [1e-3], [1e-3]]))
    assert bound.shape == (3, 2)
    assert bound[0] == pytest.approx([2.5e-4, 2.5e-4], rel=0.01)
    assert (bound[1:, 0] < 3e-7).all()


def test_without_an_error_bound_of_every_logit_there_is_none() -> None:
    logits = np.float32([[1, 2, 3], [1, np.nan, 3], [1, 2, 3], [1, 2, 3]])
    reach = np.float32([[0, np.inf, 0], [0, 0, 0], [0, -1, 0], [0, np.nan, 0]])
    assert np.isposinf(probability_error_bound(logits, reach)).all()


def test_a_graph_that_does_not_say_where_its_probabilities_come_from_is_refused(certified_package: Path) -> None:
    with pytest.raises(InputError, match="does not say that they are computed from its logits; export it again"):
        Predictor(certified_package, certified=True).probability_error_bound([[0, 1]])
