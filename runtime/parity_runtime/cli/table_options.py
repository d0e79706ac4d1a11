"""Options that say how a table is written."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import names
from parity_runtime.cli.sectioned_help import section
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.tables.cell_values import MISSING_TOKENS
from parity_runtime.tables.feature_columns import check_takes_rows
from parity_runtime.tables.read_options import FORMATS, ReadOptions

if TYPE_CHECKING:
    from parity_runtime.tables.table_file import TableFile

_FORMATS = tuple(dict.fromkeys(FORMATS.values()))

TABLE_OPTIONS = ("format_name", "delimiter", "header", "missing_values", "decimal", "thousands", "currency", "percent")
"""The names under which the options arrive."""


def _listed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else names(text)


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --format, --delimiter, --header, --missing-values, --decimal, --thousands, --currency and --percent."""
    file = section("How the file is read")
    for option in reversed((
        file("--format", "format_name", type=click.Choice(_FORMATS),
             help="The format of the table [default: by the file's suffix; CSV for - and for an unknown suffix]."),
        file("--delimiter", metavar="CHAR",
             help="The character between the cells of CSV; tab for a tab [default: found in the first line]."),
        file("--header", callback=_listed, metavar="A,B,...",
             help="The names of the columns, for CSV without a header line."),
        file("--missing-values", callback=_listed, metavar="A,B,...",
             help="Cells that mean missing, besides the empty cell; '' for no others "
                  f"[default: {', '.join(MISSING_TOKENS)}; in columns of numbers also - ? and .]."),
        file("--decimal", metavar="CHAR",
             help="The decimal sign of numbers in CSV: . or , [default: a point; found in the numbers, if the cells "
                  "are not separated by commas]."),
        file("--thousands", metavar="CHAR", help="The thousands separator of numbers in CSV: , . ' or a space."),
        file("--currency", callback=_listed, metavar="A,B,...",
             help="Currency signs or codes to remove from numbers in CSV, such as $,EUR."),
        file("--percent", is_flag=True, default=None, help="Read 45% in CSV as 0.45."),
    )):  # fmt: skip
        command = option(command)
    return command


def read_options(given: dict[str, Any]) -> ReadOptions:
    """Return what the options of `table_options` say.

    Raises:
        click.UsageError: one is none that there is, or contradicts another.
    """
    named = {"format" if name == "format_name" else name: given.get(name) for name in TABLE_OPTIONS}
    try:
        return ReadOptions(**{name: value for name, value in named.items() if value is not None})
    except InputError as error:
        raise click.UsageError(str(error)) from error


def table_file(contract: ModelContract, name: str, options: ReadOptions) -> "TableFile":
    """Return the table that the options describe, as the model reads it.

    Raises:
        InputError: the model takes no rows of a table.
        click.UsageError: an option does not go with the file's format.
    """
    from parity_runtime.tables.table_file import TableFile  # noqa: PLC0415 -- with every format's reader

    check_takes_rows(contract)
    columns = [feature.name for feature in contract.row_features]
    try:
        return TableFile.named(name, options, trained=contract.missing_values, columns=columns, tell=tell)
    except InputError as error:
        raise click.UsageError(str(error)) from error


def refuse_row_of_many(number: int | None) -> None:
    """Refuse --explain-row where many tables are given.

    Raises:
        click.UsageError: says what to give.
    """
    if number is not None:
        raise click.UsageError("--explain-row prints a row of one table; give the file that holds it")


def refuse_stdout_of_many(out: str | None) -> None:
    """Refuse many tables whose predictions would go to stdout.

    Raises:
        click.UsageError: names the option.
    """
    if out is None or out in ("-", "/dev/stdout"):
        raise click.UsageError("many tables give many files of predictions; name their folder: --out FOLDER")


def tell(text: str) -> None:
    """Say on stderr what was found out about a table."""
    echo_line(f"parity: {text}", err=True)
