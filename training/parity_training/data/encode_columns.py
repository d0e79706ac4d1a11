"""What the graph's encoder makes of a table's rows, computed in Python: the numbers and indices that a network sees.

The encoder in the graph is written in ONNX (integer arithmetic, LabelEncoder); this is a dictionary and numpy's own
calendar. The two share no code, and the gate compares them.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import is_encoded
from parity_runtime.feature import (
    CATEGORIES,
    FEATURES,
    FIRST_INDEX,
    MISSING_CATEGORY,
    MISSING_INDEX,
    MISSING_TIMESTAMP,
    TIMESTAMPS,
    UNKNOWN_INDEX,
)
from parity_runtime.inference.input_validation import Arrays

INDICES = "indices"
"""The network's second input: int64 ``[batch, columns]``, an index for each category and for each part of a date."""

CALENDAR_SIZES = {"month": 13, "day": 32, "weekday": 8, "hour": 25}
"""The parts of a timestamp that are indices, in their order, and how many indices each has: 0 is missing; months and
days count from 1, weekdays from Monday = 1, and hours are one more than the clock's. The year is a number among the
features, NaN where it is missing."""

_DAY, _HOUR = 86_400, 3_600  # seconds


def network_inputs(contract: ModelContract) -> tuple[TensorSpec, ...]:
    """Return what the network takes behind the encoder: ``features``, ``indices``, those of them that it needs.

    ``features`` is float32 ``[batch, numbers + timestamps]``: the columns of the graph's input of that name, and after
    them the year of each timestamp. ``indices`` is int64: a column for each category, then the parts of each timestamp
    (`CALENDAR_SIZES`). Without text and timestamps they are the contract's own inputs.
    """
    if not is_encoded(contract):
        return contract.inputs
    timestamps = len(contract.features_of(TIMESTAMPS))
    numbers = len(contract.features_of(FEATURES)) + timestamps
    indices = len(index_sizes(contract))
    widths = ((FEATURES, "float32", numbers), (INDICES, "int64", indices))
    return tuple(TensorSpec(name, dtype, ("batch", width)) for name, dtype, width in widths if width)


def index_sizes(contract: ModelContract) -> tuple[int, ...]:
    """Return how many indices each column of ``indices`` has."""
    texts = [FIRST_INDEX + len(feature.categories) for feature in contract.features_of(CATEGORIES)]
    return (*texts, *tuple(CALENDAR_SIZES.values()) * len(contract.features_of(TIMESTAMPS)))


def encode_columns(contract: ModelContract, inputs: Arrays) -> Arrays:
    """Return the network's inputs for the graph's.

    Args:
        contract: of a table.
        inputs: by name, as the graph takes them: float32, text, int64 seconds.

    Returns:
        By name what `network_inputs` says.
    """
    if not is_encoded(contract):
        return inputs
    times = contract.features_of(TIMESTAMPS)
    seconds = [inputs[TIMESTAMPS][:, feature.index] for feature in times]
    numbers = [inputs[FEATURES]] if contract.features_of(FEATURES) else []
    numbers += [year(column)[:, None] for column in seconds]
    indices = [
        category_indices(inputs[CATEGORIES][:, feature.index], feature.categories)
        for feature in contract.features_of(CATEGORIES)
    ]
    indices += [part for column in seconds for part in calendar_indices(column)]
    found = {FEATURES: np.concatenate(numbers, axis=1).astype(np.float32)} if numbers else {}
    return found | ({INDICES: np.stack(indices, axis=1)} if indices else {})


def category_indices(cells: NDArray[np.object_], categories: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the index of each cell, int64 ``[rows]``."""
    known = _indices(categories)
    return np.array([known.get(cell, UNKNOWN_INDEX) for cell in cells.tolist()], np.int64)


@lru_cache(maxsize=64)
def _indices(categories: tuple[str, ...]) -> dict[str, int]:
    """Return the index of each category and of the missing one; kept, because a batch is small beside a vocabulary."""
    return {text: index for index, text in enumerate(categories, FIRST_INDEX)} | {MISSING_CATEGORY: MISSING_INDEX}


def year(seconds: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the year of each timestamp, float32 ``[rows]``, NaN where it is missing."""
    years = _days(seconds).astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(seconds == MISSING_TIMESTAMP, np.float32("nan"), years.astype(np.float32))


def calendar_indices(seconds: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return month, day, weekday and hour of each timestamp as indices, each int64 ``[rows]``."""
    days = _days(seconds)
    months = days.astype("datetime64[M]")
    parts = [
        (months - months.astype("datetime64[Y]")).astype(np.int64) + 1,
        (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        (days.astype(np.int64) + 3) % 7 + 1,  # 1970-01-01 was a Thursday
        seconds % _DAY // _HOUR + 1,
    ]
    return [np.where(seconds == MISSING_TIMESTAMP, MISSING_INDEX, part) for part in parts]


def _days(seconds: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return the day of each timestamp; numpy's own step from seconds to days leaves int64 near its lower end."""
    return (seconds // _DAY).astype("datetime64[D]")
