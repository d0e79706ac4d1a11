"""What a person names a table by, as a table: a file, a folder, a data frame, batches."""

from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.tables.csv_file import CsvDialect
from parity_runtime.tables.find_tables import in_parts
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_file import TableFile
from parity_training.data.batch_table import BatchTable
from parity_training.data.data_frame import NAME, FrameTable, arrow_table
from parity_training.data.problem import PARTS
from parity_training.data.table_in_parts import TableInParts
from parity_training.data.table_settings import TableSettings


def table_file(table: Any, options: ReadOptions, **tell: Any) -> TableFile:
    """Return a table by the name of its file, folder or glob, a data frame as a table, or batches as they are.

    Raises:
        InputError: it is none of these, or an option is for CSV.
        MissingExtraError: a data frame needs pyarrow, which is not installed.
    """
    if isinstance(table, str | Path):
        if in_parts([str(table)]):
            return TableInParts.found(str(table), options, **tell)
        return TableFile.named(str(table), options, **tell)
    if options.format or options.of_csv:
        said = (["format"] if options.format else []) + options.of_csv
        raise InputError(f"{said[0]} is for a file, not for a data frame")
    if isinstance(table, BatchTable):
        return table
    return FrameTable(NAME, "arrow", CsvDialect(values=options.values()), frame=arrow_table(table))


def with_part_files(table: TableFile, settings: TableSettings, **tell: Any) -> TableFile:
    """Return a table with the files behind it whose rows validate, or are held out, where there are such files.

    Raises:
        InputError: a file is named twice, or rows come in batches.
    """
    said = {"validation": settings.validation_file, "test": settings.test_file}
    others = {
        PARTS.index(part): table_file(name, settings.reading, **tell) for part, name in said.items() if name is not None
    }
    if not others:
        return table
    if isinstance(table, BatchTable):
        raise InputError(f"{argument('validation_file')} and {argument('test_file')} are for a table, not for batches")
    return TableInParts.with_others(table, others)
