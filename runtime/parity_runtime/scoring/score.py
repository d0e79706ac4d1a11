"""Chunks of a table through a predictor: in order, with any number of threads, the same bits whatever their size."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from parity_runtime.predictor import Predictor
from parity_runtime.scoring.answers import Answer, answer_columns
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.features import read_features

Errors = Literal["stop", "skip", "null"]
"""What becomes of a row that cannot be answered: the job stops, the row is left out, or it has no answer."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Scored:
    """Some rows and their answers.

    Attributes:
        chunk: the rows.
        answers: the added columns, each ``[rows]``.
        unanswered: bool ``[rows]``: the rows whose answers mean nothing.
        refused: what was wrong with the rows that were skipped or not answered, by place: ``t.csv, row 7``.
    """

    chunk: Chunk
    answers: list[Answer]
    unanswered: NDArray[np.bool_]
    refused: dict[str, str]


def score(predictor: Predictor, chunk: Chunk, errors: Errors = "stop") -> Scored:
    """Answer the rows of a chunk.

    Raises:
        InputError: a column is missing; or, with ``stop``, names the first row that cannot be answered.
    """
    matrix, refused = read_features(predictor.contract, chunk)
    if errors == "stop":
        chunk.refuse(refused)
    outputs = predictor.run({predictor.contract.inputs[0].name: matrix})
    answers = answer_columns(predictor.contract, outputs)
    unanswered = np.zeros(len(chunk), np.bool_)
    unanswered[list(refused)] = True
    places = {chunk.place(row): refused[row] for row in sorted(refused)}
    if errors == "skip" and refused:
        kept = ~unanswered
        return Scored(chunk.keep(kept), [answer.keep(kept) for answer in answers], unanswered[kept], places)
    return Scored(chunk, answers, unanswered, places)


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Return ``work(item)`` of every item in the items' order; no more than ``threads`` wait to be taken."""
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
