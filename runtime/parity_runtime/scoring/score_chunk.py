"""Chunks of a table through a predictor: in order, with any number of threads, the same bits whatever their size."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument, either
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.output_validation import NO_FINITE_OUTPUT
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.out_of_range import out_of_range_cells, out_of_range_reasons
from parity_runtime.scoring.prediction_columns import OUT_OF_RANGE, PredictionColumn, prediction_columns
from parity_runtime.tables.chunk import Chunk, Refusal, Refused
from parity_runtime.tables.feature_columns import blank_rows, is_missing_cell, read_inputs

if TYPE_CHECKING:
    from concurrent.futures import Future

Errors = Literal["raise", "skip", "null"]
"""What becomes of a row that cannot be predicted: it ends the job, is left out, or has no prediction."""

OutsideRange = Literal["ignore", "mark", "refuse"]
"""What becomes of a row outside what the model has seen: nothing, a column says so, or it cannot be predicted."""

Observe = Callable[[Chunk, Arrays, NDArray[np.bool_], Arrays], Any]
"""Looks at rows that were predicted: the rows, the graph's inputs, which have no prediction, the graph's outputs."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Scored:
    """Some rows and their answers.

    Attributes:
        chunk: the rows.
        predictions: the added columns, each ``[rows]``.
        unpredicted: bool ``[rows]``: the rows whose answers mean nothing.
        refused: the errors that the rows are which were skipped or not answered, in their order.
        observed: what was made of the rows beside their answers; None where nothing was asked for.
    """

    chunk: Chunk
    predictions: list[PredictionColumn]
    unpredicted: NDArray[np.bool_]
    refused: list[InputError]
    observed: Any = None


def score(
    predictor: Predictor,
    chunk: Chunk,
    errors: Errors = "raise",
    out_of_range: OutsideRange = "ignore",
    observe: Observe | None = None,
) -> Scored:
    """Predict the rows of a chunk.

    ``observe`` sees all of them, those that are left out of the predictions as well.

    Raises:
        InputError: a column is missing; or, with ``raise``, names the first row that cannot be predicted.
        ConformanceError: the graph predicts a label that is no class of the contract.
    """
    inputs, refused = read_inputs(predictor.contract, chunk)
    outside = None if out_of_range == "ignore" else out_of_range_cells(predictor.contract, inputs)
    if outside is not None and out_of_range == "refuse":
        way_out = _outside_way_out() if errors == "raise" else ""
        refused = out_of_range_reasons(predictor.contract, chunk, outside, way_out) | refused
        blank_rows(inputs, refused)
    if errors == "raise":
        chunk.refuse(_with_way_out(refused) if predictor.contract.row_independent else refused)
    outputs = run_accepted(predictor, inputs, refused)
    predictions = prediction_columns(predictor.contract, outputs)
    if outside is not None and out_of_range == "mark":
        predictions.append(PredictionColumn(OUT_OF_RANGE, np.asarray(outside.any(axis=1))))
    for row in no_predictions(predictions):
        refused.setdefault(row, Refusal(NO_FINITE_OUTPUT))
    if errors == "raise":
        chunk.refuse(refused)
    unpredicted = np.zeros(len(chunk), np.bool_)
    unpredicted[list(refused)] = True
    faults = [chunk.error(row, *refused[row]) for row in sorted(refused)]
    observed = None if observe is None else observe(chunk, inputs, unpredicted, outputs)
    if errors == "skip" and refused:
        kept = ~unpredicted
        answers = [answer.keep(kept) for answer in predictions]
        return Scored(chunk.keep(kept), answers, unpredicted[kept], faults, observed)
    return Scored(chunk, predictions, unpredicted, faults, observed)


def run_accepted(predictor: Predictor, inputs: Arrays, refused: Refused) -> Arrays:
    """Return the outputs for a chunk; those of rows that the graph itself refuses, which are added, mean nothing.

    Args:
        predictor: of the package.
        inputs: of the chunk; refused rows are blanked.
        refused: what is wrong with its rows.

    Raises:
        InputError: the graph refuses the inputs, and that is no row's fault.
        ConformanceError: the graph predicts a label that is no class of the contract.
    """
    try:
        return predictor.run(inputs)
    except InputError as error:
        if error.row is None:
            raise
        for fault in error.of_each_row():
            refused.setdefault(fault.row - 1, Refusal(fault.problem, fault.column))  # type: ignore[operator] # it has one
        _cover(inputs, refused)
        return predictor.run(inputs)


def _cover(inputs: Arrays, refused: Refused) -> None:
    """Put the cells of a row that the graph takes in place of those of refused rows."""
    rows = len(next(iter(inputs.values())))
    accepted = next((row for row in range(rows) if row not in refused), None)
    if accepted is None:
        blank_rows(inputs, refused)
        return
    for array in inputs.values():
        array[list(refused)] = array[accepted]


def _with_way_out(refused: Refused) -> Refused:
    """Return refusals that say, of a missing cell, which option lets the job go on; Python's callers have none."""
    way_out = either("", f"; {argument('errors', 'null')} leaves the predictions of such rows empty")
    return {
        row: refusal._replace(problem=refusal.problem + way_out) if is_missing_cell(refusal) else refusal
        for row, refusal in refused.items()
    }


def _outside_way_out() -> str:
    """Return what else can become of a row that is out of range than the end of the job; said once, where it ends."""
    skip, mark = argument("errors", "skip"), argument("out_of_range", "mark")
    return f"; {skip} leaves such rows out, {mark} predicts and marks them"


def no_predictions(predictions: Iterable[PredictionColumn]) -> list[int]:
    """Return the rows whose answers are no numbers: what the model computes went beyond float32."""
    floats = [answer.values for answer in predictions if answer.values.dtype == np.float32 and not answer.bounds]
    if all(np.isfinite(values).all() for values in floats):  # as nearly always, and in a fraction of the time
        return []
    return [int(row) for row in np.flatnonzero(~np.isfinite(floats).all(axis=0))]


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Return ``work(item)`` of every item in the items' order; ``threads`` items and one are taken ahead."""
    if threads == 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- with its logging, for several threads alone

    waiting: deque[Future[Result]] = deque()
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            failure: Exception | None = None
            more = True
            while more or waiting:
                try:
                    while more and len(waiting) <= threads:
                        waiting.append(pool.submit(work, next(source)))
                except StopIteration:
                    more = False
                except Exception as error:  # the results before it come first
                    failure, more = error, False
                if waiting:
                    yield waiting.popleft().result()
            if failure is not None:
                raise failure
        finally:
            for future in waiting:
                future.cancel()
