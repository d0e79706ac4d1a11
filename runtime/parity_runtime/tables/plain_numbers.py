"""Numbers out of CSV without quotes, with a library's reader: pyarrow's where it is installed, or numpy's.

Both round correctly, so that the numbers are the same bits. Where either has a doubt the caller reads cell by cell.
"""

import importlib.util
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 4096  # rows; importing pyarrow takes longer than reading them
_LARGEST = 2**31 - 2  # bytes of a block of pyarrow's


def plain_numbers(records: list[bytes], width: int, columns: list[int], delimiter: str) -> NDArray[np.float64] | None:
    """Return columns as float64 ``[rows, columns]``, NaN where a cell is empty; None where a row or a cell is odd.

    Args:
        records: the rows, without quotes and line ends, none of them empty.
        width: how many cells each row should have.
        columns: which of them hold numbers.
        delimiter: what separates cells.
    """
    # What is white space, or a mark, to one reader and not to another is made a letter, which none takes for a number.
    block = b"\n".join(records).translate(_translation(delimiter))
    if len(records) >= _FEW and len(block) < _LARGEST and _has_pyarrow():
        return _with_pyarrow(block, width, columns, delimiter)
    return _with_numpy(block, width, columns, delimiter)


@cache
def _translation(delimiter: str) -> bytes:
    kept = {ord(delimiter), ord("\t"), ord("\n")}
    return bytes(value if value in kept or 32 <= value < 127 else ord("x") for value in range(256))


@cache
def _has_pyarrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


def _with_pyarrow(block: bytes, width: int, columns: list[int], delimiter: str) -> NDArray[np.float64] | None:
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra
    from pyarrow import csv  # noqa: PLC0415

    names = [str(column) for column in range(width)]
    wanted = [names[column] for column in columns]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(block),
            csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(
                include_columns=list(dict.fromkeys(wanted)),
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                null_values=[""],
                check_utf8=False,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return np.stack([_numpy(table[name].combine_chunks()) for name in wanted], axis=1)


def _numpy(array: Any) -> NDArray[np.float64]:
    """Return a float64 ``pyarrow.Array``, NaN for null; its to_numpy would import pandas where that is installed."""
    numbers: NDArray[np.float64] = np.frombuffer(array.buffers()[1], np.float64)[
        array.offset : array.offset + len(array)
    ]
    if array.null_count:
        missing = np.from_dlpack(array.is_null().cast("uint8")).astype(np.bool_)
        numbers = np.where(missing, np.nan, numbers)
    return numbers


def _with_numpy(block: bytes, width: int, columns: list[int], delimiter: str) -> NDArray[np.float64] | None:
    if not _regular(block, width, delimiter):
        return None
    text = block.decode("ascii")
    try:
        return _load(text, columns, delimiter)
    except ValueError:
        filled = _filled(text, delimiter)
    try:
        return _load(filled, columns, delimiter) if filled != text else None
    except ValueError:
        return None


def _load(text: str, columns: list[int], delimiter: str) -> NDArray[np.float64]:
    lines = text.split("\n")
    matrix: NDArray[np.float64] = np.loadtxt(lines, delimiter=delimiter, usecols=columns, comments=None, ndmin=2)
    return matrix


def _filled(text: str, delimiter: str) -> str:
    """Return the text with nan in every empty cell."""
    empty = f"{delimiter}nan{delimiter}"
    text = text.replace(2 * delimiter, empty).replace(2 * delimiter, empty)
    text = text.replace(f"{delimiter}\n", f"{delimiter}nan\n").replace(f"\n{delimiter}", f"\nnan{delimiter}")
    return ("nan" if text.startswith(delimiter) else "") + text + ("nan" if text.endswith(delimiter) else "")


def _regular(block: bytes, width: int, delimiter: str) -> bool:
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
