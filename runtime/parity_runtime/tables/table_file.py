"""Opens a table by its name, whatever format it has."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from parity_runtime.errors import InputError
from parity_runtime.files.open_file import open_stream
from parity_runtime.tables.arrow_file import arrow_chunks, arrow_head
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_runtime.tables.csv_file import PLAIN_CSV, CsvDialect, csv_chunks
from parity_runtime.tables.json_lines import json_chunks
from parity_runtime.tables.npy_file import npy_chunks
from parity_runtime.tables.read_options import TEXT, ReadOptions, is_compressed, plain_name, table_format

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


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
        if kind not in TEXT and is_compressed(name):
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
            if not is_compressed(self.name):
                return file
            from parity_runtime.tables.gzip_file import decompressed  # noqa: PLC0415 -- few tables need it

            return decompressed(file, self.name)
        if sys.stdin is None:
            raise InputError("stdin is closed; give a file's name")
        return nullcontext(sys.stdin.buffer)


def read_table(name: str) -> Chunk:
    """Read a whole table.

    Raises:
        InputError: there is no such file, or it is no table.
    """
    return next(TableFile.named(name).chunks(None))
