"""Chooses the writer of a file's format."""

from typing import Any, BinaryIO

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.scoring.csv_writer import CsvWriter
from parity_runtime.scoring.writer import Layout, Writer
from parity_runtime.tables.chunk import Chunk


def create_writer(
    format_name: str, file: BinaryIO, layout: Layout, head: Chunk, *, spreadsheet_safe: bool = False
) -> Writer[Any]:
    """Return the writer of a format.

    Args:
        format_name: one of the formats of a table.
        file: where to.
        layout: which columns.
        head: the table's first rows.
        spreadsheet_safe: of CSV: write an apostrophe before what a spreadsheet would run.

    Raises:
        InputError: answers of this table cannot be written in that format.
    """
    if format_name == "csv":
        return CsvWriter(file, layout, head, spreadsheet_safe=spreadsheet_safe)
    if spreadsheet_safe:
        raise InputError(f"{argument('spreadsheet_safe')} is for CSV, not for {format_name}")
    # Each format brings its reader: a command waits for that of its own alone.
    if format_name == "jsonl":
        from parity_runtime.scoring.json_writer import JsonWriter  # noqa: PLC0415
        from parity_runtime.tables.json_lines import JsonChunk  # noqa: PLC0415

        if not isinstance(head, JsonChunk):
            raise InputError("predictions are JSON Lines only if the table is; name the predictions .csv")
        return JsonWriter(file, layout)
    if format_name == "npy":
        from parity_runtime.scoring.npy_writer import NpyWriter  # noqa: PLC0415

        return NpyWriter(file, layout, head)
    from parity_runtime.scoring.arrow_writer import ArrowWriter  # noqa: PLC0415

    return ArrowWriter(file, layout, head, parquet=format_name == "parquet")
