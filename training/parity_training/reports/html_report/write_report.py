"""``parity report``: a run or a package as one page of HTML that loads nothing."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, UndefinedError
from markupsafe import Markup

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.files.atomic_write import write_file
from parity_runtime.package.manifest import EVALUATION, REPORT
from parity_training.reports.confusion_plot import MOST_CELLS
from parity_training.reports.feature_plots import METRIC_NAMES
from parity_training.reports.html_report.charts import charts
from parity_training.reports.html_report.facts import Facts, read_facts
from parity_training.reports.html_report.figures_of import figure_of
from parity_training.reports.html_report.model_tables import (
    columns,
    cut,
    data_of,
    parity_of,
    plain,
    tolerances_of,
    training_of,
)
from parity_training.reports.metric_table import caveat, metrics_in, tiles_in, verdict
from parity_training.reports.number_text import percent, short
from parity_training.reports.part_names import PARTS
from parity_training.well_formed import well_formed

_MARK = b"<!doctype html>\n<!-- written by parity report -->\n"
_MOST_ROWS = 30  # of a table of features
_MOST_CLASSES = 300


def write_report(path: str | Path, out: str | Path | None = None) -> Path:
    """Write a page about a run or a package, and return its path.

    >>> from parity_training import XORSettings, train_xor
    >>> from parity_training.reports.html_report.write_report import write_report
    >>> run = train_xor("runs/reported", XORSettings(size=200, epochs=2), replace=True)
    >>> write_report(run.path).name
    'reported.html'

    Args:
        path: the run, or the package.
        out: where the page goes; by default beside ``path``, as ``NAME.html``. Another report there is replaced.

    Raises:
        InputError: there is neither, or something that is no report stands in the page's place.
        DigestError: a file of the package is not the one that was packaged.
        FormatError: a file is malformed, or newer than this version.
    """
    path = Path(path)
    target = path.absolute().with_name(f"{path.absolute().name}.html") if out is None else Path(out)
    _refuse_another_file(target)
    page = report_page(read_facts(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, page)
    return Path(f"{path}.html") if out is None and path.name else target


def report_page(facts: Facts) -> bytes:
    """Return the page: UTF-8, without a date, so that the same facts give the same bytes.

    Raises:
        FormatError: evaluation.json or parity.json is not written as the documentation says.
    """
    with well_formed(facts.path, f"{EVALUATION} or {REPORT}"):
        return _MARK + _rendered(facts).encode("utf-8", "backslashreplace")


def _refuse_another_file(target: Path) -> None:
    if target.is_dir():
        raise InputError(f"{target} is a folder; name a file with {argument('out')}")
    if target.is_file():
        with target.open("rb") as file:
            if file.read(len(_MARK)) != _MARK:
                raise InputError(
                    f"{target} is not a report, and is not replaced; name another file with {argument('out')}"
                )


@cache
def _template() -> tuple[Template, Markup]:
    """Return the page's template and its style; to compile it takes a tenth of the time of a page."""
    folder = files("parity_training.reports.html_report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cut": cut, "plain": plain, "percent": percent, "short": short}
    template = environment.from_string((folder / "page.html.j2").read_text("utf-8"))
    return template, Markup((folder / "style.css").read_text("utf-8"))  # noqa: S704 -- our own


def _rendered(facts: Facts) -> str:
    template, style = _template()
    try:
        return template.render(style=style, **_names(facts))
    except UndefinedError as error:
        raise LookupError(str(error)) from error


def _names(facts: Facts) -> dict[str, Any]:
    found = facts.evaluation
    return {
        "facts": facts,
        "contract": facts.contract,
        "found": found,
        "figure": figure_of(found),
        "part": PARTS.get(str(found.get("part")), "rows"),
        "charts": charts(facts),
        "verdict": verdict(found, facts.contract),
        "caveat": caveat(found),
        "tiles": tiles_in(found),
        "metrics": metrics_in(found),
        "columns": columns(facts),
        "features": {feature.name for feature in facts.contract.features},
        "data": data_of(facts),
        "training": training_of(facts),
        "parity": parity_of(facts),
        "tolerances": list(tolerances_of(facts)),
        "metric_names": METRIC_NAMES,
        "most_cells": MOST_CELLS,
        "most_rows": _MOST_ROWS,
        "most_classes": _MOST_CLASSES,
    }
