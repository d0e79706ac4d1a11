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


def upward(array: Any) -> NDArray[np.float32]:
    """Round float64 numbers to binary32, never down."""
    exact = np.asarray(array, np.float64)
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    return np.where(rounded < exact, np.nextafter(rounded, np.float32(np.inf)), rounded).astype(np.float32)
