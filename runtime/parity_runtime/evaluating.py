"""How good a package's answers are, over a table whose truth is known."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.answer_checks import NO_ANSWER
from parity_runtime.contract import LABEL, PROBABILITIES, VALUE, ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inputs import Arrays
from parity_runtime.metrics import ClassificationMetrics, RegressionMetrics
from parity_runtime.predictor import Predictor
from parity_runtime.scoring.answers import answer_columns
from parity_runtime.scoring.score import no_answers
from parity_runtime.tables.chunk import Chunk, shown
from parity_runtime.tables.features import table_features


def evaluate_chunks(predictor: Predictor, chunks: Iterable[Chunk], target: str | None = None) -> dict[str, Any]:
    """Return the metrics of a predictor over a table.

    Args:
        predictor: a classifier, or a regression of one target.
        chunks: the rows, with the features and the target.
        target: the target's column; by default the contract's.

    Raises:
        InputError: a column is missing, a cell is no number, a label is no class of the model; no rows.
    """
    contract = predictor.contract
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; there is nothing to evaluate")
    if target is None and len(contract.targets) != 1:
        raise InputError("the package names no single target; say which column holds the truth with --target")
    target = target or contract.targets[0]
    if target not in contract.targets and len(contract.targets) > 1 and not contract.is_classifier:
        raise InputError(f"{target!r} is none of the model's targets, {', '.join(contract.targets)}")
    compare = _classes if contract.is_classifier else _values
    return compare(predictor, chunks, target)


def _classes(predictor: Predictor, chunks: Iterable[Chunk], target: str) -> dict[str, Any]:
    contract = predictor.contract
    metrics = ClassificationMetrics(len(contract.classes))
    for chunk in chunks:
        outputs = _answers(predictor, chunk)
        metrics.update(class_indices(contract, chunk, target), outputs[LABEL], outputs[PROBABILITIES])
    return metrics.result()


def _values(predictor: Predictor, chunks: Iterable[Chunk], target: str) -> dict[str, Any]:
    contract, metrics = predictor.contract, RegressionMetrics()
    column = contract.targets.index(target) if target in contract.targets else 0
    for chunk in chunks:
        outputs = _answers(predictor, chunk)
        metrics.update(_known_numbers(chunk, target), outputs[VALUE][:, column])
    return metrics.result()


def _answers(predictor: Predictor, chunk: Chunk) -> Arrays:
    """Return the outputs for a chunk, all of them finite.

    Raises:
        InputError: names the first row that cannot be answered.
    """
    contract = predictor.contract
    outputs = predictor.run({contract.inputs[0].name: table_features(contract, chunk)})
    chunk.refuse(dict.fromkeys(no_answers(answer_columns(contract, outputs)), NO_ANSWER))
    return outputs


def _known_numbers(table: Chunk, target: str) -> NDArray[np.float64]:
    numbers = table.numbers([target])[:, 0]
    unknown = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise InputError(f"{table.place(row)}: {target} is {shown(table.cell(row, target))}, no number to compare")
    return numbers


def class_indices(contract: ModelContract, table: Chunk, target: str) -> NDArray[np.int64]:
    """Return the class index of every row, int64 ``[rows]``.

    Raises:
        InputError: names the first row whose cell is no class of the model.
    """
    index = {str(label): position for position, label in enumerate(contract.classes)}
    integers = all(isinstance(label, int) for label in contract.classes)
    cells = [_integer_text(cell.strip()) if integers else cell.strip() for cell in table.column(target)]
    for row, cell in enumerate(cells):
        if cell not in index:
            raise InputError(f"{table.place(row)}: {target} is {shown(cell)}, no class of {', '.join(index)}")
    return np.array([index[cell] for cell in cells], np.int64)


def _integer_text(cell: str) -> str:
    """Return an integer written with a decimal point (``1.0``) without it; anything else as it is."""
    whole, point, fraction = cell.partition(".")
    return whole if point and not fraction.strip("0") else cell
