"""Text out of CSV without quotes, with pyarrow's reader where it is installed: a column without splitting the rest."""

from typing import Any

from parity_runtime.tables.plain_numbers import LARGEST, Layout, arrow_columns, worth_pyarrow


def plain_texts(block: bytes, rows: int, columns: list[int], layout: Layout) -> list[Any] | None:
    """Return columns as pyarrow's dictionary arrays of text, as it stands; None where pyarrow is not there, or no use.

    Args:
        block: the rows, UTF-8, a newline between each, without quotes; none is empty, each is of the layout's width.
        rows: how many.
        columns: which of their cells hold text.
        layout: how they are written.
    """
    if not worth_pyarrow(rows) or len(block) >= LARGEST or b"\r" in block:
        return None
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    return arrow_columns(block, columns, layout, pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
