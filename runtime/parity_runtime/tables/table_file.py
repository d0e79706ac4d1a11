"""Opens a table by its name, whatever format it has."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.files.open_file import open_stream
from parity_runtime.tables.arrow_file import arrow_chunks, arrow_head
from parity_runtime.tables.cell_values import CellValues
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
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
"""The format of a file by its suffix, behind which .gz may stand; any other file is taken as CSV."""

_COMPRESSED = ".gz"

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}

TEXT = ("csv", "jsonl")
"""The formats that can be read from stdin and written to stdout."""


@dataclass(frozen=True)
class ReadOptions:
    """How a table is written, where neither its name nor its first line says so; the same options in every command.

    Attributes:
        format: one of `FORMATS`' values; None for what the file's suffix says.
        delimiter: of CSV: what separates cells, one character, or ``tab``.
        header: of CSV: the names of the columns, where the file has no header line.
        missing_values: the cells that are missing beside the empty one; None for
            `parity_runtime.tables.cell_values.MISSING_TOKENS`, or what the package was trained with.
        decimal: of CSV: the decimal sign, ``.`` or ``,``.
        thousands: of CSV: what separates groups of three digits: one of ``,``, ``.``, ``'`` and a space.
        currency: of CSV: signs or codes beside numbers, which are left out.
        percent: of CSV: whether ``45%`` is the number 0.45.

    Raises:
        InputError: an option is none of these, or contradicts another.
    """

    format: str | None = None
    delimiter: str | None = None
    header: tuple[str, ...] = ()
    missing_values: tuple[str, ...] | None = None
    decimal: str | None = None
    thousands: str | None = None
    currency: tuple[str, ...] = ()
    percent: bool = False

    def __post_init__(self) -> None:
        separator = self.separator
        if separator is not None and (len(separator) != 1 or not separator.isascii() or separator.isalnum()
                                      or separator in '"\r\n\0+-. '):  # fmt: skip
            raise InputError(f"{argument('delimiter')} {separator!r} is no single character that can separate cells")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"{argument('decimal')} is {self.decimal!r}; it is a point or a comma")
        if self.thousands is not None and self.thousands not in (",", ".", "'", " "):
            raise InputError(
                f"{argument('thousands')} is {self.thousands!r}; it is a comma, a point, an apostrophe or a space"
            )
        if self.thousands == (self.decimal or "."):
            other = "," if self.thousands == "." else "."
            raise InputError(
                f"{argument('thousands')} {self.thousands} is the decimal sign as well; is that "
                f"{argument('decimal', other)}?"
            )
        if any(re.search(r"[\d.,+%-]", sign) or not sign for sign in self.currency):
            signs = ",".join(self.currency)
            raise InputError(f"{argument('currency')} {signs} is no list of signs or codes, such as $,EUR")

    @property
    def separator(self) -> str | None:
        """The character that separates cells; None to find it."""
        return "\t" if self.delimiter == "tab" else self.delimiter

    @property
    def of_csv(self) -> list[str]:
        """The options that were given and mean nothing but in CSV, as the caller writes them."""
        names = ("delimiter", "header", "decimal", "thousands", "currency", "percent")
        return [argument(name) for name in names if getattr(self, name)]

    def values(self, trained: tuple[str, ...] | None = None) -> CellValues:
        """Return what cells mean; ``trained`` are the package's missing values, which count unless others are given."""
        missing = trained if self.missing_values is None else self.missing_values
        return CellValues(missing, self.decimal or ".", self.thousands or "", self.currency, self.percent)


