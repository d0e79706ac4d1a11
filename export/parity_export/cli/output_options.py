"""The options that say what the outputs mean, for export and adopt."""

from collections.abc import Callable
from typing import Any

import click

from parity_export.cli.module_options import labels
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.cli.options import names
from parity_runtime.contract import TASKS

NAMES = ("task", "classes", "positive", "threshold", "features", "targets")


def _probabilities(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> float | tuple[float, ...] | None:
    """Read ``0.3``, or ``0.3,0.5`` as one for each class."""
    if text is None:
        return None
    found = tuple(float(click.FLOAT(part.strip(), parameter, context)) for part in text.split(","))
    return found[0] if len(found) == 1 else found


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--task", type=click.Choice(TASKS), help="What the output means [default: tensors]."),
    click.option("--classes", metavar="A,B,...", help="Labels by index [default: 0,1,...]."),
    click.option("--positive", help="The class that a binary output speaks of; must be the second."),
    click.option(
        "--threshold",
        metavar="P[,P,...]",
        callback=_probabilities,
        help="Probability from which on a row is positive; of multilabel one for all classes, or for each "
        "[default: 0.5].",
    ),
    click.option("--features", metavar="A,B,...", help="Column names [default: x1,x2,...]."),
    click.option("--targets", metavar="A,B,...", help="Names of the predicted columns."),
)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def output_spec(options: dict[str, Any]) -> OutputSpec:
    """Return what the options say, and ``--output`` beside them.

    Raises:
        InputError: an option that does not go with the task.
    """
    return OutputSpec(
        task=options["task"] or "tensors",
        output=options["outputs"],
        classes=labels(options["classes"]),
        positive=options["positive"],
        threshold=options["threshold"],
        features=names(options["features"]),
        targets=names(options["targets"]),
    )
