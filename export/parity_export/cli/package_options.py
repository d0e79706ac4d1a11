"""The options that say how a package is gated and written, for export and adopt."""

from collections.abc import Callable
from typing import Any, get_args

import click

from parity_export.cli.module_options import effort_option
from parity_export.export_options import Bounds, ExportOptions, ReportDetail

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--force", is_flag=True, help="Replace a package that stands there already."),
    click.option("--rtol", type=float, help="Widens the tolerance (with --atol); the report and the card say so."),
    click.option("--atol", type=float, help="Widens the tolerance (with --rtol)."),
    click.option(
        "--certified",
        is_flag=False,
        flag_value="fast",
        type=click.Choice(get_args(Bounds)),
        help="Add a graph whose every answer carries its proven rounding error, fast if nothing is said; tight ones "
        "are smaller, and take some answers' time for each class.",
    ),
    click.option(
        "--report",
        type=click.Choice(get_args(ReportDetail)),
        default="summary",
        help="What parity.json holds: a row for each backend and output, or every batch size and group of probes as "
        "well.",
    ),
    effort_option,
    click.option(
        "--external-weights",
        is_flag=True,
        help="Keep large tensors in weights.bin, beside the graph; over 2 GiB that is done in any case.",
    ),
    click.option("--no-plots", is_flag=True, help="Leave the model card's plots out."),
)


def package_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def export_options(options: dict[str, Any], *others: str) -> ExportOptions:
    """Take the options out of a command's, and others that are called as in `ExportOptions`."""
    names = ("rtol", "atol", "certified", "report", "effort", "external_weights", *others)
    given = {name: options.pop(name) for name in names}
    given["certified"] = given["certified"] or False
    return ExportOptions(replace=options.pop("force"), plots=not options.pop("no_plots"), **given)
