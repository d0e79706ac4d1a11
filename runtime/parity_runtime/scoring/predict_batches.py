"""Batches through a predictor, from Python."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.scoring.arrow_writer import with_predictions
from parity_runtime.scoring.faulty_rows import row_count, taken_names
from parity_runtime.scoring.prediction_columns import prediction_names
from parity_runtime.scoring.python_rows import answer_rows
from parity_runtime.scoring.rejected_rows import RejectedRows, check_errors, way_out_named
from parity_runtime.scoring.score_chunk import Errors, in_order, score
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.cell_values import cell_values


def predict_batches(
    predictor: Predictor,
    batches: Iterable[Any],
    *,
    threads: int = 1,
    prefix: str = "",
    errors: Errors = "raise",
    rejected: Callable[[InputError], object] | None = None,
) -> Iterator[Any]:
    """Predict batches one after the other, in their order and in constant memory.

    >>> from parity_runtime import Predictor, predict_batches
    >>> predictor = Predictor("tests/data/xor")
    >>> for outputs in predict_batches(predictor, [[[0.1, 0.9]], [[0.9, 1.1], [0, 0]]]):
    ...     print(outputs["label"])
    [1]
    [0 0]

    A row that cannot be predicted need not end the job. The logger ``parity_runtime`` warns how many there were:

    >>> found = []
    >>> batches = [[[0.1, 0.9]], [[0.9, None], [0, 0]]]
    >>> for outputs in predict_batches(predictor, batches, errors="null", rejected=found.append):
    ...     print(outputs["label"])
    [1]
    [-- 0]
    >>> found[0].row, found[0].column
    (2, 'x2')

    Args:
        predictor: predicts each batch.
        batches: any mixture of rows as `Predictor.predict` takes them, and of Arrow record batches. For a model with
            several inputs, mappings as `Predictor.run` takes them.
        threads: how many batches are predicted at the same time. With several threads, up to ``threads + 1`` batches
            are read ahead.
        prefix: for record batches: the names of the added columns begin with this.
        errors: what to do if a row cannot be predicted: ``raise`` ends the stream, ``skip`` leaves out the row,
            ``null`` leaves its predictions empty.
        rejected: with ``skip`` and ``null``: a function that is called with the `InputError` of each such row, before
            its batch is yielded, such as a list's ``append``. The error's ``row`` counts from 1 over the whole stream.

    Yields:
        For a batch of rows, what `Predictor.run` returns: every output by name. With ``null``, floats are NaN in a row
        without a prediction, and integers and truth values are always masked arrays. For a ``pyarrow.RecordBatch``, the
        same batch with the columns that ``parity predict`` adds; they are null in a row without a prediction.

    Raises:
        InputError: a batch does not fit the contract. The batches before it have been yielded. ``skip`` and ``null`` do
            not prevent this error if the fault is not in a row: a column is missing or has another type, or the number
            of columns differs. Also if an argument has a wrong value, or if ``errors`` is not ``raise`` and the model's
            rows influence one another.
        ConformanceError: the graph predicts a label that is not a class of the contract.
    """
    if threads < 1:
        raise InputError(f"threads is {threads}; it must be at least 1")
    check_errors(predictor.contract, errors)
    stream = _Stream(predictor, prefix, errors)
    answers = in_order(lambda counted: stream.answer(*counted), stream.counted(batches), threads)
    return _told(answers, RejectedRows(errors, rejected))


def _told(answers: Iterator[tuple[Any, list[InputError]]], rows: RejectedRows) -> Iterator[Any]:
    """Yield the answers; say of rows that have none what was wrong with them, and at the end how many there were."""
    try:
        for answer, faults in answers:
            if faults:
                rows.add(faults)
            yield answer
    finally:
        rows.log()


@dataclass(frozen=True)
class _Stream:
    """How the batches of a stream are answered."""

    predictor: Predictor
    prefix: str
    errors: Errors

    def counted(self, batches: Iterable[Any]) -> Iterator[tuple[int, int, Any]]:
        """Return each batch with its number, and the number of its first row in the whole stream, both from 1."""
        first, taken = 1, taken_names(self.predictor.contract)
        for number, batch in enumerate(batches, 1):
            yield number, first, batch
            first += row_count(batch, taken)

    def answer(self, number: int, first: int, batch: Any) -> tuple[Any, list[InputError]]:
        """Return a batch's answers, and the errors of rows that have none."""
        is_arrow = type(batch).__name__ == "RecordBatch" and type(batch).__module__.startswith("pyarrow")
        with way_out_named(self.predictor.contract):
            return (self._record_batch if is_arrow else self._rows)(number, first, batch)

    def _rows(self, number: int, first: int, batch: Any) -> tuple[Any, list[InputError]]:
        where = f"batch {number}"
        try:
            outputs, faults = answer_rows(self.predictor, batch, self.errors, lambda *given: self._warn(number, *given))
        except InputError as error:
            row = None if error.row is None else first + error.row - 1
            raise InputError(error.problem, path=where, row=row, column=error.column) from error
        return outputs, [
            InputError(fault.problem, path=where, row=first + place, column=fault.column)
            for place, fault in faults.items()
        ]

    def _record_batch(self, number: int, first: int, batch: Any) -> tuple[Any, list[InputError]]:
        contract = self.predictor.contract
        chunk = ArrowChunk(f"batch {number}", batch, first)
        chunk.values = cell_values(contract.missing_values)
        names = prediction_names(contract, certified=self.predictor.has_error_bounds)
        chunk.refuse_columns((self.prefix + name for name in names), "give the added ones a prefix='predicted_'")
        scored = score(
            self.predictor, chunk, self.errors, observe=lambda _, inputs, *__: self._warn(number, batch, inputs)
        )
        answers = [answer.renamed(self.prefix) for answer in scored.predictions]
        kept: Any = scored.chunk
        return with_predictions(kept.batch, answers, scored.unpredicted), scored.refused

    def _warn(self, number: int, batch: Any, inputs: Arrays) -> None:
        """Warn of categories that are spelled otherwise than in training, in the first batch."""
        if number == 1:
            UnknownCategories(self.predictor.contract).warn(batch, inputs, 2)
