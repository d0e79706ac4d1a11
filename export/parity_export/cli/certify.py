"""``parity certify``."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from parity_export.artifacts import BAND, band
from parity_export.cli.table_rows import inputs_of_ones_own, refuse_other_inputs, table_or_drawn
from parity_export.error_bounds.certificate import DRAWN_ROWS, Certificate, UncertifiedRow
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.error_bounds.low_precision.low_precision_model import LowerPrecision, LowPrecisionModel
from parity_export.error_bounds.precision import PRECISIONS
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import operators_option, package_argument
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.cli.table_options import table_options
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import MISSING_TIMESTAMP, Feature, timestamp_text
from parity_runtime.files.json_file import dump_json
from parity_runtime.files.paths import refuse_unwritable, resolved
from parity_runtime.files.staged_folder import refuse_existing, staged_folder
from parity_runtime.package.manifest import Package
from parity_runtime.printable import shown
from parity_runtime.tables.csv_file import write_csv

_FIGURES, _UNCERTIFIED = "certificate.json", "uncertified.csv"
_SHOWN = 5
_LISTED = 10  # features or numbers of a row


_EXAMPLES = """
    # Count the certified labels of random rows
    parity certify packages/xor
    # Count those of a table, and write the other rows into a folder
    parity certify packages/xor points.csv --out certified
    # Count the labels that bfloat16 cannot change
    parity certify packages/xor points.csv --precision bfloat16
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.argument("table", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the rows that are not certified, and a plot, into this folder, which holds nothing else.",
)
@click.option(
    "--precision",
    type=click.Choice(list(PRECISIONS)),
    help="Count the labels that stay the same if the model is computed in this format instead of float32.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@operators_option
@table_options
def certify(
    package: Path, table: str | None, out: Path | None, precision: LowerPrecision | None, as_json: bool, **options: Any
) -> None:
    """Count the labels of PACKAGE that no compliant runtime can change by rounding, over the rows of TABLE.

    TABLE is CSV, JSON Lines, .npy, Parquet or Arrow; - is stdin. Without a TABLE the rows are random: evenly
    distributed over the range of the training rows, and a quarter of it beyond.

    A compliant runtime is one whose rounding stays within the limits that the documentation gives. If PACKAGE has no
    certified graph, the command makes one in memory; the package stays as it is.

    With --precision, a label is certified if every computation in that format gives the label of float32. float16 and
    bfloat16 round constants, inputs and the result of every operator. tf32 rounds the factors of products and
    convolutions. All three accumulate in float32.
    """
    _check_out(out, package)
    opened, model = _open(package, options.pop("allow_operators"), precision)
    refuse_other_inputs(opened.contract, "certify", _with_inputs(opened, precision))
    chunks = table_or_drawn(model.contract, table, options)
    certificate, first = Certificate(model), list[UncertifiedRow]()
    with tempfile.TemporaryFile() as rows:
        write_csv(
            rows,
            _columns(model.contract),
            (_cells(model.contract, row) for row in _first(certificate.run(chunks), first)),
        )
        if not certificate.rows:
            raise InputError(f"{table} has no rows")
        figures = certificate.to_json()
        if out is not None:
            rows.seek(0)
            _write(out, rows, {"package": opened.id, **figures}, model)
            echo_line(f"written: {', '.join(map(str, sorted(out.iterdir())))}", err=True)
    if as_json:
        click.echo(json.dumps(figures))
    else:
        where = f"{DRAWN_ROWS} rows drawn over the features' ranges" if table is None else f"the rows of {table}"
        summary = _summary(model.contract, figures, where)
        for line in [
            *summary,
            *_examples(certificate, first, model.contract),
            *_scope(model),
            *_no_picture(out, model),
        ]:
            echo_line(line)


def _check_out(out: Path | None, package: Path) -> None:
    """Refuse a folder that must not, or cannot, be written; stdout that is closed."""
    if out is None:
        if sys.stdout is None:
            raise InputError("stdout is closed; write what is found into a folder with --out")
        return
    target = resolved(out)
    if resolved(package) in (target, *target.parents):
        raise InputError(f"{out} lies inside the package {package}, whose files must not change; choose another place")
    refuse_existing(out, replace=True, check=_refuse_lost_files)
    refuse_unwritable(target)


def _open(path: Path, allowed: tuple[str, ...], precision: LowerPrecision | None) -> tuple[Package, CertifiedModel]:
    """Return a package and its certified graph: of one package, although an export may replace it meanwhile."""
    package = Package.open(path)
    if precision is None:
        model = CertifiedModel.open(path, allowed)
    else:
        model = LowPrecisionModel.open_lower(path, precision, allowed)
    if package.was_replaced():
        raise InputError(f"{path} was replaced while it was read; give the command again")
    return package, model


def _with_inputs(package: Package, precision: LowerPrecision | None) -> str:
    """Return where the proofs of inputs that are no rows are found."""
    contract = package.contract
    certified = "certified" in contract.graphs or precision is not None
    first = "" if certified else "export it with parity export ... --certified --force, then "
    inputs = inputs_of_ones_own(contract)
    call = f"Predictor({str(package.path)!r}, certified=True).run({inputs})"
    if precision is not None:
        call = f"LowPrecisionModel.open_lower({str(package.path)!r}, {precision!r}).on_inputs()({inputs})"
    found = f"error_bound{' and certified' * contract.is_classifier}"
    return f"{first}give inputs of your own in Python: {call} returns {found}"


def _first(rows: Iterator[UncertifiedRow], first: list[UncertifiedRow]) -> Iterator[UncertifiedRow]:
    """Pass rows on, and keep the first few."""
    for row in rows:
        if len(first) < _SHOWN:
            first.append(row)
        yield row


def _summary(contract: ModelContract, figures: dict[str, Any], where: str) -> list[str]:
    """Return what was found, for a person."""
    what = "labels are certified" if contract.is_classifier else "values have a proven error bound"
    unit = "of a logit" if contract.is_classifier else "in the targets' own unit"
    lower = f" in {figures['precision']}" if "precision" in figures else ""
    changed = [f"{figures['changed']} labels are proven to change{lower}"] if figures.get("changed") else []
    return [
        f"{contract.name}: {figures['certified']} of {figures['rows']} {what}{lower} "
        f"({100 * figures['share']:.4f} %), over {where}",
        *changed,
        f"error bound {unit}{lower}: at most {figures['largest_bound']:.3g}, median {figures['median_bound']:.3g}",
    ]


def _examples(certificate: Certificate, first: list[UncertifiedRow], contract: ModelContract) -> list[str]:
    """Return the first rows that are not proven, and how many more there are."""
    lines = []
    for row in first:
        features = _listed(
            f"{feature.name}={_shown(feature, cell)}" for feature, cell in zip(contract.columns, row.cells, strict=True)
        )
        numbers = _listed(f"{value:.3g} +- {bound:.3g}" for value, bound in zip(row.answer, row.bound, strict=True))
        label = "" if row.label is None else f" -> {row.label}"
        lines.append(f"  not proven: row {row.row}: {features}{label} ({numbers})")
    rest = certificate.rows - certificate.certified - len(first)
    return [*lines, *([f"  and {rest} more"] if rest > 0 else [])]


def _listed(parts: Iterable[str]) -> str:
    """Return the first few parts, and how many more there are; --out has them all."""
    first = list(parts)
    rest = len(first) - _LISTED
    return ", ".join([*first[:_LISTED], *([f"and {rest} more"] if rest > 0 else [])])


def _scope(model: CertifiedModel) -> list[str]:
    """Return for whom that holds."""
    return [f"it holds for {model.subject()}", f"elementary functions: {model.precision()}"]


def _no_picture(out: Path | None, model: CertifiedModel) -> list[str]:
    """Return why there is no picture of the decision in a folder, where a table holds more than numbers."""
    others = [feature.name for feature in model.contract.features if feature.kind != "numeric"]
    if out is None or not others or not model.contract.is_classifier:
        return []
    return [f"no {BAND}: a plane has two numbers for axes, and {others[0]} is not a number"]


def _write(out: Path, rows: IO[bytes], facts: dict[str, Any], model: CertifiedModel) -> None:
    with staged_folder(out, replace=True, check=_refuse_lost_files) as staging:
        (staging / _FIGURES).write_bytes(dump_json(facts))
        with (staging / _UNCERTIFIED).open("wb") as file:
            shutil.copyfileobj(rows, file)
        for name, picture in band(model).items():
            (staging / name).write_bytes(picture)


def _refuse_lost_files(out: Path) -> None:
    """Raise `InputError` unless a folder holds what certify wrote and nothing else: what is replaced is lost."""
    others = sorted(path.name for path in out.iterdir() if path.name not in (_FIGURES, _UNCERTIFIED, BAND))
    if others:
        raise InputError(f"{out} holds {others[0]}, which certify did not write; give --out a folder of its own")


def _columns(contract: ModelContract) -> list[str]:
    answer = contract.output(contract.bounded)
    label = ["label"] if contract.is_classifier else []
    numbers = [f"{kind}_{index}" for kind in ("value", "error_bound") for index in range(int(answer.shape[1]))]
    return ["row", *(feature.name for feature in contract.columns), *label, *numbers]


def _cells(contract: ModelContract, row: UncertifiedRow) -> list[str]:
    label = [] if row.label is None else [str(row.label)]
    cells = [_text(feature, cell) for feature, cell in zip(contract.columns, row.cells, strict=True)]
    return [str(row.row), *cells, *label, *(str(number) for number in (*row.answer, *row.bound))]


def _text(feature: Feature, cell: Any) -> str:
    """Return a cell as a table has it: a timestamp in ISO 8601, the date alone at midnight, nothing if missing."""
    if feature.kind != "datetime":
        return str(cell)
    return "" if cell == MISSING_TIMESTAMP else timestamp_text(int(cell)).removesuffix("T00:00:00Z")


def _shown(feature: Feature, cell: Any) -> str:
    """Return a cell for a line of text: a number to seven digits, text in quotes."""
    if feature.is_text:
        return shown(cell)
    return _text(feature, cell) if feature.kind == "datetime" else f"{cell:.7g}"
