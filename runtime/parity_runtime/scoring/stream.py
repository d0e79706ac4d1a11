"""Batches through a predictor, from Python."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from parity_runtime.errors import InputError
from parity_runtime.predictor import Predictor
from parity_runtime.scoring.answers import answer_names
from parity_runtime.scoring.arrow_writer import with_answers
from parity_runtime.scoring.score import in_order, score
from parity_runtime.tables.arrow_file import ArrowChunk


def stream(predictor: Predictor, batches: Iterable[Any], threads: int) -> Iterator[Any]:
    """Answer batches in their order; `Predictor.stream` says what they may be."""
    if threads < 1:
        raise InputError(f"threads is {threads}; at least one thread works")
    return in_order(lambda numbered: _answer(predictor, *numbered), zip(count(1), batches), threads)


def _run(predictor: Predictor, number: int, batch: Any) -> Any:
    inputs = predictor.contract.inputs
    try:
        return predictor.run({inputs[0].name: batch} if len(inputs) == 1 else batch)
    except InputError as error:
        raise InputError(f"batch {number}: {error}") from error


def _answer(predictor: Predictor, number: int, batch: Any) -> Any:
    if type(batch).__name__ != "RecordBatch" or not type(batch).__module__.startswith("pyarrow"):
        return _run(predictor, number, batch)
    chunk = ArrowChunk(f"batch {number}", batch, 1)
    chunk.refuse_columns(answer_names(predictor.contract, certified=predictor.has_proof))
    scored = score(predictor, chunk)
    return with_answers(batch, scored.answers, scored.unanswered)
