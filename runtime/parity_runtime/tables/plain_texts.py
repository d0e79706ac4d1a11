"""Text out of CSV without quotes, with pyarrow's reader where it is installed: a column without splitting the rest."""

from typing import Any

from parity_runtime.tables.plain_numbers import LARGEST, Layout, arrow_columns, has_pyarrow

_FEW = 4096  # rows; importing pyarrow takes longer than splitting them


def plain_texts(records: list[bytes], columns: list[int], layout: Layout) -> list[Any] | None:
    """Return columns as pyarrow's dictionary arrays of text, as it stands; None where pyarrow is not there, or no use.

    Args:
        records: the rows, UTF-8, without quotes and line ends, none of them empty, each of the layout's width.
        columns: which of their cells hold text.
        layout: how they are written.
    """
    block = b"\n".join(records) if len(records) >= _FEW and has_pyarrow() else b""
    if not block or len(block) >= LARGEST or b"\r" in block:
        return None
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    return arrow_columns(block, columns, layout, pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
