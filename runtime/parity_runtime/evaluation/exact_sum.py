"""Sums of float64 without rounding: the same number whatever the order of the values, and their parts."""

from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_EXPONENTS = 2100  # that np.frexp gives of a float64, from -1073 to 1024, counted from 0
_LOWEST = -1073
_MANTISSA = 53
_HALF = 26  # bits: sums of half a mantissa are exact in float64 over more rows than fit in memory
_UNIT = _MANTISSA - _LOWEST
"""A sum is counted in units of ``2**-_UNIT``, of which every float64 is a whole number."""


class ExactSum:
    """The sum of each group's values, exactly.

    Each value is an integer of 53 bits times a power of two. The integers of a power are added in two halves, which
    float64 holds exactly, and the powers in Python's integers. Sums of parts merge in any order.

    >>> from parity_runtime.evaluation.exact_sum import ExactSum
    >>> total = ExactSum()
    >>> total.update([1e300, 1.0, -1e300])
    >>> total.values()
    array([1.])

    Args:
        groups: how many there are.
    """

    def __init__(self, groups: int = 1) -> None:
        self._units = [0] * groups
        self._endless = np.zeros(groups)  # of values that are infinite or NaN

    def update(self, values: Any, groups: NDArray[np.integer] | None = None) -> None:
        """Take values, float64 ``[rows]``, and the group of each, integers ``[rows]``; None for the first."""
        values = np.asarray(values, np.float64)
        groups = np.zeros(len(values), np.int64) if groups is None else groups
        finite = np.isfinite(values)
        if not finite.all():
            np.add.at(self._endless, groups[~finite], values[~finite])
            values, groups = values[finite], groups[finite]
        mantissas, exponents = np.frexp(values)
        places = exponents - _LOWEST + groups * _EXPONENTS
        whole = np.ldexp(mantissas, _MANTISSA)
        high = np.floor(np.ldexp(whole, -_HALF))
        for half, shift in ((high, _HALF), (whole - np.ldexp(high, _HALF), 0)):
            sums = np.bincount(places, half)
            for place in np.flatnonzero(sums).tolist():
                group, exponent = divmod(place, _EXPONENTS)
                self._units[group] += int(sums[place]) << (exponent + shift)

    def merge(self, other: Self) -> None:
        """Take what another one has taken, of as many groups."""
        self._units = [mine + others for mine, others in zip(self._units, other._units, strict=True)]
        self._endless += other._endless

    def values(self) -> NDArray[np.float64]:
        """Return the sums, rounded once, float64 ``[groups]``."""
        return np.array([float(total) for total in self.exact()]) + self._endless

    def exact(self) -> list[Fraction]:
        """Return the sums of the finite values as they are, a fraction for each group."""
        return [Fraction(units, 1 << _UNIT) for units in self._units]


def exact_square(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two float64 whose sum is the square of each value, exactly where neither underflows (Dekker, 1971)."""
    square = values * values
    split = values * (2.0**27 + 1)
    high = split - (split - values)
    low = values - high
    return square, ((high * high - square) + 2 * high * low) + low * low
