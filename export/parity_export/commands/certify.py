"""``parity certify``."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import click

from parity_export.certificate import (
    DRAWN_ROWS,
    Certificate,
    CertifiedModel,
    Unproven,
    certify_rows,
    drawn_chunks,
    table_chunks,
)
from parity_export.proof import precision, subject
from parity_runtime.commands.options import package_argument
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.files import atomic_write, write_file
from parity_runtime.jsonfile import dump_json
from parity_runtime.tables.csv_file import write_csv

_SHOWN = 5


@click.command()
@package_argument
@click.argument("table", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), help="A folder for the rows that are not proven, and the picture."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def certify(package: Path, table: str | None, out: Path | None, as_json: bool) -> None:
    """Say which labels of PACKAGE no compliant backend can change, over the rows of TABLE (CSV, or - for stdin).

    Without a TABLE rows are drawn evenly over what the features ranged over in training, and a quarter beyond.
    A package without a certified graph is certified in memory, and stays as it is. docs/proof.md says what is proven.
    """
    if out is not None and package.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out} lies inside the package {package}, whose files must not change; choose another place")
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out takes a folder")
    if out is None and sys.stdout is None:
        raise InputError("stdout is closed; write what is found into a folder with --out")
    model = CertifiedModel.open(package)
    chunks = drawn_chunks(model) if table is None else table_chunks(model, table)
    certificate = certify_rows(model, chunks)
    if not certificate.rows:
        raise InputError(f"{table} has no rows")
    if out is not None:
        _write(out, model, certificate)
    if as_json:
        click.echo(json.dumps(certificate.to_json()))
    else:
        where = f"{DRAWN_ROWS} rows drawn over the features' ranges" if table is None else f"the rows of {table}"
        for line in [*_story(model.contract, certificate, where), *_scope(model)]:
            click.echo(line)


def _story(contract: ModelContract, certificate: Certificate, where: str) -> list[str]:
    """Return what was found, for a person."""
    what = "labels are certified" if contract.is_classifier else "values have a proven radius"
    unit = "of a logit" if contract.is_classifier else "in the targets' own unit"
    lines = [
        f"{contract.name}: {certificate.certified} of {certificate.rows} {what} "
        f"({100 * certificate.share:.4f} %), over {where}",
        f"radius {unit}: at most {certificate.largest_radius:.3g}, median {certificate.median_radius:.3g}",
    ]
    for row in certificate.unproven[:_SHOWN]:
        features = ", ".join(
            f"{feature.name}={value:.7g}" for feature, value in zip(contract.columns, row.features, strict=True)
        )
        numbers = ", ".join(
            f"{value:.3g} +- {radius:.3g}" for value, radius in zip(row.answer, row.radius, strict=True)
        )
        label = "" if row.label is None else f" -> {row.label}"
        lines.append(f"  not proven: row {row.row}: {features}{label} ({numbers})")
    rest = len(certificate.unproven) - _SHOWN
    return [*lines, *([f"  and {rest} more"] if rest > 0 else [])]


def _scope(model: CertifiedModel) -> list[str]:
    """Return for whom that holds."""
    return [f"it speaks for {subject(model.torch_gaps)}", f"elementary functions: {precision(model.measured)}"]


def _write(out: Path, model: CertifiedModel, certificate: Certificate) -> None:
    out.mkdir(parents=True, exist_ok=True)
    contract = model.contract
    facts = {"package": model.package_id, **certificate.to_json()}
    write_file(out / "certificate.json", dump_json(facts))
    columns = [
        "row",
        *(feature.name for feature in contract.columns),
        *(["label"] if contract.is_classifier else []),
    ]
    outputs = [str(index) for index in range(len(certificate.unproven[0].answer))] if certificate.unproven else []
    columns += [f"answer_{index}" for index in outputs] + [f"radius_{index}" for index in outputs]
    with atomic_write(out / "unproven.csv") as file:
        write_csv(file, columns, (_cells(row) for row in certificate.unproven))
    if importlib.util.find_spec("matplotlib") is not None:
        _draw(out, model)


def _draw(out: Path, model: CertifiedModel) -> None:
    from parity_export.band import BAND, band_picture, has_band  # noqa: PLC0415 -- needs the [plot] extra

    picture = band_picture(model) if has_band(model) else None
    if picture is not None:
        write_file(out / BAND, picture)


def _cells(row: Unproven) -> list[str]:
    label = [] if row.label is None else [str(row.label)]
    numbers: list[Any] = [*row.features, *label, *row.answer, *row.radius]
    return [str(row.row), *(str(number) for number in numbers)]
