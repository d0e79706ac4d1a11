"""The rows of many tables as if they were one, to be evaluated."""

from collections.abc import Iterator, Sequence
from itertools import chain

from parity_runtime.evaluation.evaluate import check_targets
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.folder_job import refuse_dependent_rows
from parity_runtime.scoring.score_table import chunk_size
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import check_takes_rows, read_inputs
from parity_runtime.tables.json_lines import JsonChunk
from parity_runtime.tables.table_file import TableFile


def chunks_of_parts(predictor: Predictor, files: Sequence[TableFile], target: str | None) -> Iterator[Chunk]:
    """Return the rows of tables, one table after the other, for `parity_runtime.evaluation.evaluate.evaluate_chunks`.

    The columns of all are looked at before the first is read.

    Args:
        predictor: answers them.
        files: the tables; each is read once, in constant memory.
        target: the column of the true values; by default the contract's, of several all of them.

    Raises:
        InputError: a table cannot be read or lacks a column, or rows of the model influence one another.
    """
    check_files(predictor, files, target)
    size = chunk_size(predictor.contract, None)
    return chain.from_iterable(file.chunks(size) for file in files)


def check_files(predictor: Predictor, files: Sequence[TableFile], target: str | None) -> None:
    """Look at the columns of tables that are to be evaluated; few bytes of each are read.

    Raises:
        InputError: as `chunks_of_parts`.
    """
    refuse_dependent_rows(predictor)
    check_takes_rows(predictor.contract)
    targets = check_targets(predictor.contract, target)
    size = chunk_size(predictor.contract, None)
    for file in files:
        _check(predictor, file.head(size), targets)


def _check(predictor: Predictor, head: Chunk, targets: Sequence[str]) -> None:
    if not isinstance(head, JsonChunk):  # a key may be in other lines than the first
        read_inputs(predictor.contract, head)
        for target in targets:
            head.index(target)
