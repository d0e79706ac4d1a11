"""``parity estimate``."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from parity_export.cli.table_rows import inputs_of_ones_own, refuse_other_inputs, table_or_drawn
from parity_export.error_estimate.estimate import ErrorEstimate
from parity_runtime import ModelContract
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import operators_option, package_argument
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.cli.table_options import table_options
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays

_DRAWN = 1000


_EXAMPLES = """
    # Estimate the error on random rows
    parity estimate packages/xor
    # Estimate it on the rows of a table
    parity estimate packages/xor points.csv
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.argument("table", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@operators_option
@table_options
def estimate(package: Path, table: str | None, as_json: bool, **options: Any) -> None:
    """Estimate the rounding error of PACKAGE's outputs in float32, over the rows of TABLE. This proves nothing.

    TABLE is CSV, JSON Lines, .npy, Parquet or Arrow; - is stdin. Without a TABLE, 1,000 rows are drawn over the range
    of the training rows, and a quarter of it beyond.

    The estimate assumes that rounding errors are independent and zero on average. It also works for networks that are
    too deep for parity certify, which proves a bound.
    """
    allowed = options.pop("allow_operators")
    model = ErrorEstimate.open(package, allowed)
    refuse_other_inputs(model.contract, "estimate", _with_inputs(model.contract, package))
    chunks = table_or_drawn(model.contract, table, options)
    if table is None:
        chunks = ({name: array[:_DRAWN] for name, array in chunk.items()} for chunk in islice(chunks, 1))
    figures = _figures(model, chunks, table)
    if as_json:
        click.echo(json.dumps(figures))
        return
    where = f"{figures['rows']} rows drawn over the features' ranges" if table is None else f"the rows of {table}"
    for line in _summary(model.contract, figures, where):
        echo_line(line)


def _with_inputs(contract: ModelContract, package: Path) -> str:
    """Return how inputs that are no rows are estimated."""
    return (
        "give inputs of your own in Python: from parity_export.error_estimate.estimate import ErrorEstimate; "
        f"ErrorEstimate.open({str(package)!r}).of_inputs({inputs_of_ones_own(contract)})"
    )


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
        return [f"{contract.name}: none of {where} has an estimate: their outputs are not finite"]
    left = figures["rows"] - figures["estimated"]
    rest = f", but for {left} whose outputs are not finite" if left else ""
    labels = []
    if contract.is_classifier:
        labels = [f"{figures['labels_beyond_estimate']} of {figures['rows']} labels have a margin above the estimate"]
    return [
        f"{contract.name}: error estimate {unit}: at most {figures['largest_error_estimate']:.3g}, median "
        f"{figures['median_error_estimate']:.3g}, over {where}{rest}",
        *labels,
        "an estimate, not a proof: it assumes independent rounding errors of mean zero; parity certify proves a bound",
    ]
