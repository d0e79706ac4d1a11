"""The options that say what the outputs mean, for export and adopt."""

from collections.abc import Callable
from typing import Any

import click

from parity_export.cli.module_options import labels
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.cli.options import names
from parity_runtime.cli.sectioned_help import section
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


_meaning = section("What the outputs mean")

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _meaning("--task", type=click.Choice(TASKS), help="What the model predicts [default: tensors, without a meaning]."),
    _meaning("--classes", metavar="A,B,...", help="The names of the classes, by index [default: 0,1,...]."),
    _meaning("--positive", help="Two classes: the one whose probability the model predicts. It must be the second."),
    _meaning(
        "--threshold",
        metavar="P[,P,...]",
        callback=_probabilities,
        help="A row is positive from this probability on. A multilabel model may have one for each class "
        "[default: 0.5].",
    ),
    _meaning("--features", metavar="A,B,...", help="The names of a table's columns [default: x1,x2,...]."),
    _meaning("--targets", metavar="A,B,...", help="The names of the predicted columns of a regression."),
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
