"""Lines of text that pyarrow puts together: the bytes that `float_text` gives, in a fraction of the time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity_runtime.tables.arrow_arrays import arrow_array, arrow_texts
from parity_runtime.tables.float_text import Cells, choice_cells, float32_cells, float32_text, joined
from parity_runtime.tables.plain_numbers import LARGEST, worth_pyarrow

_WIDEST = 32  # bytes; no number's text is as long
_SMALLEST = np.float32(1e-4)  # above it, and up to where all float32 are integers, the two spellings are the same
_INTEGERS = np.float32(2**23)
_FEW = 64  # rows


class Floats(NamedTuple):
    """A column of numbers.

    Attributes:
        values: float32 ``[rows]``.
        spell: writes a number, where numpy and pyarrow do not: NaN, say, or what takes an exponent.
    """

    values: NDArray[np.float32]
    spell: Callable[[np.float32], str] = float32_text

    def cells(self) -> Cells:
        """Return the texts as numpy's cells."""
        return float32_cells(self.values, self.spell)

    def texts(self) -> Any:
        """Return the texts as a ``pyarrow.BinaryArray``.

        pyarrow writes ``1`` for ``1.0`` and has exponents where Python has none: those numbers `float_text` spells.
        """
        import pyarrow  # noqa: PLC0415 -- of the [tables] extra

        texts = arrow_array(self.values).cast(pyarrow.string()).cast(pyarrow.binary())
        with np.errstate(invalid="ignore"):  # a signaling NaN
            size = np.abs(self.values)
            alike = (size > _SMALLEST) & (size < _INTEGERS) & (self.values != np.rint(self.values))
        others = np.flatnonzero(~alike)
        if len(others) <= _FEW:
            return _replaced_few(texts, others, [self.spell(value).encode() for value in self.values[others]])
        from pyarrow import compute  # noqa: PLC0415

        spelled = joined([float32_cells(self.values[others], self.spell)], len(others))
        return compute.replace_with_mask(texts, arrow_array(~alike), arrow_texts(spelled, pyarrow.binary()))


class Choices(NamedTuple):
    """A column of a few texts.

    Attributes:
        indices: which of them stands in each row, ``[rows]``.
        choices: UTF-8.
    """

    indices: NDArray[np.integer]
    choices: list[bytes]

    def cells(self) -> Cells:
        """Return the texts as numpy's cells."""
        return choice_cells(self.indices, self.choices)

    def texts(self) -> Any:
        """Return the texts as a ``pyarrow.BinaryArray``."""
        import pyarrow  # noqa: PLC0415

        return arrow_texts(self.choices, pyarrow.binary()).take(arrow_array(self.indices.astype(np.int64)))


Column = Floats | Choices
"""Texts of which each row has its own."""

Part = bytes | Column
"""What stands in every row: the same bytes, or the row's own text."""


def worth_joining(block: bytes, rows: int, parts: Sequence[Part]) -> bool:
    """Whether `arrow_lines` can put rows together, and sooner than numpy."""
    return worth_pyarrow(rows) and len(block) + rows * sum(map(_width, parts)) < LARGEST


def arrow_lines(block: bytes, ends: NDArray[np.integer], parts: Sequence[Part], between: bytes = b"") -> memoryview:
    """Return the pieces of a block, each with its row's parts behind it, as one text.

    Args:
        block: of text.
        ends: where each piece ends, and the next one begins, ``[rows]``; the last at the block's end.
        parts: what stands behind a piece.
        between: what stands before each part.
    """
    import pyarrow  # noqa: PLC0415
    from pyarrow import compute  # noqa: PLC0415

    bounds = np.concatenate([[0], ends]).astype(np.int32)
    buffers = [None, pyarrow.py_buffer(bounds), pyarrow.py_buffer(block)]
    pieces = pyarrow.Array.from_buffers(pyarrow.binary(), len(ends), buffers)
    columns = [_scalar(part) if isinstance(part, bytes) else part.texts() for part in parts]
    lines = compute.binary_join_element_wise(pieces, *columns, _scalar(between))
    _, offsets, data = lines.buffers()
    return memoryview(data)[: int(np.frombuffer(offsets, np.int32)[len(ends)])]


def _scalar(text: bytes) -> Any:
    """Return a ``pyarrow.BinaryScalar``; pyarrow's own ``scalar`` would import pandas."""
    import pyarrow  # noqa: PLC0415

    return arrow_texts([text], pyarrow.binary())[0]


def _width(part: Part) -> int:
    if isinstance(part, Choices):
        return max(map(len, part.choices))
    return _WIDEST if isinstance(part, Floats) else len(part)


def _replaced_few(texts: Any, rows: NDArray[np.intp], others: list[bytes]) -> Any:
    """Return texts with others in some rows: whole runs are copied between them."""
    import pyarrow  # noqa: PLC0415

    pieces, start = [], 0
    spelled = arrow_texts(others, pyarrow.binary())
    for place, row in enumerate(rows.tolist()):
        pieces += [texts.slice(start, row - start), spelled.slice(place, 1)]
        start = row + 1
    return pyarrow.concat_arrays([*pieces, texts.slice(start)])
