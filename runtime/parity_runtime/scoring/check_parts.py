"""A look at each part before the first is answered: what is wrong with the last one is said before hours of work."""

import io
from collections.abc import Sequence

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.create_writer import create_writer
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.prediction_columns import BESIDE_TARGET, check_gives_columns
from parity_runtime.scoring.score_table import chunk_size
from parity_runtime.tables.feature_columns import check_takes_rows, read_inputs
from parity_runtime.tables.json_lines import JsonChunk
from parity_runtime.tables.table_parts import TablePart


def check_parts(predictor: Predictor, job: FolderJob, parts: Sequence[TablePart]) -> None:
    """Look at the columns of all parts; few bytes of each are read.

    Raises:
        InputError: a part cannot be read, is empty, lacks a column of the model or one that shall be written, has one
            that is added, or would have columns of other names added than the first.
    """
    check_gives_columns(predictor.contract)
    check_takes_rows(predictor.contract)
    first: tuple[str, str] | None = None
    for part in parts:
        prefix = _check(predictor, job, part)
        first = first or (prefix, part.path)
        if prefix != first[0]:
            has, lacks = (part.path, first[1]) if prefix else (first[1], part.path)
            raise InputError(
                f"{has} has the target's own column, and {lacks} has not: their added columns would have other names; "
                f"add {argument('prefix', BESIDE_TARGET)}"
            )


def _check(predictor: Predictor, job: FolderJob, part: TablePart) -> str:
    """Return what the names of a part's added columns begin with."""
    if not part.size and not job.reading.header:
        raise InputError(f"{part.path} is empty; remove it if it has no rows, or write it again")
    table = job.table(predictor, part)
    head = table.head(chunk_size(predictor.contract, job.scoring.batch_size))
    if not isinstance(head, JsonChunk):  # a key may be in other lines than the first
        read_inputs(predictor.contract, head)
    prefix, layout = job.scoring.layout(predictor, head)
    spreadsheet_safe = job.scoring.spreadsheet_safe
    create_writer(job.format_of(part, table), io.BytesIO(), layout, head, spreadsheet_safe=spreadsheet_safe)
    return prefix
