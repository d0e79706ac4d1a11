"""A gate's results in proportion: one row for each backend and output, with the worst that any result holds."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from parity_export.gate.backend_result import BackendResult
from parity_export.gate.backends import Backend
from parity_export.gate.comparison import Difference

_FIGURES = ("max_abs", "max_rel", "max_ulp", "share", "jump")
_COUNTS = ("values", "compared", "outside", "beside_jumps")

Found = tuple[BackendResult, Difference]


def summary_rows(results: Sequence[BackendResult]) -> list[dict[str, Any]]:
    """Return the JSON form of a row for each backend and output, in the order in which they were run.

    Counts are sums over all batch sizes, dimensions and groups of probes; the deviations and the share of the
    tolerance are the largest, and the key ``<figure>_at`` says where: None where the figure is 0. A figure that is not
    finite is None.
    """
    by_row: dict[tuple[Backend, str], list[Found]] = {}
    for result in results:
        for found in result.differences:
            by_row.setdefault((result.backend, found.output), []).append((result, found))
    return [backend.to_json() | {"output": output} | _row(results) for (backend, output), results in by_row.items()]


def batch_sizes(results: Iterable[BackendResult]) -> dict[str, list[int]]:
    """Return in which batch sizes each runtime was run."""
    found: dict[str, list[int]] = {}
    for result in results:
        sizes = found.setdefault(result.backend.runtime, [])
        sizes += [] if result.batch in sizes else [result.batch]
    return found


def dimensions(results: Iterable[BackendResult]) -> list[dict[str, int]]:
    """Return at which sizes of the dynamic dimensions other than the batch the graph was run; none without any."""
    found: list[dict[str, int]] = []
    for result in results:
        found += [] if result.dimensions in found or not result.dimensions else [result.dimensions]
    return found


def _row(results: list[Found]) -> dict[str, Any]:
    counts = {name: sum(getattr(found, name) for _, found in results) for name in _COUNTS}
    row = counts | {"outside_at": _place(results, "outside")}
    for figure in _FIGURES:
        largest = max(_size(found, figure) for _, found in results)
        row |= {figure: largest if math.isfinite(largest) else None, f"{figure}_at": _place(results, figure)}
    return row


def _place(results: list[Found], figure: str) -> dict[str, Any] | None:
    """Return where a figure is largest, the first of several; None where it is 0 everywhere."""
    result, found = max(results, key=lambda one: _size(one[1], figure))
    if not _size(found, figure):
        return None
    return {"group": found.group, "batch": result.batch, "dimensions": result.dimensions}


def _size(found: Difference, figure: str) -> float:
    """Return a figure; what is no number (infinity over infinity) is larger than any."""
    value = float(getattr(found, figure))
    return math.inf if math.isnan(value) else value
