"""``parity estimate``."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from parity_export.error_bounds.certificate import drawn_chunks, table_chunks
from parity_export.error_estimate.estimate import ErrorEstimate
from parity_runtime import ModelContract
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import operators_option, package_argument
from parity_runtime.cli.table_options import read_options, table_file, table_options
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.table_file import ReadOptions

_DRAWN = 1000


@click.command()
@package_argument
@click.argument("table", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@operators_option
@table_options
def estimate(package: Path, table: str | None, as_json: bool, **options: Any) -> None:
    """Estimate how far PACKAGE's answers in float32 are from the exact ones, over the rows of TABLE. No proof.

    TABLE is CSV, JSON Lines, .npy, Parquet or Arrow; - is stdin. Without one, 1,000 rows are drawn over what the
    features ranged over in training, and a quarter beyond.

    The estimate takes roundings as independent and of mean zero. It says something of networks that are too deep for
    parity certify, which proves.
    """
    allowed = options.pop("allow_operators")
    reading = read_options(options)
    if table is None and reading != ReadOptions():
        raise click.UsageError("how a table is written is for a TABLE, and there is none")
    model = ErrorEstimate.open(package, allowed)
    refuse_images(model.contract, package)
    chunks: Iterator[Arrays] = _drawn(model.contract)
    if table is not None:
        chunks = table_chunks(model.contract, table_file(model.contract, table, reading))
    figures = _figures(model, chunks, table)
    if as_json:
        click.echo(json.dumps(figures))
        return
    where = f"{figures['rows']} rows drawn over the features' ranges" if table is None else f"the rows of {table}"
    for line in _summary(model.contract, figures, where):
        echo_line(line)


def refuse_images(contract: ModelContract, package: Path) -> None:
    """Refuse a model of images or other tensors, of which a table has no rows."""
    if not contract.features:
        inputs = f"{{{contract.inputs[0].name!r}: ...}}"
        raise InputError(
            f"{contract.name} takes {', '.join(map(str, contract.inputs))}, and estimate takes rows of a table; give "
            f"inputs of your own in Python: from parity_export.error_estimate.estimate import ErrorEstimate; "
            f"ErrorEstimate.open({str(package)!r}).of_inputs({inputs})"
        )


def _drawn(contract: ModelContract) -> Iterator[Arrays]:
    for chunk in islice(drawn_chunks(contract), 1):
        yield {name: array[:_DRAWN] for name, array in chunk.items()}


def _figures(model: ErrorEstimate, chunks: Iterator[Arrays], table: str | None) -> dict[str, Any]:
    """Return the JSON form: of the largest estimate of each row that has a finite one, in the output's own unit."""
    found, beyond, rows = list[Any](), 0, 0
    for chunk in chunks:
        taken = {spec.name: chunk[spec.name].astype(spec.numpy_dtype) for spec in model.contract.inputs}
        one = model.of_inputs(taken)
        found.append(np.fmax.reduce(one.error_estimate, axis=1))
        beyond, rows = beyond + (0 if one.beyond is None else int(one.beyond.sum())), rows + len(one.answers)
    if not rows:
        raise InputError(f"{table} has no rows")
    known = np.concatenate(found)
    known = known[np.isfinite(known)]
    figures: dict[str, Any] = {
        "rows": rows,
        "estimated": len(known),
        "largest_error_estimate": float(known.max()) if len(known) else None,
        "median_error_estimate": float(np.median(known)) if len(known) else None,
    }
    return figures | ({"labels_beyond_estimate": beyond} if model.contract.is_classifier else {})


def _summary(contract: ModelContract, figures: dict[str, Any], where: str) -> list[str]:
    unit = "of a logit" if contract.is_classifier else "in the targets' own unit"
    if not figures["estimated"]:
        return [f"{contract.name}: none of {where} has an estimate: their answers are not finite"]
    left = figures["rows"] - figures["estimated"]
    rest = f", but for {left} whose answers are not finite" if left else ""
    labels = []
    if contract.is_classifier:
        labels = [f"{figures['labels_beyond_estimate']} of {figures['rows']} labels lead by more than it"]
    return [
        f"{contract.name}: error estimate {unit}: at most {figures['largest_error_estimate']:.3g}, median "
        f"{figures['median_error_estimate']:.3g}, over {where}{rest}",
        *labels,
        "an estimate, no proof: it takes roundings as independent and of mean zero; parity certify proves",
    ]
