"""``parity predict``."""

import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from parity_runtime.commands.options import package_argument, provider_option, say_provider
from parity_runtime.contract import CERTIFIED, LABEL, PROBABILITIES, RADIUS, VALUE, ModelContract, added_columns
from parity_runtime.errors import InputError
from parity_runtime.predictor import Predictor
from parity_runtime.session import Provider
from parity_runtime.table import Table, read_table, table_features, write_csv


@click.command()
@package_argument
@click.argument("table", required=False)
@click.option("--row", "rows", multiple=True, metavar="A,B,...", help="One row of numbers; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the table is written; stdout without it.")
@click.option("--certified", is_flag=True, help="Also say what is proven of each row: certified, and radius.")
@provider_option
def predict(
    package: Path, table: str | None, rows: tuple[str, ...], out: Path | None, certified: bool, provider: Provider
) -> None:
    """Answer the rows of TABLE, a CSV file with a header, or - for stdin.

    Adds the columns label and probability_<class> (for a regression, the target's name); other columns pass
    through untouched. --certified adds certified (true: no compliant backend gives another label) or, for a
    regression, radius_<target> (how far any compliant backend can be from the exact value).
    """
    if (table is None) == (not rows):
        raise click.UsageError("give either a TABLE or at least one --row")
    if out is not None and package.resolve() in out.resolve().parents:
        raise InputError(f"{out} lies inside the package {package}, whose files must not change; choose another place")
    if out is None and sys.stdout is None:
        raise InputError("stdout is closed; write the answers to a file with --out")
    predictor = Predictor(package, provider=provider, certified=certified)
    say_provider(provider, predictor.provider)
    contract = predictor.contract
    source = _rows_table(contract, rows) if rows else read_table(str(table))
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; use Predictor.run from Python")
    added = added_columns(contract) + (proof_columns(contract) if certified else [])
    source.refuse_columns(added)
    answers = zip(*answer_columns(predictor, table_features(contract, source)), strict=True)
    scored = ([*row, *answer] for row, answer in zip(source.rows, answers, strict=True))
    if out is None:
        write_csv(sys.stdout.buffer, source.columns + added, scored)
        return
    from parity_runtime.files import atomic_write  # noqa: PLC0415 -- half of this command's start where it is not needed

    with atomic_write(out) as file:
        write_csv(file, source.columns + added, scored)
    click.echo(f"{len(source.rows)} rows answered in {out}", err=True)


def answer_columns(predictor: Predictor, features: NDArray[np.float64]) -> list[list[str]]:
    """Return the added columns as text; floats are the shortest text that reads back to the same float32."""
    outputs = predictor.run({predictor.contract.inputs[0].name: features})
    if predictor.contract.is_classifier:
        labels = predictor.classes_[outputs[LABEL]]
        proof = [["true" if proven else "false" for proven in outputs[CERTIFIED]]] if CERTIFIED in outputs else []
        return [[str(label) for label in labels], *_float_columns(outputs[PROBABILITIES]), *proof]
    return _float_columns(outputs[VALUE]) + (_float_columns(outputs[RADIUS]) if RADIUS in outputs else [])


def proof_columns(contract: ModelContract) -> list[str]:
    """Return the names of the columns that say what is proven of a row."""
    return [CERTIFIED] if contract.is_classifier else [f"{RADIUS}_{target}" for target in contract.targets]


def _float_columns(matrix: NDArray[Any]) -> list[list[str]]:
    return [[str(cell) for cell in column] for column in matrix.T]


def _rows_table(contract: ModelContract, rows: tuple[str, ...]) -> Table:
    if not contract.features:
        raise InputError(f"{contract.name} takes {', '.join(map(str, contract.inputs))}, not rows of a table")
    columns = [feature.name for feature in contract.columns]
    cells = [[cell.strip() for cell in row.split(",")] for row in rows]
    for row in cells:
        if len(row) != len(columns):
            raise InputError(f"--row {','.join(row)} has {len(row)} numbers; it takes {', '.join(columns)}")
    return Table("--row", columns, cells)
