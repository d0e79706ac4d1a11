"""The rows that a network is most wrong about: where to look for wrong labels, and for what it has not understood."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from parity_runtime import InputError, ModelContract
from parity_runtime.tables.csv_file import csv_chunks
from parity_training.diagnostics.numbers import cell, rounded
from parity_training.diagnostics.row_losses import Truth
from parity_training.fitting.evaluation import predicted_of, probabilities_of

_MOST = 10
_MOST_COLUMNS, _LONGEST_CELL = 12, 80
_ROWS_AT_ONCE = 2**9  # the cells of so few take no memory to speak of


def worst_rows(contract: ModelContract, truth: Truth, outputs: Tensor, table: Path, names: list[str]) -> dict[str, Any]:
    """Return the 10 rows with the largest loss.

    Args:
        contract: of the network.
        truth: of all rows.
        outputs: of the network for them, float32 ``[rows, outputs]``.
        table: test.csv, in which they stand.
        names: of features, the most important first: the cells of 12 are shown.

    Returns:
        ``rows``, each with ``row``, its number in ``table`` from 1 on; ``true`` and ``predicted``, of a classifier its
        ``probability`` of the true class; ``loss``, log loss in nats, or the error in the target's unit; and ``cells``,
        text by column, cut where it is long.
    """
    losses = truth.losses(outputs) if truth.is_classifier else truth.distances(outputs)
    worst = np.argsort(-losses, kind="stable")[:_MOST]
    cells = _cells(table, worst, contract, names[:_MOST_COLUMNS])
    chosen = outputs[worst.tolist()]
    told = _classified(contract, truth[worst], chosen) if truth.is_classifier else _valued(truth[worst], chosen)
    return {
        "rows": [
            {"row": int(row) + 1} | one | {"loss": rounded(size), "cells": cells.get(int(row), {})}
            for row, one, size in zip(worst, told, losses[worst], strict=True)
        ]
    }


def _classified(contract: ModelContract, truth: Truth, outputs: Tensor) -> list[dict[str, Any]]:
    true, predicted = truth.values, predicted_of(outputs, contract.logit_threshold)
    probability = probabilities_of(outputs)[np.arange(len(true)), true]
    return [
        {"true": contract.classes[one], "predicted": contract.classes[other], "probability": rounded(given)}
        for one, other, given in zip(true.tolist(), predicted.tolist(), probability, strict=True)
    ]


def _valued(truth: Truth, outputs: Tensor) -> list[dict[str, Any]]:
    pairs = zip(truth.values, outputs[:, 0].numpy(), strict=True)
    return [{"true": cell(true), "predicted": cell(predicted)} for true, predicted in pairs]


def _cells(table: Path, rows: NDArray[np.int64], contract: ModelContract, names: list[str]) -> dict[int, Any]:
    """Return some rows' cells by column; none where test.csv has gone or was changed: that is no reason to fail."""
    wanted, found = set(rows.tolist()), dict[int, Any]()
    known = {feature.name for feature in contract.features} | {*contract.targets}
    try:
        with table.open("rb") as file:
            for chunk in csv_chunks(file, str(table), _ROWS_AT_ONCE):
                first = chunk.first_row - 1
                here = sorted(wanted.intersection(range(first, first + len(chunk))))
                numbers = [name for name in chunk.columns[:1] if name not in known]  # of the row in the whole table
                for name in [*numbers, *(name for name in names if name in chunk.columns)]:
                    for row in here:
                        found.setdefault(row, {})[name] = _cut(chunk.cell(row - first, name))
    except (OSError, InputError):
        return {}
    return found


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 3]}..."
