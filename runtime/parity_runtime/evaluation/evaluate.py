"""How good a package's predictions are, over a table whose true values are known."""

from collections.abc import Callable, Iterable
from typing import Any, Self

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
    found = Evaluation(predictor.contract, target)
    found.update(predictor, chunks, observe)
    return found.result()


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


class Evaluation:
    """What is known of a predictor, from rows that come in any number of parts. It pickles without the model.

    Args:
        contract: of a classifier, or of a regression of one target.
        target: the target's column; by default the contract's.
        binned: take the area under the ROC curve from bins, in constant memory, so that parts are small.

    Raises:
        InputError: as `check_target`.
    """

    def __init__(self, contract: ModelContract, target: str | None = None, *, binned: bool = False) -> None:
        self._target = check_target(contract, target)
        self._metrics: Any = (
            ClassificationMetrics(len(contract.classes), binned=binned)
            if contract.is_classifier
            else RegressionMetrics()
        )
        self._rows, self._left_out = 0, 0
        self._places: list[str] = []  # the first and the last file, or batch

    def update(self, predictor: Predictor, chunks: Iterable[Chunk], observe: Observe | None = None) -> None:
        """Take rows, as `evaluate_chunks`."""
        compare = _classes if predictor.contract.is_classifier else _values
        for chunk in chunks:
            missing = missing_targets(predictor.contract, chunk, self._target)
            left_out = int(missing.sum())
            self._left_out += left_out
            self._rows += len(chunk) - left_out
            self._places = [self._places[0] if self._places else chunk.where, chunk.where]
            if left_out < len(chunk):
                known = chunk.keep(~missing) if left_out else chunk
                compare(self._metrics, predictor, known, self._target, observe or (lambda *_: None))

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of the same model and target; in any order."""
        self._metrics.merge(other._metrics)
        self._rows += other._rows
        self._left_out += other._left_out
        places = [*self._places, *other._places]
        self._places = [min(places), max(places)] if places else []

    def result(self) -> dict[str, Any]:
        """Return the metrics of all rows, as `evaluate_chunks`."""
        if not self._rows and self._left_out:
            all_rows = "the only row" if self._left_out == 1 else f"all {self._left_out} rows"
            where = " to ".join(dict.fromkeys(self._places))
            raise InputError(f"{where}: {self._target} is missing in {all_rows}")
        metrics: dict[str, Any] = self._metrics.result()
        return metrics | {"without_target": self._left_out}


def _classes(metrics: ClassificationMetrics, predictor: Predictor, chunk: Chunk, target: str, observe: Observe) -> None:
    inputs, outputs = _answers(predictor, chunk)
    true = class_indices(predictor.contract, chunk, target)
    metrics.update(true, outputs[LABEL], outputs[PROBABILITIES])
    observe(inputs, outputs, true)


def _values(metrics: RegressionMetrics, predictor: Predictor, chunk: Chunk, target: str, observe: Observe) -> None:
    targets = predictor.contract.targets
    inputs, outputs = _answers(predictor, chunk)
    true = _known_numbers(chunk, target)
    metrics.update(true, outputs[VALUE][:, targets.index(target) if target in targets else 0])
    observe(inputs, outputs, true)


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
