"""The options that say how a package is gated and written, for export and adopt."""

from collections.abc import Callable
from typing import Any, get_args

import click

from parity_export.cli.module_options import effort_option
from parity_export.export_options import Bounds, ExportOptions, ReportDetail
from parity_runtime.cli.sectioned_help import section

_gate = section("How it is validated")
_package = section("What the package holds")

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--force", is_flag=True, help="Replace an existing package."),
    _gate("--rtol", type=float, help="Allow this relative difference. Give --atol as well; the report names both."),
    _gate("--atol", type=float, help="Allow this absolute difference. Give --rtol as well."),
    effort_option,
    _package(
        "--certified",
        is_flag=False,
        flag_value="fast",
        type=click.Choice(get_args(Bounds)),
        help="Add a graph that computes a proven error bound beside each prediction: fast if you name no kind; "
        "tight bounds are smaller, and take the time of some predictions for each class.",
    ),
    _package(
        "--report",
        type=click.Choice(get_args(ReportDetail)),
        default="summary",
        show_default=True,
        help="What parity.json holds: a row for each backend and output, or also for every batch size and group of "
        "inputs.",
    ),
    _package(
        "--external-weights",
        is_flag=True,
        help="Keep large tensors in weights.bin, beside the graph. A graph of more than 2 GiB always does.",
    ),
    _package("--no-plots", is_flag=True, help="Leave the plots out of the model card."),
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
