"""Numbers out of CSV without quotes, with a library's reader: pyarrow's where it is installed, or numpy's.

Both round correctly, so that the numbers are the same bits. Where either has a doubt the caller reads cell by cell.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.arrow_arrays import float64_values
from parity_runtime.tables.cell_values import CellValues

_FEW = 4096  # rows; importing pyarrow takes longer than reading or writing them
LARGEST = 2**31 - 2
"""Bytes of a block that pyarrow reads."""


_UNKNOWN = "x"


class Layout(NamedTuple):
    """How rows of plain numbers are written.

    Attributes:
        width: how many cells each row should have.
        delimiter: what separates cells.
        values: what they mean; numbers are plain ones, with either decimal sign.
    """

    width: int
    delimiter: str
    values: CellValues


def plain_numbers(block: bytes, rows: int, columns: list[int], layout: Layout) -> NDArray[np.float64] | None:
    """Return columns as float64 ``[rows, columns]``, NaN where a cell is missing; None where a row or a cell is odd.

    A cell of NaN may be a word that is none for a missing cell: the caller looks at rows that have one.

    Args:
        block: the rows, a newline between each, without quotes; none is empty.
        rows: how many.
        columns: which of their cells hold numbers.
        layout: how they are written.
    """
    # What is white space, or a mark, to one reader and not to another is made a letter, which none takes for a number.
    if layout.values.decimal == "," or not _is_plain(block, rows):
        block = block.translate(_translation(layout.delimiter, layout.values.decimal))
    if worth_pyarrow(rows) and len(block) < LARGEST:
        return _with_pyarrow(block, columns, layout)
    return _with_numpy(block, columns, layout)


def _is_plain(block: bytes, rows: int) -> bool:
    """Whether the translation would change nothing: all is printable ASCII, told in a fraction of its time."""
    values = np.frombuffer(block, np.uint8)
    return bool(values.max(initial=0) < 127 and np.count_nonzero(values < 32) == rows - 1)


@cache
def _translation(delimiter: str, decimal: str) -> bytes:
    kept = {ord(delimiter), ord("\t"), ord("\n")}
    table = [value if value in kept or 32 <= value < 127 else ord(_UNKNOWN) for value in range(256)]
    if decimal == ",":
        table[ord(".")] = ord(_UNKNOWN)
        table[ord(",")] = ord("." if delimiter != "," else ",")
    return bytes(table)


@cache
def _words(layout: Layout) -> list[str]:
    """Return the words for a missing cell that stand as they are after the translation."""
    table = _translation(layout.delimiter, layout.values.decimal)
    changed = {*layout.delimiter, *_UNKNOWN, *'"\r\n', *",."}
    kept = [word for word in layout.values.number_tokens if word == "." or not changed & {*word}]
    return sorted(word for word in kept if word.isascii() and word.encode().translate(table) == word.encode())


@cache
def has_pyarrow() -> bool:
    """Whether pyarrow is installed; it is not imported."""
    return importlib.util.find_spec("pyarrow") is not None


def worth_pyarrow(rows: int) -> bool:
    """Whether pyarrow is installed, and its import takes less time than it saves."""
    return rows >= _FEW and has_pyarrow()


def _with_pyarrow(block: bytes, columns: list[int], layout: Layout) -> NDArray[np.float64] | None:
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    found = arrow_columns(block, columns, layout, pyarrow.float64(), ["", *_words(layout)])
    return None if found is None else np.stack([float64_values(column) for column in found], axis=1)


def arrow_columns(
    block: bytes, columns: list[int], layout: Layout, kind: Any, missing: Sequence[str] = ()
) -> list[Any] | None:
    """Return columns of CSV as arrays of pyarrow's; None where it cannot read them.

    Args:
        block: the rows, without quotes, none of them empty.
        columns: which of their cells are read.
        layout: how they are written.
        kind: the ``pyarrow.DataType`` of the arrays.
        missing: the cells that are null; of text none is.
    """
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra
    from pyarrow import csv  # noqa: PLC0415

    names = [str(column) for column in range(layout.width)]
    wanted = [names[column] for column in columns]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(block),
            csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            csv.ParseOptions(delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                include_columns=list(dict.fromkeys(wanted)),
                column_types=dict.fromkeys(wanted, kind),
                null_values=list(missing),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return [table[name].combine_chunks() for name in wanted]


def _with_numpy(block: bytes, columns: list[int], layout: Layout) -> NDArray[np.float64] | None:
    if not regular(block, layout.width, layout.delimiter):
        return None
    text = block.decode("ascii")
    for words in (
        [],
        [""],
        _words(layout),
    ):  # a table without missing cells, or with empty ones alone, pays for no more
        filled = _filled(text, layout.delimiter, words)
        if words and filled == text:
            continue
        text = filled
        try:
            return _load(text, columns, layout.delimiter)
        except ValueError:
            continue
    return None


def _load(text: str, columns: list[int], delimiter: str) -> NDArray[np.float64]:
    lines = text.split("\n")
    matrix: NDArray[np.float64] = np.loadtxt(lines, delimiter=delimiter, usecols=columns, comments=None, ndmin=2)
    return matrix


def _filled(text: str, delimiter: str, words: list[str]) -> str:
    """Return the text with nan in every cell that is one of some words."""
    if not words:
        return text
    text = f"\n{text}\n"
    for word in words:
        for before in (delimiter, delimiter, "\n") if word in text else ():  # twice: two cells share a delimiter
            for behind in (delimiter, "\n"):
                text = text.replace(f"{before}{word}{behind}", f"{before}nan{behind}")
    return text[1:-1]


def regular(block: bytes, width: int, delimiter: str) -> bool:
    """Whether every row has ``width`` cells; numpy only notices rows that are too short."""
    values = np.frombuffer(block, np.uint8)
    ends = np.append(np.flatnonzero(values == ord("\n")), len(values))
    cuts = np.flatnonzero(values == ord(delimiter))
    if len(cuts) != len(ends) * (width - 1):
        return False
    if width == 1:
        return True
    of_row = cuts.reshape(len(ends), width - 1)
    return bool((of_row[:, -1] < ends).all() and (of_row[1:, 0] > ends[:-1]).all())