@dataclass(frozen=True)
class TableFile:
    """A file of rows.

    Attributes:
        name: the file; ``-`` is stdin.
        format: one of `FORMATS`' values.
        dialect: how its CSV is written, and what cells mean in any format.
        columns: the names of the columns of an .npy matrix.
        tell: is told, in a sentence, what was found out about how the file is written.
    """

    name: str
    format: str = "csv"
    dialect: CsvDialect = PLAIN_CSV
    columns: Sequence[str] = ()
    tell: Callable[[str], None] = field(default=lambda _: None, compare=False)

    @classmethod
    def named(
        cls,
        name: str,
        options: ReadOptions | None = None,
        *,
        trained: tuple[str, ...] | None = None,
        columns: Sequence[str] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> "TableFile":
        """Return the file of that name, its format known by its suffix.

        Args:
            name: the file; ``-`` is stdin.
            options: what the name does not say.
            trained: the missing values of the package that reads it.
            columns: of an .npy matrix.
            tell: as in `TableFile`.

        Raises:
            InputError: an option is for CSV, and the file is none.
        """
        options = options or ReadOptions()
        kind = options.format or table_format(name)
        if kind != "csv" and options.of_csv:
            raise InputError(f"{options.of_csv[0]} is for CSV, not for {kind}")
        if kind not in TEXT and _is_compressed(name):
            raise InputError(f"{name}: {kind} is not read compressed; decompress it first: gunzip {shlex.quote(name)}")
        tabs = plain_name(name).lower().endswith(".tsv")
        separator = options.separator or ("\t" if tabs else None)
        dialect = CsvDialect(separator, options.header, options.values(trained), options.decimal)
        return cls(name, kind, dialect, columns, tell)

    def chunks(self, size: int | None) -> Iterator[Chunk]:
        """Read at most ``size`` rows at a time (None: all at once); a table without rows is given once.

        Raises:
            InputError: there is no such file, or it is not of its format.
            MissingExtraError: the format needs pyarrow, which is not installed.
        """
        if self.name == "-" and self.format not in TEXT:
            raise InputError(f"{self.format} cannot be read from stdin; give the file's name")
        for chunk in self._chunks(size):
            if not isinstance(chunk, CsvChunk):
                chunk.values = self.dialect.values
            elif chunk.first_row == 1:
                self._tell(chunk)
            yield chunk

    def head(self, size: int | None) -> Chunk:
        """Return the first row, or no row, as a chunk with the file's columns; few bytes are read for it.

        Args:
            size: of JSON Lines: the rows of the chunk, of which the first that holds an object has the columns.

        Raises:
            InputError: as `chunks`.
        """
        if self.format not in ("parquet", "arrow"):
            return next(self.chunks(size if self.format == "jsonl" else 1))
        chunk = arrow_head(self.name, parquet=self.format == "parquet")
        chunk.values = self.dialect.values
        return chunk

    def _chunks(self, size: int | None) -> Iterator[Chunk]:
        if self.format in ("parquet", "arrow"):
            return arrow_chunks(self.name, size, parquet=self.format == "parquet")
        if self.format == "npy":
            return npy_chunks(self.name, size, self.columns)
        return self._text_chunks(size)

    def _tell(self, chunk: CsvChunk) -> None:
        """Tell what the first rows of CSV showed."""
        found = []
        if self.dialect.delimiter is None and chunk.header.delimiter != ",":
            found.append(f"{_DELIMITERS[chunk.header.delimiter]} between its cells")
        if self.dialect.decimal is None and chunk.values.decimal == ",":
            found.append("decimal commas")
        if found:
            self.tell(f"{chunk.where} is read with {' and '.join(found)}")

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

    def _open(self) -> "AbstractContextManager[BinaryIO]":
        if self.name != "-":
            file = open_stream(Path(self.name))
            if not _is_compressed(self.name):
                return file
            from parity_runtime.tables.gzip_file import decompressed  # noqa: PLC0415 -- few tables need it

            return decompressed(file, self.name)
        if sys.stdin is None:
            raise InputError("stdin is closed; give a file's name")
        return nullcontext(sys.stdin.buffer)


def table_format(name: str, default: str = "csv") -> str:
    """Return the format that a file's suffix names; the default for any other suffix, and for stdin."""
    return FORMATS.get(Path(plain_name(name)).suffix.lower(), default)


def _is_compressed(name: str) -> bool:
    return name.lower().endswith(_COMPRESSED)


def plain_name(name: str) -> str:
    """Return a file's name as it would be decompressed."""
    return name[: -len(_COMPRESSED)] if _is_compressed(name) else name


def read_table(name: str) -> Chunk:
    """Read a whole table.

    Raises:
        InputError: there is no such file, or it is no table.
    """
    return next(TableFile.named(name).chunks(None))
