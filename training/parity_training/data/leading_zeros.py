"""Codes such as 007 in a column of CSV that was taken as one of numbers, in which they would lose their zeros."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from parity_runtime.arguments import argument
from parity_runtime.tables.chunk import Chunk, shown
from parity_runtime.tables.csv_chunk import CsvChunk
from parity_training.data.column_problem import ColumnProblemError

_CODE = re.compile(r"\s*[+-]?0\d", re.ASCII)
_ZERO, _NEWLINE, _QUOTE, _SPACE = map(ord, '0\n" ')


def has_codes(texts: Iterable[str]) -> bool:
    """Whether some text is an integer that begins with a zero."""
    return any(re.fullmatch(r"[+-]?0\d+", text.strip(), re.ASCII) for text in texts)


def refuse_codes(chunk: Chunk, names: Sequence[str]) -> None:
    """Refuse the first integer that begins with a zero.

    Args:
        chunk: some rows.
        names: columns of numbers that had no decimals before.

    Raises:
        ColumnProblemError: names the row, and how the column is read.
    """
    if not names or not isinstance(chunk, CsvChunk) or not _may_hold_codes(chunk):
        return
    for name in names:
        cells = chunk.column(name)
        row = next((row for row, cell in enumerate(cells) if _CODE.match(cell)), None)
        if row is None or any(chunk.values.decimal in cell for cell in cells):  # no code has a decimal point
            continue
        text, numbers = argument("categorical", (name,)), argument("numeric", (name,))
        what = f"{name} is {shown(cells[row])}, a number that begins with a zero, and the numbers before it do not; if "
        what += f"it is a code, take the column as text with {text}, else as numbers with {numbers}"
        raise ColumnProblemError(what, path=chunk.where, row=chunk.row_number(row), column=name,
                                 options={"categorical": (name,)})  # fmt: skip


def _may_hold_codes(chunk: CsvChunk) -> bool:
    """Whether some cell begins with a zero and a digit, told from the rows' bytes in a fraction of their reading."""
    found = np.frombuffer(chunk.block, np.uint8)
    before, zero, behind = found[:-2], found[1:-1], found[2:]
    delimiter = ord(chunk.header.delimiter)
    begins = (before == delimiter) | (before == _NEWLINE) | (before == _QUOTE)
    is_digit = behind - _ZERO < 10  # of unsigned bytes: what is less than a zero becomes large
    return bool(
        (begins & (zero == _ZERO) & is_digit).any()
        or (begins & (zero == _SPACE) & (behind == _ZERO)).any()
        or _CODE.match(chunk.block[:16].decode(errors="ignore"))
    )
