"""How the network of a table takes its rows: what a recipe keeps, measured on the training rows alone."""

from typing import Any

import torch
from torch import Tensor

from parity_runtime.feature import CATEGORIES, FIRST_INDEX, MISSING_INDEX, TIMESTAMPS
from parity_training.data.encode_columns import CALENDAR_SIZES
from parity_training.data.training_data import TrainingData
from parity_training.networks.index_tables import MOST_ONE_HOT, embedding_dimension

_ROWS_AT_ONCE = 2**14


def preprocessing_of(training_data: TrainingData) -> dict[str, Any]:
    """Return the arguments of the `TableNetwork` of a table, as a recipe keeps them.

    What a table of numbers without missing cells does not need is left out.
    """
    contract = training_data.contract
    dates = contract.features_of(TIMESTAMPS)
    imputed = any(feature.missing == "impute" for feature in contract.features if not feature.is_text)
    told: dict[str, Any] = {
        "num_features": training_data.data.shape[1],
        "impute": bool(imputed or dates),
        "num_targets": 1 if contract.task == "regression" else 0,
    }
    optional = {"indicators": _indicators(training_data), "tables": _tables(training_data)}
    return told | {name: value for name, value in optional.items() if value}


def _indicators(training_data: TrainingData) -> list[int]:
    """Return the columns in which a training row has a missing cell."""
    missing = torch.zeros(training_data.data.shape[1], dtype=torch.bool)
    for piece in torch.split(training_data.part("train"), _ROWS_AT_ONCE):
        missing |= torch.isnan(training_data.data[piece]).any(dim=0)
    return [int(column) for column in missing.nonzero()[:, 0]]


def _tables(training_data: TrainingData) -> list[dict[str, Any]]:
    """Return a table for each column of indices, in their order."""
    contract, indices = training_data.contract, training_data.indices
    if indices is None:
        return []
    low, high, missing = _met(indices, training_data.part("train"))
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


def _met(indices: Tensor, rows: Tensor) -> tuple[list[int], list[int], list[bool]]:
    """Return of each column of indices the smallest and the largest of training, and whether one is missing."""
    largest = torch.iinfo(indices.dtype).max
    low = torch.full((indices.shape[1],), largest, dtype=indices.dtype)
    high = torch.zeros_like(low)
    missing = torch.zeros_like(low, dtype=torch.bool)
    for piece in torch.split(rows, _ROWS_AT_ONCE):
        found = indices[piece]
        is_missing = found == MISSING_INDEX
        missing |= is_missing.any(dim=0)
        low = torch.minimum(low, found.masked_fill(is_missing, largest).amin(dim=0))
        high = torch.maximum(high, found.amax(dim=0))
    return low.tolist(), high.tolist(), missing.tolist()
