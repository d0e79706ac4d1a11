"""CSV files, some rows at a time; quoted cells, and what is odd, are the csv module's matter."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

from parity_runtime.errors import InputError
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.chunk import refuse_doubled
from parity_runtime.tables.csv_chunk import CsvChunk, CsvHeader
from parity_runtime.tables.line_blocks import LineBlocks, count_newlines, without_empty_lines

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_HEADER = 2**24  # bytes
_LONGEST_CELL = 2**24  # bytes; a quote that is left open would take the rest of the file
_DELIMITERS = ",;\t|"
_SAMPLED = 1024  # rows that show the decimal sign
_QUOTED = re.compile(rb'"[^"]*(?:"|$)')
_OTHER_FILES = {b"\x1f\x8b": "gzip: give it a name that ends in .gz, or decompress it first",
                b"PK\x03\x04": "a zip file or a spreadsheet: save it as CSV",
                b"PAR1\x15": "Parquet: name it .parquet", b"\x93NUMPY": "an array: name it .npy"}  # fmt: skip


@dataclass(frozen=True)
class CsvDialect:
    """How a file's CSV is written.

    Attributes:
        delimiter: what separates cells, one ASCII character; None for a comma, or where the first line has none for
            the first of semicolon, tab and bar that it has.
        columns: the names of the columns of a file that has no header; empty where the first line names them.
        values: what cells mean.
        decimal: the decimal sign, which counts instead of that of ``values``; None for a point, or in a file that no
            comma delimits for what its first rows show.
    """

    delimiter: str | None = None
    columns: Sequence[str] = ()
    values: CellValues = PLAIN
    decimal: str | None = None


PLAIN_CSV = CsvDialect()


def csv_chunks(file: BinaryIO, where: str, size: int | None, dialect: CsvDialect = PLAIN_CSV) -> Iterator[CsvChunk]:
    """Read UTF-8 CSV, at most ``size`` rows at a time (None: all at once); a file without rows is given once.

    Empty lines are left out. A byte order mark is no part of the first name.

    Raises:
        InputError: no header, a doubled column, or what is no CSV.
    """
    reader = _Reader(file, where, dialect.delimiter)
    header = reader.header(dialect.columns)
    values = replace(dialect.values, decimal=dialect.decimal or reader.decimal())
    first = 1
    while True:
        rows, cells, at_end = reader.take(size)
        chunk = CsvChunk(header, rows, first, cells)
        if len(chunk) or (first == 1 and at_end):
            chunk.values = values
            yield chunk
        first += len(chunk)
        if at_end:
            return


def csv_line(cells: Iterable[str], delimiter: str = ",") -> bytes:
    """Return cells as one line of CSV without its end, quoted where that is needed."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(
        cells
    )  # it quotes what is in its own line end
    return text.getvalue().removesuffix("\r\n").encode(errors="backslashreplace")


