"""Options that say how a table is written."""

from collections.abc import Callable
from typing import Any

import click

from parity_runtime.commands.options import names
from parity_runtime.contract import ModelContract
from parity_runtime.tables.csv_file import CsvDialect
from parity_runtime.tables.reading import FORMATS, TableFile, table_format

_FORMATS = tuple(dict.fromkeys(FORMATS.values()))


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --format, --delimiter and --header."""
    for option in reversed((
        click.option("--format", "format_name", type=click.Choice(_FORMATS),
                     help="The table's format [default: by its suffix; CSV for - and for any other]."),
        click.option("--delimiter", metavar="CHAR",
                     help="What separates the cells of CSV; tab for a tab [default: a comma; a tab for .tsv]."),
        click.option("--header", metavar="A,B,...", help="The columns of CSV that has no header line."),
    )):  # fmt: skip
        command = option(command)
    return command


def table_file(
    contract: ModelContract, name: str, *, format_name: str | None, delimiter: str | None, header: str | None
) -> TableFile:
    """Return the table that the options describe."""
    kind = format_name or table_format(name)
    if kind != "csv" and (delimiter or header):
        raise click.UsageError(f"--delimiter and --header are for CSV, not for {kind}")
    separator = "\t" if delimiter == "tab" or (not delimiter and name.lower().endswith(".tsv")) else delimiter or ","
    if len(separator) != 1 or not separator.isascii() or separator.isalnum() or separator in '"\r\n\0+-. ':
        raise click.UsageError(f"--delimiter {separator!r} is no single character that can separate cells")
    columns = [feature.name for feature in contract.columns]
    return TableFile(name, kind, CsvDialect(separator, names(header)), columns)
