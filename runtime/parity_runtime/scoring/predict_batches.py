"""Batches through a predictor, from Python."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from parity_runtime.contract import ModelContract, is_encoded
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays, table_inputs
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.scoring.arrow_writer import with_predictions
from parity_runtime.scoring.prediction_columns import prediction_names
from parity_runtime.scoring.score_chunk import in_order, score
from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.cell_values import cell_values


def predict_batches(
    predictor: Predictor, batches: Iterable[Any], *, threads: int = 1, prefix: str = ""
) -> Iterator[Any]:
    """Answer batches one after the other, in their order and in constant memory.

    >>> from parity_runtime import Predictor, predict_batches
    >>> predictor = Predictor("tests/data/xor")
    >>> for outputs in predict_batches(predictor, [[[0.1, 0.9]], [[0.9, 1.1], [0, 0]]]):
    ...     print(outputs["label"])
    [1]
    [0 0]

    Args:
        predictor: answers each batch.
        batches: any mixture of rows as `Predictor.predict` takes them, and of Arrow record batches; of a model with
            several inputs mappings, as `Predictor.run` takes them.
        threads: how many batches are answered at once; as many, and one, are taken ahead.
        prefix: of record batches: what the names of the added columns begin with.

    Yields:
        For rows what `Predictor.run` returns, every output by name. For a ``pyarrow.RecordBatch`` the same batch with
        the columns that ``parity predict`` adds.

    Raises:
        InputError: a batch does not fit the contract; the batches before it have been answered.
    """
    if threads < 1:
        raise InputError(f"threads is {threads}; at least one thread works")
    return in_order(lambda counted: _answer(predictor, prefix, *counted), _counted(batches), threads)


def _counted(batches: Iterable[Any]) -> Iterator[tuple[int, int, Any]]:
    """Return each batch with its number, from 1, and the number of its first row in the whole stream, from 1."""
    first = 1
    for number, batch in enumerate(batches, 1):
        yield number, first, batch
        first += _length(batch)


def _length(batch: Any) -> int:
    """Return the rows of a batch; 0 where it has none, which answering it says."""
    columns = list(batch.values()) if isinstance(batch, Mapping) else [batch]
    try:
        return len(columns[0])
    except (IndexError, TypeError):
        return 0


def _run(predictor: Predictor, number: int, first: int, batch: Any) -> Any:
    contract = predictor.contract
    names = {spec.name for spec in contract.inputs}
    is_run = isinstance(batch, Mapping) and set(batch) == names
    try:
        if is_encoded(contract):
            return predictor.run(batch if is_run else _inputs(contract, number, batch))
        return predictor.run({next(iter(names)): batch} if len(names) == 1 else batch)
    except InputError as error:
        row = None if error.row is None else first + error.row - 1
        raise InputError(error.problem, path=f"batch {number}", row=row, column=error.column) from error


def _inputs(contract: ModelContract, number: int, batch: Any) -> Arrays:
    inputs = table_inputs(contract, batch)
    _warn(contract, number, batch, inputs)
    return inputs


def _warn(contract: ModelContract, number: int, batch: Any, inputs: Arrays) -> None:
    """Warn of categories that are spelled otherwise than in training, in the first batch."""
    if number == 1:
        UnknownCategories(contract).warn(batch, inputs, 2)


def _answer(predictor: Predictor, prefix: str, number: int, first: int, batch: Any) -> Any:
    if type(batch).__name__ != "RecordBatch" or not type(batch).__module__.startswith("pyarrow"):
        return _run(predictor, number, first, batch)
    chunk = ArrowChunk(f"batch {number}", batch, first)
    chunk.values = cell_values(predictor.contract.missing_values)
    names = prediction_names(predictor.contract, certified=predictor.has_error_bounds)
    chunk.refuse_columns((prefix + name for name in names), "give the added ones a prefix='predicted_'")
    scored = score(predictor, chunk, observe=lambda _, inputs, *__: _warn(predictor.contract, number, batch, inputs))
    return with_predictions(batch, [answer.renamed(prefix) for answer in scored.predictions], scored.unpredicted)
