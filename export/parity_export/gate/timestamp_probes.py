"""Timestamps that a column is asked: those of training, and where a calendar turns."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.probe_ranges import spread, widened
from parity_runtime import Feature
from parity_runtime.feature import MISSING_TIMESTAMP

_HIGHEST = 2**63 - 1
_YEARS = (-400, -1, 0, 1, 4, 100, 400, 1582, 1600, 1700, 1800, 1899, 1900, 1904, 1960, 1968, 1969, 1970, 1971, 1972,
          1999, 2000, 2001, 2023, 2024, 2038, 2100, 2400, 9999)  # fmt: skip
"""Leap years and others, ends of centuries and of four of them, before 1970, the first year and the last of four
digits."""

_DAYS = ("01-01", "02-28", "03-01", "06-30", "12-31")
_SECONDS = (0, -1, 86_399)  # of those days: midnight, the second before, the last one
_SHARE = 0.0625  # of the timestamps that are drawn, are missing


def calendar_timestamps() -> NDArray[np.int64]:
    """Return timestamps where a calendar turns, and the ends of what an int64 holds; the missing one among them."""
    turns = [
        int(np.datetime64(f"{year:05d}-{day}" if year < 0 else f"{year:04d}-{day}", "s").astype(np.int64)) + second
        for year, day, second in product(_YEARS, _DAYS, _SECONDS)
    ]
    around_epoch = [0, -1, 1, 59, 60, 3_599, 3_600, 86_399, 86_400, -3_600, -3_601, -86_400, -86_401]
    powers = [sign * 2**power for sign, power in product((1, -1), (31, 32, 53, 62))]
    ends = [MISSING_TIMESTAMP, MISSING_TIMESTAMP + 1, MISSING_TIMESTAMP + 86_400, _HIGHEST - 86_400, _HIGHEST]
    return np.unique(np.array([*turns, *around_epoch, *powers, *ends], np.int64))


def drawn_timestamps(feature: Feature, rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return timestamps, int64 ``[rows]``, of the range of training and a quarter beyond it; one in 16 is missing."""
    low, high = seconds_range(feature)
    drawn = random.uniform(low, high, rows).astype(np.int64)
    drawn[random.random(rows) < _SHARE] = MISSING_TIMESTAMP
    return drawn


def seconds_range(feature: Feature) -> tuple[float, float]:
    """Return over which seconds a column is asked; from 1950 to 2050 where its range in training is unknown."""
    low, high = feature.range or (-631_152_000.0, 2_524_608_000.0)
    first, last = widened(spread((np.array([low]), np.array([high]))))
    bottom, top = float(-(2**62)), float(2**62)
    return float(np.clip(first[0], bottom, top)), float(np.clip(last[0], bottom, top))
