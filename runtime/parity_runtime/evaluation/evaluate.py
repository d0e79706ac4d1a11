"""How good a package's predictions are, over a table whose true values are known."""

from collections.abc import Callable, Iterable
from typing import Any, Self

from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.evaluation.baseline import Trained
from parity_runtime.evaluation.compared_rows import ComparedClasses, ComparedValues
from parity_runtime.evaluation.true_cells import missing_targets
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.output_validation import NO_FINITE_OUTPUT
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.prediction_columns import prediction_columns
from parity_runtime.scoring.score_chunk import no_predictions, run_accepted
from parity_runtime.tables.chunk import Chunk, Refusal, Refused
from parity_runtime.tables.feature_columns import chunk_inputs

Observe = Callable[[Arrays, Arrays, NDArray[Any]], None]
"""Looks at rows that are evaluated: the graph's inputs, its outputs, and the true class indices or values."""


def evaluate_chunks(
    predictor: Predictor,
    chunks: Iterable[Chunk],
    target: str | None = None,
    observe: Observe | None = None,
    trained: Trained | None = None,
) -> dict[str, Any]:
    """Return the metrics of a predictor over a table.

    A row without a truth cannot be compared: it is left out, and counted as ``without_target``.

    Args:
        predictor: a classifier, or a regression.
        chunks: the rows, with the features and the target.
        target: the target's column; by default the contract's, of several all of them.
        observe: is shown all rows that are compared, piece by piece.
        trained: what is known of the training rows; None where nothing is, and then there is no ``baseline``.

    Raises:
        InputError: a column is missing, a cell is no number, a label is no class of the model; no rows to compare.
    """
    found = Evaluation(predictor.contract, target, trained=trained)
    found.update(predictor, chunks, observe)
    return found.result()


def check_targets(contract: ModelContract, target: str | None) -> tuple[str, ...]:
    """Return the columns that hold the true values: one, or of a regression of several targets all of them.

    Raises:
        InputError: the model has no such target, or names none; or its answers are not compared with columns.
    """
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; there is nothing to evaluate")
    if not contract.is_classifier and contract.task != "regression":
        raise InputError(
            f"{contract.name} has the task {contract.task}, and one column of true values cannot be compared with its "
            "predictions; compare what Predictor.predict returns from Python, as with scikit-learn's metrics"
        )
    several = not contract.is_classifier and len(contract.targets) > 1
    if target is None and not several and len(contract.targets) != 1:
        raise InputError(
            f"the package names no single target; say which column holds the true values with {argument('target')}"
        )
    if target is not None and several and target not in contract.targets:
        raise InputError(f"{target!r} is none of the model's targets, {', '.join(contract.targets)}")
    return contract.targets if target is None else (target,)


class Evaluation:
    """What is known of a predictor, from rows that come in any number of parts. It pickles without the model.

    Args:
        contract: of a classifier, or of a regression.
        target: the target's column; by default the contract's, of several all of them.
        binned: take the areas under curves from bins, in constant memory, so that parts are small.
        trained: what is known of the training rows, for the baseline; None for none.

    Raises:
        InputError: as `check_targets`.
    """

    def __init__(
        self,
        contract: ModelContract,
        target: str | None = None,
        *,
        binned: bool = False,
        trained: Trained | None = None,
    ) -> None:
        self._targets = check_targets(contract, target)
        self._compared: Any = (
            ComparedClasses(contract, self._targets[0], trained, binned=binned)
            if contract.is_classifier
            else ComparedValues(contract, self._targets, trained)
        )
        self._rows, self._left_out = 0, 0
        self._places: list[str] = []  # the first and the last file, or batch

    def update(self, predictor: Predictor, chunks: Iterable[Chunk], observe: Observe | None = None) -> None:
        """Take rows, as `evaluate_chunks`."""
        for chunk in chunks:
            missing = missing_targets(predictor.contract, chunk, self._targets)
            left_out = int(missing.sum())
            self._left_out += left_out
            self._rows += len(chunk) - left_out
            self._places = [self._places[0] if self._places else chunk.where, chunk.where]
            if left_out < len(chunk):
                known = chunk.keep(~missing) if left_out else chunk
                inputs, outputs = _answers(predictor, known)
                true = self._compared.update(known, outputs)
                (observe or (lambda *_: None))(inputs, outputs, true)

    def merge(self, other: Self) -> None:
        """Take the rows that another one has taken, of the same model and targets; in any order."""
        self._compared.merge(other._compared)
        self._rows += other._rows
        self._left_out += other._left_out
        places = [*self._places, *other._places]
        self._places = [min(places), max(places)] if places else []

    def result(self) -> dict[str, Any]:
        """Return the metrics of all rows, as `evaluate_chunks`."""
        if not self._rows and self._left_out:
            all_rows = "the only row" if self._left_out == 1 else f"all {self._left_out} rows"
            where = " to ".join(dict.fromkeys(self._places))
            raise InputError(f"{where}: {' or '.join(self._targets)} is missing in {all_rows}")
        metrics: dict[str, Any] = self._compared.result()
        return metrics | {"without_target": self._left_out}


def _answers(predictor: Predictor, chunk: Chunk) -> tuple[Arrays, Arrays]:
    """Return the inputs and the outputs for a chunk, all of them finite.

    Raises:
        InputError: names the first row that cannot be predicted.
    """
    contract = predictor.contract
    inputs = chunk_inputs(contract, chunk)
    refused = Refused()
    outputs = run_accepted(predictor, inputs, refused)
    for row in no_predictions(prediction_columns(contract, outputs)):
        refused.setdefault(row, Refusal(NO_FINITE_OUTPUT))
    chunk.refuse(refused)
    return inputs, outputs
