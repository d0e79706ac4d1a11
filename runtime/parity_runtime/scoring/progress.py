"""How far a long job is, on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.json_lines import JsonChunk
from parity_runtime.tables.npy_file import ArrayChunk
from parity_runtime.tables.table_file import TableFile

_WORTH_A_BAR = 2**22  # bytes; a smaller file is answered before one could read it


@contextmanager
def progress(table: TableFile, *, quiet: bool) -> Iterator[Callable[[Scored], None]]:
    """Show a bar on stderr where that is a terminal; a count of rows where the file's length is unknown.

    Args:
        table: what is read.
        quiet: show nothing (the answers go to the same terminal).
    """
    size = _size(table)
    if quiet or sys.stderr is None or not sys.stderr.isatty() or (size is not None and size < _WORTH_A_BAR):
        yield lambda _: None
    elif size is None:
        try:
            yield _Counter().add
        finally:
            click.echo(err=True)
    else:
        with click.progressbar(length=size, file=sys.stderr) as bar:
            yield lambda scored: bar.update(_bytes(scored.chunk))


class _Counter:
    def __init__(self) -> None:
        self._rows = 0

    def add(self, scored: Scored) -> None:
        self._rows += len(scored.chunk)
        click.echo(f"\r{self._rows:,} rows", err=True, nl=False)


def _size(table: TableFile) -> int | None:
    """Return the bytes of what `_bytes` counts; None where they are unknown."""
    if table.name == "-":
        return None
    try:
        return os.stat(table.name).st_size if table.format in ("csv", "jsonl", "npy") else None  # noqa: PTH116
    except OSError:
        return None


def _bytes(chunk: Any) -> int:
    if isinstance(chunk, CsvChunk | JsonChunk):
        return sum(map(len, chunk.records)) + len(chunk)
    return chunk.array.nbytes if isinstance(chunk, ArrayChunk) else 0
