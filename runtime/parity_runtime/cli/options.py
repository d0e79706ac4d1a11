"""Options that several commands share."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import section
from parity_runtime.inference.session import PROVIDERS, Provider

package_argument: Callable[[Any], Any] = click.argument("package", type=click.Path(path_type=Path))

provider_option: Callable[[Any], Any] = section("Where it runs")(
    "--provider",
    type=click.Choice(PROVIDERS),
    default="cpu",
    show_default=True,
    help="Run on the CPU or on CUDA. cuda fails without CUDA; auto takes CUDA if it can, and says what it took.",
)

_accepted = section("Which package is accepted")

digest_option: Callable[[Any], Any] = _accepted(
    "--digest",
    help="Refuse any package but the one with this id, which parity info prints; of a bare .onnx file, its SHA-256.",
)

operators_option: Callable[[Any], Any] = _accepted(
    "--allow-operator",
    "allow_operators",
    multiple=True,
    metavar="DOMAIN::NAME",
    help="Allow an operator outside the ONNX standard, such as com.microsoft::Gelu; repeatable.",
)


def names(text: str | None) -> tuple[str, ...]:
    """Return the names of a comma-separated list; one that holds a comma is quoted as in CSV."""
    if not text:
        return ()
    try:
        return tuple(name.strip() for name in next(csv.reader([text], strict=True)))
    except csv.Error as error:
        raise click.UsageError(f"{text!r} is not a list of names: {error}") from error


def say_provider(asked: Provider, found: str) -> None:
    """Say on stderr what ``auto`` chose."""
    if asked == "auto":
        echo_line(f"provider auto: runs on {found}", err=True)
