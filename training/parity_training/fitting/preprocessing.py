"""How the network of a table takes its rows: what a recipe keeps, measured on the training rows alone."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from parity_runtime.feature import CATEGORIES, FIRST_INDEX, MISSING_INDEX, TIMESTAMPS
from parity_training.data.encode_columns import CALENDAR_SIZES
from parity_training.data.problem import Problem
from parity_training.networks.index_tables import MOST_ONE_HOT, embedding_dimension

_ROWS_AT_ONCE = 2**14


def preprocessing_of(problem: Problem) -> dict[str, Any]:
    """Return the arguments of the `TableNetwork` of a table, as a recipe keeps them.

    What a table of numbers without missing cells does not need is left out.
    """
    contract = problem.contract
    dates = contract.features_of(TIMESTAMPS)
    imputed = any(feature.missing == "impute" for feature in contract.features if not feature.is_text)
    told: dict[str, Any] = {
        "num_features": problem.width,
        "impute": bool(imputed or dates),
        "num_targets": problem.num_outputs if contract.task == "regression" else 0,
    }
    optional = {"indicators": _indicators(problem), "tables": _tables(problem)}
    return told | {name: value for name, value in optional.items() if value}


def _indicators(problem: Problem) -> list[int]:
    """Return the columns in which a training row has a missing cell."""
    missing = torch.zeros(problem.width, dtype=torch.bool)
    for data, *_ in problem.pieces("train", _ROWS_AT_ONCE):
        missing |= torch.isnan(data).any(dim=0)
    return [int(column) for column in missing.nonzero()[:, 0]]


def _tables(problem: Problem) -> list[dict[str, Any]]:
    """Return a table for each column of indices, in their order."""
    contract = problem.contract
    if not problem.has_indices:
        return []
    low, high, missing = _met(indices for _, indices, _ in problem.pieces("train", _ROWS_AT_ONCE))
    found: list[dict[str, Any]] = []
    for feature in contract.features_of(CATEGORIES):
        count = len(feature.categories)
        table: dict[str, Any] = {"kind": "one-hot", "size": FIRST_INDEX + count, "missing": missing[len(found)]}
        if count > MOST_ONE_HOT:
            table |= {"kind": "embedding", "dimension": embedding_dimension(count)}
        found.append(table)
    for _ in contract.features_of(TIMESTAMPS):
        for size in CALENDAR_SIZES.values():
            varies = low[len(found)] < high[len(found)]
            found.append({"kind": "cyclic" if varies else "unused", "size": size})
    return found


def _met(pieces: Iterable[Tensor]) -> tuple[list[int], list[int], list[bool]]:
    """Return of each column of indices the smallest and the largest of training, and whether one is missing."""
    low = high = missing = torch.zeros(0)
    for found in pieces:
        largest = torch.iinfo(found.dtype).max
        if not len(low):
            low = torch.full((found.shape[1],), largest, dtype=found.dtype)
            high, missing = torch.zeros_like(low), torch.zeros_like(low, dtype=torch.bool)
        is_missing = found == MISSING_INDEX
        missing = missing | is_missing.any(dim=0)
        low = torch.minimum(low, found.masked_fill(is_missing, largest).amin(dim=0))
        high = torch.maximum(high, found.amax(dim=0))
    return low.tolist(), high.tolist(), missing.tolist()
