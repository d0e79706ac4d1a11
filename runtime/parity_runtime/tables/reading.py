"""Opens a table by its name, whatever format it has."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parity_runtime.errors import InputError
from parity_runtime.reading import open_stream
from parity_runtime.tables.arrow_file import arrow_chunks
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_file import PLAIN_CSV, CsvDialect, csv_chunks
from parity_runtime.tables.json_lines import json_chunks
from parity_runtime.tables.npy_file import npy_chunks

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".npy": "npy",
    ".parquet": "parquet",
    ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
"""The format of a file by its suffix; any other file is taken as CSV."""

TEXT = ("csv", "jsonl")
"""The formats that can be read from stdin and written to stdout."""


@dataclass(frozen=True)
class TableFile:
    """A file of rows.

    Attributes:
        name: the file; ``-`` is stdin.
        format: one of `FORMATS`' values.
        dialect: how its CSV is written.
        columns: the names of the columns of an .npy matrix.
    """

    name: str
    format: str = "csv"
    dialect: CsvDialect = PLAIN_CSV
    columns: Sequence[str] = ()

    @classmethod
    def named(cls, name: str) -> "TableFile":
        """Return the file of that name, its format known by its suffix."""
        return cls(name, table_format(name))

    def chunks(self, size: int | None) -> Iterator[Chunk]:
        """Read at most ``size`` rows at a time (None: all at once); a table without rows is given once.

        Raises:
            InputError: there is no such file, or it is not of its format.
            MissingExtraError: the format needs pyarrow, which is not installed.
        """
        if self.name == "-" and self.format not in TEXT:
            raise InputError(f"{self.format} cannot be read from stdin; give the file's name")
        if self.format in ("parquet", "arrow"):
            yield from arrow_chunks(self.name, size, parquet=self.format == "parquet")
        elif self.format == "npy":
            yield from npy_chunks(self.name, size, self.columns)
        else:
            yield from self._text_chunks(size)

    def _text_chunks(self, size: int | None) -> Iterator[Chunk]:
        where = "stdin" if self.name == "-" else self.name
        try:
            with self._open() as file:
                if self.format == "jsonl":
                    yield from json_chunks(file, where, size)
                else:
                    yield from csv_chunks(file, where, size, self.dialect)
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename not in (None, self.name):
                raise
            raise InputError(f"cannot read the table {where}: {error.strerror}") from error

    def _open(self) -> "nullcontext[BinaryIO] | BinaryIO":
        if self.name != "-":
            return open_stream(Path(self.name))
        if sys.stdin is None:
            raise InputError("stdin is closed; give a file's name")
        return nullcontext(sys.stdin.buffer)


def table_format(name: str, default: str = "csv") -> str:
    """Return the format that a file's suffix names; the default for any other suffix, and for stdin."""
    return FORMATS.get(Path(name).suffix.lower(), default)


def read_table(name: str) -> Chunk:
    """Read a whole table.

    Raises:
        InputError: there is no such file, or it is no table.
    """
    return next(TableFile.named(name).chunks(None))
