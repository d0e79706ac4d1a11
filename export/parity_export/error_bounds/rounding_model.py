"""The constants of the rounding model, and rounding upward.

Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, chapters 2 and 3.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.errors import CannotCertifyError

U = 2.0**-24
"""The unit roundoff of binary32, round to nearest (Higham, section 2.1)."""

FLUSH = 2.0**-126
"""The smallest normal binary32: what is smaller may become zero, wherever it is written or read."""

UNIT = 2.0**-25
"""Error bounds are multiples of half a unit roundoff. Every rounding term is then at least twice the sum that it
belongs to, so that the bound overflows to infinity before the sum can in any order; and no bound is subnormal."""

FLUSHED = FLUSH / UNIT * (1 + 2.0**-10)
"""One value that is flushed, in units; the thousandth pays for what the error bound's own evaluation loses by flushing,
which is at most 2^-126 units where it is 2^-101."""


def gamma(n: int) -> float:
    """Return ``n u / (1 - n u)``: n roundings change a term by at most that, relatively (Higham, lemma 3.1).

    Raises:
        CannotCertifyError: n u is at least 1/4: the sum of so many numbers has no digit that is certain.
    """
    if n * U >= 0.25:
        raise CannotCertifyError(f"cannot certify: a sum of {n} numbers")
    return n * U / (1 - n * U)


def of_a_sum(n: int, spare: int = 0) -> tuple[float, float]:
    """Return how much of the sum of its terms' magnitudes, and of its own, a sum of products may err by at most.

    A term takes part in n roundings, of which one is its own and n - 1 of sums. Each of those errs by u of a partial
    sum, the sum of some of the terms: no more than the positive terms, or than the negative ones. Of S, the sum of all
    magnitudes, and y, the sum, the larger of both is (S + |y|) / 2; what has been rounded before adds gamma_n S:

        u S + (n - 1) u ((S + |y|) / 2 + gamma_n S)        |y| <= |y'| + what y' is off by

    Args:
        n: as above.
        spare: roundings of each term that are paid for beside, u S each.
    """
    terms = (n + 1) / 2 * U + spare * U + 2 * (n + spare) * U * gamma(n + spare)
    return terms * (1 + 8 * U), (n - 1) / 2 * U * (1 + 8 * U)


def growth(n: int, more: int) -> float:
    """Return by how much an error grows that holds `of_a_sum` of n, if each term is rounded so many times more.

    That is u S each, and (n + 1) / 2 u S is what it holds of S at least.
    """
    return (1 + 2 * more / (n + 1)) * (1 + 4 * gamma(n + more)) if more else 1.0


def upward(array: Any) -> NDArray[np.float32]:
    """Round float64 numbers to binary32, never down."""
    exact = np.asarray(array, np.float64)
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    return np.where(rounded < exact, np.nextafter(rounded, np.float32(np.inf)), rounded).astype(np.float32)
