"""Where a label changes: the segments between pairs of rows, halved all at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity_runtime.inference.input_validation import Arrays

Bring = Callable[[Arrays], Arrays]
"""Brings rows to where rows may be."""


def unchanged(rows: Arrays) -> Arrays:
    """Return rows as they are."""
    return rows


def bisect(
    start: Arrays,
    end: Arrays,
    is_start: Callable[[Arrays], NDArray[np.bool_]],
    halvings: int,
    inside: Bring = unchanged,
) -> tuple[Arrays, Arrays]:
    """Return rows on both sides of where a label changes between each pair of rows.

    Args:
        start: one row of each pair; what is no float is the same in the other.
        end: the other.
        is_start: which rows have the label of their pair's ``start``.
        halvings: how often each segment is halved, in float64 and rounded to the rows' dtype.
        inside: brings the middle of two rows to where rows may be.
    """
    for _ in range(halvings):
        middle = inside({name: _between(array, end[name]) for name, array in start.items()})
        same = is_start(middle)
        start = {name: where(same, middle[name], array) for name, array in start.items()}
        end = {name: where(same, array, middle[name]) for name, array in end.items()}
    return start, end


def where(mask: NDArray[np.bool_], yes: NDArray[np.generic], no: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return rows of ``yes`` where ``mask [rows]`` is true, else of ``no``."""
    return np.where(mask.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)


def _between(start: NDArray[np.generic], end: NDArray[np.generic]) -> NDArray[np.generic]:
    if start.dtype.kind != "f":
        return start
    return ((start.astype(np.float64) + end.astype(np.float64)) / 2).astype(start.dtype)
