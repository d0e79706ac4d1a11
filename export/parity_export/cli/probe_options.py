"""The options that say what a module is asked, and what is compared, for export, check and diff."""

from collections.abc import Callable
from typing import Any

import click

from parity_export.sources.probe_options import ProbeOptions
from parity_training.callables import resolve_callable

NAMES = ("dimensions", "compare", "samples_only", "draw")

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--dimension",
        "dimensions",
        multiple=True,
        metavar="RULE",
        help='"time in 1..512", "width multiple of 32", "total = past + time"; repeatable.',
    ),
    click.option(
        "--compare",
        multiple=True,
        metavar='"OUTPUT where INPUT"',
        help="Compare an output only where an input is not 0; repeatable.",
    ),
    click.option("--samples-only", is_flag=True, default=None, help="Ask nothing but the rows of --samples."),
    click.option("--draw", metavar="MODULE:CALLABLE", help="Draws the probes: draw(random, rows, sizes)."),
)


def probe_options(options: dict[str, Any]) -> ProbeOptions:
    """Return what the options say.

    Raises:
        InputError: they contradict one another, or the callable cannot be imported.
    """
    draw = None if options["draw"] is None else resolve_callable(options["draw"])
    return ProbeOptions(options["dimensions"], options["compare"], bool(options["samples_only"]), draw)
