"""JSON Lines with pyarrow's parser: a chunk's numbers in a tenth of the time of looking at its lines one by one.

It takes what Python's parser takes, and more: a line that holds more or less than an object, NaN and infinities, very
long integers, deep nesting. Those are told beforehand. Where it refuses something, Python's parser says what is wrong
in which row.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.arrow_arrays import float64_values
from parity_runtime.tables.plain_numbers import LARGEST, worth_pyarrow

_DEEPEST = 64  # brackets of a line: pyarrow builds a type for each level, on the stack
_SHORT = 640  # bytes
_OPEN, _CLOSE, _LIST = b"{}["
_LONG_NUMBER = re.compile(rb"[0-9]{641}")  # Python may be told to refuse integers of more than 640 digits; no fewer
_MINUS_NOTHING = re.compile(rb"-0(?![.eE])")  # Python reads it as the integer 0, pyarrow as -0.0


def parsed_lines(block: bytes, ends: NDArray[np.integer]) -> Any:
    """Return lines of JSON objects as a ``pyarrow.Table``, None where Python's parser has to look at them.

    Args:
        block: the lines, a newline between each.
        ends: where each line ends.
    """
    if not worth_pyarrow(len(ends)) or len(block) >= LARGEST or not _is_plain(block, ends):
        return None
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra
    from pyarrow import json  # noqa: PLC0415

    try:
        reading = json.ReadOptions(use_threads=False, block_size=len(block) + 1)
        table = json.read_json(pyarrow.BufferReader(block), reading)
    except (pyarrow.ArrowException, UnicodeDecodeError):
        return None
    return table if table.num_rows == len(ends) else None


def number_column(table: Any, name: str, block: bytes) -> NDArray[np.float64] | None:
    """Return a key's values as float64 ``[rows]``; None where some line has no number there.

    Args:
        table: of `parsed_lines`.
        name: of the key.
        block: the lines.
    """
    import pyarrow  # noqa: PLC0415

    column = table[name].combine_chunks() if name in table.column_names else None
    if column is None or column.null_count or column.type not in (pyarrow.int64(), pyarrow.float64()):
        return None
    numbers = float64_values(column.cast(pyarrow.float64(), safe=False))
    is_odd = (np.signbit(numbers) & (numbers == 0)).any() and _MINUS_NOTHING.search(block)
    return None if is_odd else numbers


def _is_plain(block: bytes, ends: NDArray[np.integer]) -> bool:
    """Whether each line begins and ends as an object does, is not deep, and no word of it may be no JSON."""
    values = np.frombuffer(block, np.uint8)
    starts = np.append(0, ends[:-1] + 1)
    if not ((values[starts] == _OPEN).all() and (values[ends - 1] == _CLOSE).all()):
        return False
    brackets = (values == _OPEN) | (values == _LIST)
    if np.count_nonzero(brackets) > len(ends) and np.add.reduceat(brackets, starts, dtype=np.int64).max() > _DEEPEST:
        return False
    if (ends - starts).max() > _SHORT and _LONG_NUMBER.search(block):
        return False
    # A letter is looked for in a fiftieth of the time of a word.
    strange = b"\0" in block or (b"N" in block and b"NaN" in block) or (b"I" in block and b"Inf" in block)
    return not strange and _is_utf8(block)


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False
