"""How ``name=value`` pairs are written on the command line."""

import json
from typing import Any

import click


def name_values(option: str, texts: tuple[str, ...]) -> dict[str, Any]:
    """Read ``name=value`` pairs; a value is JSON where it is valid JSON, else text; of two the last one counts.

    Raises:
        click.UsageError: one is not written so.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise click.UsageError(f"{option} {text!r} is not written as name=value")
        try:
            arguments[name] = json.loads(value, parse_constant=_refuse)  # NaN and Infinity stay text
        except ValueError:
            arguments[name] = value
    return arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
