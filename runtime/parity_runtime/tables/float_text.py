"""float32 numbers as the shortest decimal that reads back to the same float32, a whole array at a time.

numpy spells them one by one, at more than twice the time, which makes a whole job half as long again; and its versions
differ from 1e15 on. pyarrow's spelling is another (``1`` for ``1.0``, ``0.00001`` for ``1e-05``).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

PAD = 0
"""The byte that fills a cell up to the width of its column; no text has it."""

_SMALLEST, _LARGEST = 1e-4, 1e16  # Python writes a float with an exponent outside of these
_FEWEST, _MOST = 6, 9  # digits: every decimal of 6 survives float32, and every float32 survives 9
_DECIMALS = 16  # four groups of four; 9 digits that begin at 1e-4 need 13
_TIE = 1e-6  # nearer to a tie than the 1e-7 by which a product of 9 digits in float64 may be off
_POWERS = 10.0 ** np.arange(23)  # exact in float64
_INTEGERS = 10 ** np.arange(19, dtype=np.int64)
_ZERO = ord("0")
_FOUR_DIGITS = (
    (np.arange(10_000, dtype=np.uint16)[:, None] // np.array([1000, 100, 10, 1], np.uint16) % 10 + _ZERO)
    .astype(np.uint8)
    .view(np.uint32)
    .reshape(-1)
)  # "0000" to "9999"
_END = 255  # a byte that UTF-8 never has

Integers = NDArray[np.int64]
Cells = NDArray[np.uint8]


def float32_text(value: np.float32) -> str:
    """Return the shortest decimal that reads back to the same float32: ``0.1``, ``1.0``, ``1e-05``, ``inf``."""
    size = abs(float(value))
    if size and not _SMALLEST <= size < _LARGEST and np.isfinite(value):
        return np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)
    return np.format_float_positional(value, unique=True, trim="0") if np.isfinite(value) else str(value)


def float32_cells(values: NDArray[np.float32], spell: Callable[[np.float32], str] = float32_text) -> Cells:
    """Return every number as text.

    Args:
        values: ``[rows]``.
        spell: writes NaN, infinities and what takes an exponent.

    Returns:
        uint8 ``[rows, width]``: ASCII, each row padded with `PAD`, anywhere.
    """
    with np.errstate(invalid="ignore"):  # a signaling NaN
        size = np.abs(values.astype(np.float64))
    known = (size == 0) | ((size >= _SMALLEST) & (size < _LARGEST))
    digits, places, unsure = _shortest(np.where(known, size, 0.0))
    cells = _positional(np.signbit(values), digits, places)
    others = np.flatnonzero(~known | unsure)
    return cells if not len(others) else _replaced(cells, others, [spell(value).encode() for value in values[others]])


def choice_cells(indices: NDArray[np.integer], texts: list[bytes]) -> Cells:
    """Return ``texts[index]`` of every row, uint8 ``[rows, width]``, padded with `PAD`."""
    cells: Cells = _cells(texts)[indices]
    return cells


def _cells(texts: list[bytes]) -> Cells:
    table = np.array(texts)
    return table.view(np.uint8).reshape(len(texts), table.itemsize)


def _replaced(cells: Cells, rows: NDArray[np.intp], texts: list[bytes]) -> Cells:
    spelled = _cells(texts)
    more = max(0, spelled.shape[1] - cells.shape[1])
    wide = np.pad(cells, ((0, 0), (0, more)), constant_values=PAD)
    wide[rows] = PAD
    wide[rows, : spelled.shape[1]] = spelled
    return wide


def _shortest(size: NDArray[np.float64]) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Return ``digits`` and ``places`` with ``size ~ digits / 10**places``, and where only exact arithmetic could say.

    The number of digits goes down for as long as some number reads back: with one digit fewer the nearest decimal is
    never nearer.
    """
    exponent = _exponent(size)
    power_of_two = np.frexp(size)[0] == 0.5
    digits, places = np.zeros(len(size)), np.zeros(len(size), np.int64)
    unsure = np.zeros(len(size), np.bool_)
    for count in range(_MOST, _FEWEST - 1, -1):
        shift = count - 1 - exponent
        scaled = _scaled(size, shift)
        nearest = np.rint(scaled)
        back = _scaled(nearest, -shift)
        reads_back = back.astype(np.float32) == size
        # Beside a power of two the float32 below is nearer than the one above, so that the nearest decimal need not
        # read back where another one does; the middle between two float32 reads back to the even one.
        middle = (back.view(np.int64) & 0x1FFFFFFF) == 0x10000000
        unsure |= (power_of_two & (back != size)) | middle | (np.abs(np.abs(scaled - nearest) - 0.5) < _TIE)
        if not reads_back.any():
            break
        np.copyto(digits, nearest, where=reads_back)
        np.copyto(places, shift, where=reads_back)
    return *_without_zeros(digits.astype(np.int64), places), unsure


