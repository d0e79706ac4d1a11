"""One table, or rows that were typed, through ``parity predict``."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from parity_runtime.cli.drift_options import DriftWatch
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.progress import table_progress
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.printable import counted
from parity_runtime.scoring.prediction_columns import BESIDE_TARGET, beside_target_note
from parity_runtime.scoring.rejected_rows import rejected_sentence
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import check_takes_rows
from parity_runtime.tables.read_options import TEXT, ReadOptions, table_format
from parity_runtime.tables.typed_rows import TypedRows

if TYPE_CHECKING:
    from parity_runtime.tables.table_file import TableFile

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")

MOST_SHOWN = 20
"""Reasons that are printed; a broken file has one for each of its rows."""


class TableRun:
    """A table, or rows that were typed, on their way, and what is said of them on stderr."""

    def __init__(
        self, predictor: Predictor, table: "TableFile | None", job: ScoringJob, watch: DriftWatch | None
    ) -> None:
        self._predictor, self._table, self._job, self._watch = predictor, table, job, watch
        self._format = "csv" if table is None else table.format
        self._rows = 0
        self._refused = 0

    def write(self, chunks: Iterator[Chunk], out: Path | None) -> None:
        """Write the predictions to a file, or to stdout.

        Raises:
            LimitError: the rows differ too much from those of the training; there is no file.
        """
        if out is None:
            self._to_stdout(chunks)
            self._check_drift()
            return
        # half of this command's start where it is not needed
        from parity_runtime.files.atomic_write import atomic_write  # noqa: PLC0415

        if out.suffix.lower() in _COMPRESSED:
            raise InputError(f"{out}: predictions are not written compressed; pipe them through gzip")
        found = table_format(str(out), self._format)
        with atomic_write(out) as file:
            self._answer(chunks, file, found, quiet=False)
            self._check_drift()
        say(f"{counted(self._rows, 'row')} predicted in {out}")

    def _check_drift(self) -> None:
        if self._watch is not None:
            self._watch.finish()

    def _to_stdout(self, chunks: Iterator[Chunk]) -> None:
        try:
            found = self._format if self._format in TEXT else "csv"
            self._answer(chunks, sys.stdout.buffer, found, quiet=sys.stdout.isatty())
            sys.stdout.buffer.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename is not None:
                raise
            raise InputError(f"cannot write to stdout: {error.strerror}") from error

    def _answer(self, chunks: Iterator[Chunk], file: BinaryIO, format_name: str, *, quiet: bool) -> None:
        with table_progress(self._table, quiet=quiet) as show:

            def watch(scored: Scored) -> None:
                self._tell(scored)
                if scored.observed.problem:
                    say(f"parity: {scored.chunk.where}: {scored.observed.problem}")
                if self._watch is not None:
                    self._watch.counts.merge(scored.observed.counts)
                show(scored)

            self._job.run(self._predictor, chunks, file, format_name, watch)
        say_refused(self._refused, self._job)

    def _tell(self, scored: Scored) -> None:
        first = scored.predictions[0].name
        if not self._rows and self._job.prefix is None and first.startswith(BESIDE_TARGET):
            say(beside_target_note(scored.chunk.where, first))
        self._rows += len(scored.chunk) - int(scored.unpredicted.sum())
        for fault in scored.refused[: max(MOST_SHOWN - self._refused, 0)]:
            say(f"parity: {fault}")
        self._refused += len(scored.refused)


def say(text: str) -> None:
    """Say something on stderr; nobody may be listening, which is no reason to stop the work."""
    with contextlib.suppress(OSError):
        echo_line(text, err=True)


def say_refused(rows: int, job: ScoringJob) -> None:
    """Say what became of rows that cannot be predicted, where there are some."""
    if rows:
        say(f"parity: {rejected_sentence(rows, job.errors)}")


def typed_rows(contract: ModelContract, rows: tuple[str, ...], options: ReadOptions) -> Chunk:
    """Return rows that were typed on the command line, each written as in CSV.

    Raises:
        InputError: one has another number of cells, or the model takes no rows of a table.
    """
    check_takes_rows(contract)
    columns = [feature.name for feature in contract.row_features]
    cells = [_cells_of(row) for row in rows]
    for row, found in zip(rows, cells, strict=True):
        if len(found) != len(columns):
            raise InputError(f"--row {row} has {counted(len(found), 'cell')}; it takes {', '.join(columns)}")
    return TypedRows("--row", columns, cells, options.values(contract.missing_values))


def _cells_of(row: str) -> list[str]:
    """Return the cells of one row of CSV; a space behind a comma is no part of one."""
    import csv  # noqa: PLC0415 -- not for a table

    try:
        return next(csv.reader([row], skipinitialspace=True, strict=True)) or [""]
    except csv.Error as error:
        raise InputError(f'--row {row} is not a row of CSV ({error}); quote a cell as "a, b"') from error
