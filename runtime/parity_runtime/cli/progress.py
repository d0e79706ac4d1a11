"""How far a long job is, on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from parity_runtime.scoring.score_chunk import Scored

if TYPE_CHECKING:
    from parity_runtime.tables.table_file import TableFile

WORTH_A_BAR = 2**22
"""Bytes; a smaller file is answered before one could read it."""


def on_terminal() -> bool:
    """Whether somebody sees what stderr says as it is written."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress_bar(length: int, label: str, describe: Callable[[Any], str]) -> Iterator[Callable[[int, Any], None]]:
    """Show a bar on stderr where that is a terminal.

    Args:
        length: the steps of the whole job.
        label: what stands before the bar.
        describe: returns what stands behind it, for the item of the last step.

    Yields:
        What is told how many steps are done in all, and the last one's item.
    """
    if not on_terminal():
        yield lambda _done, _item: None
        return

    def show(item: Any) -> str | None:
        return None if item is None else describe(item)  # click asks before the first step, too

    bar: Any
    with click.progressbar(length=length, label=label, file=sys.stderr, item_show_func=show) as bar:
        yield lambda done, item: bar.update(done - bar.pos, item)


@contextmanager
def table_progress(table: "TableFile | None", *, quiet: bool) -> Iterator[Callable[[Scored], None]]:
    """Show a bar on stderr where that is a terminal; a count of rows where the file's length is unknown.

    Args:
        table: what is read; None for a few rows in memory.
        quiet: show nothing (the answers go to the same terminal).
    """
    size = 0 if table is None else _size(table)
    if quiet or not on_terminal() or (size is not None and size < WORTH_A_BAR):
        yield lambda _: None
    elif size is None:
        try:
            yield _Counter().add
        finally:
            click.echo(err=True)
    else:
        with click.progressbar(length=size, file=sys.stderr) as bar:
            yield lambda scored: bar.update(scored.chunk.file_bytes)
            bar.update(size - bar.pos)  # header, and rows that were left out


class _Counter:
    def __init__(self) -> None:
        self._rows = 0

    def add(self, scored: Scored) -> None:
        self._rows += len(scored.chunk)
        click.echo(f"\r{self._rows:,} {'row' if self._rows == 1 else 'rows'}", err=True, nl=False)


def _size(table: "TableFile") -> int | None:
    """Return the bytes of what `Chunk.file_bytes` counts; None where they are unknown."""
    if table.name == "-" or table.name.lower().endswith(".gz"):
        return None
    try:
        return os.stat(table.name).st_size if table.format in ("csv", "jsonl", "npy") else None  # noqa: PTH116
    except OSError:
        return None
