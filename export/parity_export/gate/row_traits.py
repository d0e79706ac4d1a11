"""What a row of a table may be to a reader of its cells, beside numbers: each is recorded at least once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parity_runtime import ModelContract
from parity_runtime.contract import is_encoded
from parity_runtime.feature import CATEGORIES, MISSING_CATEGORY, MISSING_TIMESTAMP, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays

Rows = NDArray[np.bool_]


def row_traits(contract: ModelContract, inputs: Arrays) -> dict[str, Rows]:
    """Return which rows, bool ``[rows]``, have each trait; none of a table of numbers alone.

    A row may lack a text or a timestamp, hold a text that is no category or not ASCII, or a timestamp before 1970. A
    module's own inputs may have a table's names: they hold neither.
    """
    found: dict[str, Rows] = {}
    if not is_encoded(contract):
        return found
    if CATEGORIES in inputs:
        texts, features = inputs[CATEGORIES], contract.features_of(CATEGORIES)
        taken = [{*one.categories, MISSING_CATEGORY} for one in features]
        is_known = [[cell in column for cell, column in zip(row, taken, strict=True)] for row in texts.tolist()]
        known = np.array(is_known, bool).reshape(texts.shape)
        found = {
            "missing text": _any(texts, lambda text: text == MISSING_CATEGORY),
            "unknown text": np.asarray(~known.all(axis=1)),
            "text outside of ASCII": _any(texts, lambda text: not text.isascii()),
            "known text outside of ASCII": _any(np.where(known, texts, ""), lambda text: not text.isascii()),
        }
    if TIMESTAMPS in inputs:
        seconds = inputs[TIMESTAMPS]
        missing = seconds == MISSING_TIMESTAMP
        found["missing timestamp"] = np.asarray(missing.any(axis=1))
        found["timestamp before 1970"] = np.asarray(((seconds < 0) & ~missing).any(axis=1))
    return found


def with_every_trait(
    contract: ModelContract, inputs: Arrays, candidates: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the first rows among candidates, some exchanged so that each trait that a candidate has is there.

    Args:
        contract: of the model.
        inputs: of all rows.
        candidates: row numbers, the best first.
        count: how many are wanted.

    Returns:
        Row numbers, sorted.
    """
    chosen: list[int] = []
    for rows in row_traits(contract, inputs).values():
        having = candidates[rows[candidates]]
        if len(having) and not rows[chosen].any() and len(chosen) < count:
            chosen.append(int(having[0]))
    rest = [int(row) for row in candidates if row not in chosen]
    return np.array(sorted([*chosen, *rest[: count - len(chosen)]]), np.int64)


def _any(texts: NDArray[np.object_], holds: Callable[[str], bool]) -> Rows:
    return np.array([any(map(holds, row)) for row in texts.tolist()], bool)
