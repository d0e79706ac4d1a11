"""Partial dependence: what a network predicts on average where one column is set to a value in every row."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import Feature, ModelContract
from parity_runtime.feature import FIRST_INDEX, MISSING_INDEX
from parity_training.data.encode_columns import CALENDAR_SIZES
from parity_training.diagnostics.numbers import cell, cells, rounded_all
from parity_training.diagnostics.sampled_rows import SampledRows
from parity_training.fitting.evaluation import probabilities_of

_MOST_FEATURES = 6
_MOST_VALUES, _MOST_CATEGORIES = 20, 12
_MOST_ROWS, _FEWEST_ROWS = 300, 20
_MOST_CLASSES = 4
_WORK = 5 * 10**9  # multiplications, about
_TAILS = (0.02, 0.98)  # quantiles of a number within which it is followed: beyond, rows are rare


class _Value(NamedTuple):
    label: Any  # as the column has it
    rows: int
    cells: tuple[Tensor, ...]  # of each of the network's inputs, [columns]


def partial_dependence(rows: SampledRows, names: list[str]) -> dict[str, Any]:
    """Return what is predicted on average for values of some features (Friedman, Ann. Stat. 29, 2001).

    Args:
        rows: over which is averaged; some 300 of them are.
        names: of features, the most important first; the first 6 are followed.

    Returns:
        ``rows``; ``of``, what is averaged: ``probability`` or ``value``; ``features``, each with ``name``, ``kind``,
        ``values`` (numbers; texts; dates, of which month, day and hour go together; None is a missing cell), ``rows``,
        how many of the sample have each, or of numbers lie nearest, and ``outputs``: lists of ``values``' length, by
        ``class`` (of two classes the second, of more the 4 that change most, the same for all features) or
        ``target``.
    """
    contract = rows.problem.contract
    features = [feature for name in names[:_MOST_FEATURES] for feature in contract.features if feature.name == name]
    affordable = _WORK // (rows.cost_of_a_row * _MOST_VALUES * max(len(features), 1))
    averaged = rows.first(min(max(affordable, _FEWEST_ROWS), _MOST_ROWS))
    values = {feature: _values(rows, feature) for feature in features}
    means = {feature: _means(averaged, feature, met) for feature, met in values.items() if len(met) > 1}
    told = [
        {"name": feature.name, "kind": feature.kind, "values": [value.label for value in values[feature]],
         "rows": [value.rows for value in values[feature]], "outputs": outputs}
        for feature, outputs in zip(means, _outputs(contract, list(means.values())), strict=True)
    ]  # fmt: skip
    return {"rows": len(averaged), "of": "probability" if contract.is_classifier else "value", "features": told}


def _means(rows: SampledRows, feature: Feature, values: list[_Value]) -> NDArray[np.float64]:
    """Return the mean of each output for each value of a feature, float64 ``[outputs, values]``."""
    columns, changed = rows.columns_of(feature), tuple(tensor.clone() for tensor in rows.inputs)
    means: list[NDArray[np.float64]] = []
    for value in values:
        for tensor, chosen, changed_to in zip(changed, columns, value.cells, strict=False):
            if chosen:
                tensor[:, chosen] = changed_to.to(tensor.dtype)
        outputs = rows.predicted(changed)
        answers = probabilities_of(outputs) if rows.truth.is_classifier else outputs[:, :1].numpy()
        means.append(answers.astype(np.float64).mean(axis=0))
    return np.array(means).T


def _outputs(contract: ModelContract, means: list[NDArray[np.float64]]) -> list[list[dict[str, Any]]]:
    """Return the outputs of each feature, of its means, float64 ``[outputs, values]`` each."""
    if not contract.is_classifier:
        return [[{"target": contract.targets[0], "means": cells(curves[0])}] for curves in means]
    chosen = [1]
    if len(contract.classes) > 2 and means:
        spread = np.sum([np.ptp(curves, axis=1) for curves in means], axis=0)
        chosen = sorted(np.argsort(-spread, kind="stable")[:_MOST_CLASSES].tolist())
    return [
        [{"class": contract.classes[index], "means": rounded_all(curves[index])} for index in chosen]
        for curves in means
    ]


def _values(rows: SampledRows, feature: Feature) -> list[_Value]:
    if feature.is_text:
        return _categories(rows, feature)
    if feature.kind == "datetime":
        return _dates(rows, feature)
    return _numbers(rows, feature)


def _numbers(rows: SampledRows, feature: Feature) -> list[_Value]:
    cells = rows.inputs[0][:, feature.index].numpy()
    known = cells[np.isfinite(cells)]
    if not len(known):
        return []
    grid = np.unique(known)
    if len(grid) > _MOST_VALUES:
        within = np.quantile(known, np.linspace(*_TAILS, _MOST_VALUES)).astype(np.float32)
        grid = np.unique(within)
    middles = (grid[1:] + grid[:-1]) / 2
    counts = np.bincount(np.searchsorted(middles, known), minlength=len(grid))
    return [
        _Value(cell(value), int(count), (torch.tensor([float(value)]), torch.tensor([])))
        for value, count in zip(grid, counts, strict=True)
    ]


def _categories(rows: SampledRows, feature: Feature) -> list[_Value]:
    met = Counter(rows.inputs[1][:, feature.index].tolist())
    return [
        _Value(_category(feature, index), count, (torch.tensor([]), torch.tensor([index])))
        for index, count in met.most_common(_MOST_CATEGORIES)
    ]


def _category(feature: Feature, index: int) -> str | None:
    if index == MISSING_INDEX:
        return None
    return feature.categories[index - FIRST_INDEX] if index >= FIRST_INDEX else "(unknown)"


def _dates(rows: SampledRows, feature: Feature) -> list[_Value]:
    """Return dates of the sample, evenly spread over its rows in their order; a grid would invent months and hours."""
    numbers, indices = rows.columns_of(feature)
    years, parts = rows.inputs[0][:, numbers[0]].numpy(), rows.inputs[1][:, indices].long().numpy()
    known = np.flatnonzero(np.isfinite(years))
    if not len(known):
        return []
    month, day, hour = (parts[known, list(CALENDAR_SIZES).index(part)] for part in ("month", "day", "hour"))
    order = known[np.lexsort((hour, day, month, years[known]))]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(_MOST_VALUES, len(order))).astype(np.int64))]
    found = {_date(years[row], parts[row]): row for row in chosen.tolist()}
    return [
        _Value(text, 1, (torch.tensor([float(years[row])]), torch.from_numpy(parts[row])))
        for text, row in found.items()
    ]


def _date(year: float, parts: NDArray[np.int64]) -> str:
    told = dict(zip(CALENDAR_SIZES, parts.tolist(), strict=True))
    return f"{int(year):04d}-{told['month']:02d}-{told['day']:02d}T{max(told['hour'] - 1, 0):02d}"
