"""The options that say on which inputs outputs are compared, for export, adopt, check and diff."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from parity_export.sources.probe_options import ProbeOptions
from parity_runtime.cli.sectioned_help import section
from parity_training.callables import resolve_callable

NAMES = ("dimensions", "compare", "samples_only", "draw")

_compared = section("On which inputs the outputs are compared")

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _compared(
        "--samples", type=click.Path(path_type=Path), help="An .npz file of real inputs, with an array for each input."
    ),
    _compared(
        "--dimension",
        "dimensions",
        multiple=True,
        metavar="RULE",
        help='The sizes that a dimension may have: "time in 1..512", "width multiple of 32", "total = past + time"; '
        "repeatable.",
    ),
    _compared(
        "--compare",
        multiple=True,
        metavar='"OUTPUT where INPUT"',
        help="Compare an output only at the positions at which an input, such as a mask, is not 0; repeatable.",
    ),
    _compared("--samples-only", is_flag=True, default=None, help="Compare on the rows of --samples only."),
    _compared(
        "--draw",
        metavar="MODULE:CALLABLE",
        help="A function that draws the random inputs: it is called as draw(random, rows, sizes).",
    ),
)


def probe_options(options: dict[str, Any]) -> ProbeOptions:
    """Return what the options say.

    Raises:
        InputError: they contradict one another, or the callable cannot be imported.
    """
    draw = None if options["draw"] is None else resolve_callable(options["draw"])
    return ProbeOptions(options["dimensions"], options["compare"], bool(options["samples_only"]), draw)
