"""Options that several commands share."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.inference.session import PROVIDERS, Provider

package_argument: Callable[[Any], Any] = click.argument("package", type=click.Path(path_type=Path))

provider_option: Callable[[Any], Any] = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    default="cpu",
    show_default=True,
    help="cuda means CUDA or an error; auto says what it chose.",
)

digest_option: Callable[[Any], Any] = click.option(
    "--digest",
    help="The package id that is expected (parity info prints it); of a bare .onnx file its sha256.",
)

operators_option: Callable[[Any], Any] = click.option(
    "--allow-operator",
    "allow_operators",
    multiple=True,
    metavar="DOMAIN::NAME",
    help="An operator outside the ONNX standard that may run, com.microsoft::Gelu say; may be repeated.",
)


def names(text: str | None) -> tuple[str, ...]:
    """Return the names of a comma-separated list; one that holds a comma is quoted as in CSV."""
    if not text:
        return ()
    try:
        return tuple(name.strip() for name in next(csv.reader([text], strict=True)))
    except csv.Error as error:
        raise click.UsageError(f"{text!r} is no list of names: {error}") from error


def say_provider(asked: Provider, found: str) -> None:
    """Say on stderr what ``auto`` chose."""
    if asked == "auto":
        echo_line(f"provider auto: runs on {found}", err=True)
