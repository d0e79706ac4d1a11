"""Counts and edges in the JSON form of a profile, refused where they are none."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.errors import FormatError
from parity_runtime.feature import Feature
from parity_runtime.files.json_file import finite_number
from parity_runtime.printable import shown

_MOST_EDGES = 1000


def row_counts(value: Any, size: int, where: str) -> NDArray[np.int64]:
    """Return numbers of rows, int64 ``[size]``; below 2^31, so that no sum of them is beyond int64.

    Raises:
        FormatError: they are none, or of another number.
    """
    plain = isinstance(value, list) and all(type(count) is int and 0 <= count < 2**31 for count in value)
    if not plain or len(value) != size:
        raise FormatError(f"{where} is {shown(value)}, not {size} numbers of rows")
    return np.array(value, np.int64)


def bin_edges(value: Any, feature: Feature, where: str) -> tuple[float, ...]:
    """Return the edges between a column's bins.

    Raises:
        FormatError: they are no numbers that ascend, too many, or beyond what a cell can be.
    """
    if not isinstance(value, list) or len(value) > _MOST_EDGES:
        raise FormatError(f"{where}: edges is {shown(value)}, not a list of {_MOST_EDGES} numbers at most")
    edges = tuple(finite_number(edge, f"{where}: an edge") for edge in value)
    largest = 2.0**62 if feature.kind == "datetime" else float(np.finfo(np.float32).max)
    if any(abs(edge) > largest for edge in edges) or any(first >= then for first, then in pairwise(edges)):
        raise FormatError(f"{where}: edges is {shown(value)}, which does not ascend or goes beyond what a cell can be")
    return tuple(map(int, edges)) if feature.kind == "datetime" else edges