def _without_zeros(digits: Integers, places: Integers) -> tuple[Integers, Integers]:
    """Strip zeros at the end of what stands behind the point."""
    rows = np.flatnonzero((places > 0) & (digits % 10 == 0))
    while len(rows):
        digits[rows] //= 10
        places[rows] -= 1
        rows = rows[(places[rows] > 0) & (digits[rows] % 10 == 0)]
    return digits, places


def _exponent(size: NDArray[np.float64]) -> Integers:
    """Return the decimal exponent of the first digit; log10 may be off by one beside a power of ten."""
    size = np.where(size == 0, 1.0, size)
    exponent = np.floor(np.log10(size)).astype(np.int64)
    first = _scaled(size, -exponent)
    return exponent + (first >= 10) - (first < 1)


def _scaled(size: NDArray[np.float64], places: Integers) -> NDArray[np.float64]:
    """Return ``size * 10**places``, rounded once."""
    if places.min(initial=0) >= 0:
        return size * _POWERS[places]
    if places.max(initial=0) <= 0:
        return size / _POWERS[-places]
    return np.where(places >= 0, size * _POWERS[np.maximum(places, 0)], size / _POWERS[np.maximum(-places, 0)])


def _positional(negative: NDArray[np.bool_], digits: Integers, places: Integers) -> Cells:
    """Write ``digits / 10**places`` with a point, and at least one digit on both sides of it."""
    behind = np.maximum(places, 0)
    whole = digits // _INTEGERS[behind] if (digits >= _INTEGERS[behind]).any() else np.zeros_like(digits)
    fraction = (digits - whole * _INTEGERS[behind]) * _INTEGERS[_DECIMALS - behind]
    if places.min(initial=0) < 0:
        whole *= _INTEGERS[np.maximum(-places, 0)]
    sign = np.where(negative, np.uint8(ord("-")), np.uint8(PAD))[:, None]
    point = np.full((len(digits), 1), ord("."), np.uint8)
    return np.concatenate([sign, _whole(whole), point, _fraction(fraction, behind)], axis=1)


def _whole(numbers: Integers) -> Cells:
    if numbers.max(initial=0) < 10:
        return (numbers[:, None] + _ZERO).astype(np.uint8)
    cells = _sixteen_digits(numbers)
    leading = np.logical_and.accumulate(cells == _ZERO, axis=1)
    leading[:, -1] = False
    cells[leading] = PAD
    return cells[:, int(np.argmax(cells.any(axis=0))) :]


def _fraction(units: Integers, places: Integers) -> Cells:
    """Write the first ``places`` digits behind the point, at least one; ``units`` are of 10**-16."""
    width = max(int(places.max(initial=0)), 1)
    shown = np.arange(width, dtype=np.int64) < np.maximum(places, 1)[:, None]
    return _sixteen_digits(units)[:, :width] * shown  # what is not shown becomes `PAD`


def _sixteen_digits(numbers: Integers) -> Cells:
    groups, rest = np.empty((len(numbers), 4), np.uint32), numbers
    for index, unit in enumerate((10**12, 10**8, 10**4, 1)):
        group = rest // unit
        groups[:, index] = _FOUR_DIGITS[group]
        rest = rest - group * unit
    return groups.view(np.uint8).reshape(len(numbers), 16)


def joined(parts: Sequence[Cells | bytes], rows: int) -> list[bytes]:
    """Return each row's parts as one text.

    Args:
        parts: cells ``[rows, width]``, or bytes that are the same for all rows; UTF-8.
        rows: how many.
    """
    end = np.full((rows, 1), _END, np.uint8)
    cells = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (rows, len(part))) if isinstance(part, bytes) else part
        for part in parts
    ]
    flat = np.concatenate([*cells, end], axis=1).reshape(-1)
    lines: list[bytes] = flat[flat != PAD].tobytes().split(bytes([_END]))
    return lines[:-1]


def interleaved(records: list[bytes], endings: list[bytes]) -> bytes:
    """Return each record with its ending, one after the other."""
    pieces = [b""] * (2 * len(records))
    pieces[::2], pieces[1::2] = records, endings
    return b"".join(pieces)
