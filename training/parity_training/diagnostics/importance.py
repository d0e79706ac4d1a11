"""Permutation importance: how much worse a network is where a column says nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parity_runtime import Feature
from parity_training.diagnostics.numbers import rounded
from parity_training.diagnostics.sampled_rows import SEED, SampledRows

MOST_ROWS = 1000
"""Rows by which it is measured; fewer where `WORK` is exceeded."""

_REPEATS = 5
_FEWEST_ROWS = 50
_MOST_REFINED = 100  # features of a wide table that are measured a second time

WORK = 2 * 10**10
"""Multiplications, about, of one pass over the features: some seconds of one core."""

_CALL = 10**6
"""How many multiplications take as long as to call a network at all."""


def permutation_importance(rows: SampledRows) -> dict[str, Any]:
    """Return by how much a metric grows where the cells of a feature are shuffled among the rows.

    (Breiman, Random Forests, 2001; Fisher, Rudin and Dominici, JMLR 20, 2019.) A date is shuffled as a whole. Where all
    features with all rows are more than `WORK`, a first look with fewer rows and one shuffle finds the best 100, and
    those alone are measured.

    Returns:
        ``metric`` (that of the rows' `Truth`) and its ``value`` on these ``rows``; ``repeats``, ``seed``; ``features``
        from the most important one on, each with its ``name``, and ``mean`` and ``std`` of the growth over the repeats
        (std None of a single one); ``left_out``, how many features are not among them; ``screened_by``, the rows of the
        first look, None without one.
    """
    features, repeats = list(rows.problem.contract.features), _REPEATS
    screened_by = None
    if _affordable(rows, len(features) * repeats) < len(rows) and len(features) > _MOST_REFINED:
        few = rows.first(max(_affordable(rows, len(features)), _FEWEST_ROWS))
        screened_by, found = len(few), _grown(few, features, 1)[:, 0]
        features = [features[place] for place in np.argsort(-found, kind="stable")[:_MOST_REFINED]]
    while repeats > 1 and _affordable(rows, len(features) * repeats) < min(len(rows), _FEWEST_ROWS):
        repeats -= 1
    rows = rows.first(max(_affordable(rows, len(features) * repeats), _FEWEST_ROWS))
    grown = _grown(rows, features, repeats)  # [features, repeats]
    order = np.argsort(-grown.mean(axis=1), kind="stable")
    return {
        "metric": rows.truth.metric,
        "value": rounded(_metric(rows)),
        "rows": len(rows),
        "repeats": repeats,
        "seed": SEED,
        "features": [_told(features[place], grown[place]) for place in order],
        "left_out": len(rows.problem.contract.features) - len(features),
        "screened_by": screened_by,
    }


def _affordable(rows: SampledRows, calls: int) -> int:
    """Return how many rows each of some calls of the network can have; negative where so many calls are too many."""
    return (WORK // calls - _CALL) // rows.cost_of_a_row


def _told(feature: Feature, grown: NDArray[np.float64]) -> dict[str, Any]:
    spread = rounded(grown.std(ddof=1)) if len(grown) > 1 else None
    return {"name": feature.name, "mean": rounded(grown.mean()), "std": spread}


def _metric(rows: SampledRows) -> float:
    return rows.truth.mean(rows.truth.losses(rows.predicted(rows.inputs)))


def _grown(rows: SampledRows, features: Sequence[Feature], repeats: int) -> NDArray[np.float64]:
    """Return by how much the metric grows, float64 ``[features, repeats]``; a number that is none counts as nothing."""
    random, before = np.random.default_rng(SEED), _metric(rows)
    changed = tuple(tensor.clone() for tensor in rows.inputs)
    found = np.zeros((len(features), repeats))
    for place, feature in enumerate(features):
        columns = rows.columns_of(feature)
        for repeat in range(repeats):
            order = torch.from_numpy(random.permutation(len(rows)))
            for tensor, original, chosen in zip(changed, rows.inputs, columns, strict=False):
                if chosen:
                    tensor[:, chosen] = original[:, chosen][order]
            found[place, repeat] = rows.truth.mean(rows.truth.losses(rows.predicted(changed))) - before
        for tensor, original, chosen in zip(changed, rows.inputs, columns, strict=False):
            if chosen:
                tensor[:, chosen] = original[:, chosen]
    return np.nan_to_num(found, posinf=0.0, neginf=0.0)
