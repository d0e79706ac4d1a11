"""How good a package's predictions are, over a table whose true values are known."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_runtime.contract import LABEL, PROBABILITIES, VALUE, ModelContract
from parity_runtime.errors import InputError
from parity_runtime.evaluation.metrics import ClassificationMetrics, RegressionMetrics
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.output_validation import NO_FINITE_OUTPUT
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.truth_classes import truth_classes
from parity_runtime.scoring.prediction_columns import prediction_columns
from parity_runtime.scoring.score_chunk import no_predictions
from parity_runtime.tables.chunk import Chunk, Refusal, shown
from parity_runtime.tables.feature_columns import chunk_inputs

Observe = Callable[[Arrays, Arrays, NDArray[Any]], None]
"""Looks at rows that are evaluated: the graph's inputs, its outputs, and the true class indices or values."""


def evaluate_chunks(
    predictor: Predictor, chunks: Iterable[Chunk], target: str | None = None, observe: Observe | None = None
) -> dict[str, Any]:
    """Return the metrics of a predictor over a table.

    A row without a truth cannot be compared: it is left out, and counted as ``without_target``.

    Args:
        predictor: a classifier, or a regression of one target.
        chunks: the rows, with the features and the target.
        target: the target's column; by default the contract's.
        observe: is shown all rows that are compared, piece by piece.

    Raises:
        InputError: a column is missing, a cell is no number, a label is no class of the model; no rows to compare.
    """
    contract = predictor.contract
    target = check_target(contract, target)
    compare = _classes if contract.is_classifier else _values
    known = _Known(contract, chunks, target)
    metrics = compare(predictor, known, target, observe or (lambda *_: None))
    return metrics | {"without_target": known.left_out}


def check_target(contract: ModelContract, target: str | None) -> str:
    """Return the column that holds the true values.

    Raises:
        InputError: the model has no such target, or several, of which none is named; or its answers are not compared
            with one column.
    """
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; there is nothing to evaluate")
    if not contract.is_classifier and contract.task != "regression":
        raise InputError(
            f"{contract.name} has the task {contract.task}, and one column of true values cannot be compared with its "
            "answers; compare what Predictor.predict returns from Python, as with scikit-learn's metrics"
        )
    if target is None and len(contract.targets) != 1:
        raise InputError(
            f"the package names no single target; say which column holds the true values with {argument('target')}"
        )
    target = target or contract.targets[0]
    if target not in contract.targets and len(contract.targets) > 1 and not contract.is_classifier:
        raise InputError(f"{target!r} is none of the model's targets, {', '.join(contract.targets)}")
    return target


class _Known:
    """The rows of chunks whose target is not missing; counts the others."""

    def __init__(self, contract: ModelContract, chunks: Iterable[Chunk], target: str) -> None:
        self._contract, self._chunks, self._target = contract, chunks, target
        self.left_out = 0

    def __iter__(self) -> Iterator[Chunk]:
        rows, first = 0, ""
        for chunk in self._chunks:
            first = first or chunk.where
            missing = missing_targets(self._contract, chunk, self._target)
            self.left_out += int(missing.sum())
            rows += len(chunk) - int(missing.sum())
            if not missing.all():
                yield chunk.keep(~missing) if missing.any() else chunk
        if not rows and self.left_out:
            all_rows = "the only row" if self.left_out == 1 else f"all {self.left_out} rows"
            where = first if first == chunk.where else f"{first} to {chunk.where}"
            raise InputError(f"{where}: {self._target} is missing in {all_rows}")


def _classes(predictor: Predictor, chunks: Iterable[Chunk], target: str, observe: Observe) -> dict[str, Any]:
    contract = predictor.contract
    metrics = ClassificationMetrics(len(contract.classes))
    for chunk in chunks:
        inputs, outputs = _answers(predictor, chunk)
        true = class_indices(contract, chunk, target)
        metrics.update(true, outputs[LABEL], outputs[PROBABILITIES])
        observe(inputs, outputs, true)
    return metrics.result()


def _values(predictor: Predictor, chunks: Iterable[Chunk], target: str, observe: Observe) -> dict[str, Any]:
    contract, metrics = predictor.contract, RegressionMetrics()
    column = contract.targets.index(target) if target in contract.targets else 0
    for chunk in chunks:
        inputs, outputs = _answers(predictor, chunk)
        true = _known_numbers(chunk, target)
        metrics.update(true, outputs[VALUE][:, column])
        observe(inputs, outputs, true)
    return metrics.result()


def _answers(predictor: Predictor, chunk: Chunk) -> tuple[Arrays, Arrays]:
    """Return the inputs and the outputs for a chunk, all of them finite.

    Raises:
        InputError: names the first row that cannot be predicted.
    """
    contract = predictor.contract
    inputs = chunk_inputs(contract, chunk)
    outputs = predictor.run(inputs)
    chunk.refuse(dict.fromkeys(no_predictions(prediction_columns(contract, outputs)), Refusal(NO_FINITE_OUTPUT)))
    return inputs, outputs


def _known_numbers(table: Chunk, target: str) -> NDArray[np.float64]:
    numbers = table.numbers([target])[:, 0]
    unknown = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise table.error(row, f"{target} is {shown(table.cell(row, target))}, no number to compare", target)
    return numbers


def missing_targets(contract: ModelContract, table: Chunk, target: str) -> NDArray[np.bool_]:
    """Return which rows have no truth, bool ``[rows]``; a class of the model is one, whatever it is called.

    Raises:
        InputError: there is no such column, or a row is none.
    """
    if not contract.is_classifier:
        return np.isnan(table.numbers([target])[:, 0])
    missing = table.missing(target)
    if not isinstance(contract.classes[0], int):
        names = set(contract.classes)
        return missing & np.array([cell.strip() not in names for cell in table.column(target)], np.bool_)
    words = (table.values.is_missing(cell, in_numbers=True) for cell in table.column(target))
    return missing | np.fromiter(words, np.bool_, len(table))


def class_indices(contract: ModelContract, table: Chunk, target: str) -> NDArray[np.int64]:
    """Return the class index of every row, int64 ``[rows]``; of the classes false and true in any case.

    Raises:
        InputError: names the first row whose cell is no class of the model.
    """
    index = {str(label): position for position, label in enumerate(contract.classes)}
    integers = all(isinstance(label, int) for label in contract.classes)
    cells = [_integer_text(cell.strip()) if integers else cell.strip() for cell in table.column(target)]
    truths = truth_classes(contract.classes)
    if truths:
        cells = [truths.get(cell.lower(), cell) for cell in cells]
    for row, cell in enumerate(cells):
        if cell not in index:
            what = f"is {shown(cell)}, no class of" if cell else "is missing; it takes a class,"
            raise table.error(row, f"{target} {what} {', '.join(index)}", target)
    return np.array([index[cell] for cell in cells], np.int64)


def _integer_text(cell: str) -> str:
    """Return an integer written with a decimal point (``1.0``) without it; anything else as it is."""
    whole, point, fraction = cell.partition(".")
    return whole if point and not fraction.strip("0") else cell
