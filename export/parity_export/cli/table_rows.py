"""The rows that `parity certify` and `parity estimate` are of: a table's, or drawn ones."""

from collections.abc import Iterator
from typing import Any

import click

from parity_export.error_bounds.certificate import drawn_chunks, table_chunks
from parity_runtime import ModelContract
from parity_runtime.cli.table_options import read_options, table_file
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.read_options import ReadOptions


def table_or_drawn(contract: ModelContract, table: str | None, options: dict[str, Any]) -> Iterator[Arrays]:
    """Return the chunks of a table, or drawn ones where there is none.

    Raises:
        click.UsageError: options say how a table is written, and there is none.
    """
    reading = read_options(options)
    if table is not None:
        return table_chunks(contract, table_file(contract, table, reading))
    if reading != ReadOptions():
        raise click.UsageError("options that say how a table is written need a TABLE; add one, or leave them out")
    return drawn_chunks(contract)


def refuse_other_inputs(contract: ModelContract, command: str, way_out: str) -> None:
    """Refuse a model of images or other tensors, of which a table has no rows.

    Args:
        contract: the model's.
        command: what was asked.
        way_out: how inputs of one's own are given.

    Raises:
        InputError: the model takes no features.
    """
    if not contract.features:
        raise InputError(
            f"{contract.name} takes {', '.join(map(str, contract.inputs))}, and {command} takes rows of a table; "
            f"{way_out}"
        )


def inputs_of_ones_own(contract: ModelContract) -> str:
    """Return what a call in Python takes, for a message."""
    return f"{{{contract.inputs[0].name!r}: ...}}"