def write_csv(file: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write UTF-8 CSV, each line ended by a single newline, row by row."""
    file.writelines(csv_line(row) + b"\n" for row in chain([columns], rows))


class _Reader:
    """Takes records from a file: lines, but where a quoted cell holds a line end."""

    def __init__(self, file: BinaryIO, where: str, delimiter: str | None) -> None:
        self._first = file.readline(_LONGEST_HEADER)
        self._blocks = LineBlocks(file)
        self._where, self._delimiter = where, delimiter or ","
        self._is_told = delimiter is not None
        self._lines = 0  # taken so far

    def header(self, columns: Sequence[str]) -> CsvHeader:
        self._refuse_other_files()
        first = self._first.removeprefix(_BOM)
        newline = b"\r\n" if first.endswith(b"\r\n") else b"\n"
        self._blocks.give_back(first)
        if not self._is_told:
            self._delimiter = self._found_delimiter(len(columns))
        if columns:
            names, line = list(columns), csv_line(columns, self._delimiter)
        else:
            line, cells = self._first_record()
            found = cells[0] if cells else line.decode().split(self._delimiter)
            names = [name.strip() for name in found]
        refuse_doubled(self._where, [name for name in names if name])  # spreadsheets end lines with empty cells
        return CsvHeader(self._where, names, line, self._delimiter, newline)

    def _first_record(self) -> tuple[bytes, list[list[str]] | None]:
        """Return the first line that is not empty, and its cells where some are quoted."""
        rows, cells, at_end = self.take(1)
        while not rows and not at_end:
            rows, cells, at_end = self.take(1)
        if not rows:
            raise InputError(f"{self._where} is empty; its first line must name the columns")
        return (rows if isinstance(rows, bytes) else rows[0]), cells

    def decimal(self) -> str:
        """Return the decimal sign; a file that commas delimit is read with points, as they would have to be quoted."""
        if self._delimiter == ",":
            return "."
        from parity_runtime.tables.cell_patterns import decimal_comma  # noqa: PLC0415 -- few tables need it

        lines, _ = self._blocks.take(_SAMPLED)
        self._blocks.give_back(lines)
        text = lines.decode(errors="replace")
        cells = (cell.strip(' "\r') for line in text.split("\n") for cell in line.split(self._delimiter))
        return "," if "," in text and decimal_comma(cells) else "."

    def _found_delimiter(self, width: int) -> str:
        """Return what separates the cells of the first line, of which there are ``width`` where that is known."""
        lines = list(self._first_lines())
        self._blocks.give_back(b"".join(lines))
        bare = _QUOTED.sub(b"", lines[-1] if lines else b"")
        counts = {delimiter: bare.count(delimiter.encode()) for delimiter in _DELIMITERS}
        fitting = [
            delimiter for delimiter in counts if (counts[delimiter] == width - 1 if width else counts[delimiter])
        ]
        return fitting[0] if fitting else ","

    def _first_lines(self) -> Iterator[bytes]:
        """Take lines up to the first that is not empty."""
        for line in self._blocks.lines():
            yield line
            if line.strip():
                return

    def take(self, size: int | None) -> tuple[bytes | list[bytes], list[list[str]] | None, bool]:
        """Return records, their cells where some are quoted, and whether the file ends there.

        The records are one block, a newline between each; those with quoted cells, which may hold newlines, a list.
        """
        block, at_end = self._blocks.take(size)
        self._check_text(block, self._lines)
        if b'"' in block:
            return *self._quoted(_lines(block)), at_end
        self._lines += count_newlines(block)
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
            if b"\r" in block:
                raise self._stray_return()
        return without_empty_lines(block), None, at_end

    def _quoted(self, lines: list[bytes]) -> tuple[list[bytes], list[list[str]]]:
        """Return the records of ``lines``, of which the last may take more lines to its end, and their cells."""
        taken: list[bytes] = []

        def texts() -> Iterator[str]:
            beyond = 0
            for line in chain(lines, self._blocks.lines()):
                beyond += len(line) if len(taken) >= len(lines) else 0
                if beyond > _LONGEST_CELL:
                    raise csv.Error("a cell does not end")
                taken.append(line)
                yield self._decode(line, self._lines + len(taken) - 1)

        records: list[bytes] = []
        cells: list[list[str]] = []
        start = 0
        limit = csv.field_size_limit(_LONGEST_CELL)
        try:
            reader = csv.reader(texts(), delimiter=self._delimiter, strict=True)
            for row in reader:
                if row:
                    records.append(self._record(taken[start : reader.line_num]))
                    cells.append(row)
                start = reader.line_num
                if start >= len(lines):
                    break
        except csv.Error as error:
            line = self._lines + start + 1
            raise InputError(f"{self._where}, line {line}: not CSV: {error}; is a quote left open?") from error
        finally:
            csv.field_size_limit(limit)
        self._lines += len(taken)
        return records, cells

    def _record(self, lines: list[bytes]) -> bytes:
        record = b"".join(lines).removesuffix(b"\n").removesuffix(b"\r")
        if record.endswith(b"\r"):
            raise self._stray_return()
        return record

    def _stray_return(self) -> InputError:
        return InputError(f"{self._where} has a carriage return within a line; end its lines with a newline")

    def _check_text(self, block: bytes, before: int) -> None:
        if not block.isascii():
            self._decode(block, before)

    def _decode(self, block: bytes, before: int) -> str:
        try:
            return block.decode()
        except UnicodeDecodeError as error:
            from parity_runtime.tables.other_encoding import not_utf8  # noqa: PLC0415 -- few tables need it

            line = before + block[: error.start].count(b"\n") + 1
            raise not_utf8(self._where, line) from error

    def _refuse_other_files(self) -> None:
        for start, hint in _OTHER_FILES.items():
            if self._first.startswith(start):
                raise InputError(f"{self._where} is not CSV but {hint}")
        if b"\0" in self._first or self._first.startswith(_UTF_16):
            from parity_runtime.tables.other_encoding import not_text  # noqa: PLC0415 -- few tables need it

            raise not_text(self._where, "UTF-16" if self._first.startswith(_UTF_16) else "not text, or UTF-16")
        if len(self._first) == _LONGEST_HEADER or b"\r" in self._first.rstrip(b"\r\n"):
            raise InputError(f"{self._where} has no newline at the end of its first line; end its lines with newlines")


def _lines(block: bytes) -> list[bytes]:
    """Return lines with their ends."""
    return io.BytesIO(block).readlines()
