"""``--certified`` may stand without a value, wherever it stands."""

from typing import Any

import click
import pytest

from parity_export.cli.adopt import adopt
from parity_export.cli.export import export
from parity_export.cli.optional_values import OptionalValues
from parity_export.cli.package_options import export_options, package_options


@click.command(cls=OptionalValues)
@click.argument("source")
@click.argument("target")
@package_options
def command(source: str, target: str, **options: Any) -> tuple[str, str, str | None]:
    return source, target, export_options(options).bounds


@pytest.mark.parametrize(
    ("words", "bounds"),
    [
        ("runs/xor packages/xor", None),
        ("--certified runs/xor packages/xor", "fast"),
        ("runs/xor --certified packages/xor", "fast"),
        ("runs/xor packages/xor --certified", "fast"),
        ("--certified --force runs/xor packages/xor", "fast"),
        ("--certified -- runs/xor packages/xor", "fast"),
        ("--certified tight runs/xor packages/xor", "tight"),
        ("--certified=tight runs/xor packages/xor", "tight"),
        ("runs/xor packages/xor --certified tight --effort quick", "tight"),
        ("--certified fast runs/xor packages/xor", "fast"),
    ],
)
def test_the_command_says_how_bounds_are_made(words: str, bounds: str | None) -> None:
    assert command.main(words.split(), standalone_mode=False) == ("runs/xor", "packages/xor", bounds)


def test_what_stands_behind_two_dashes_is_no_option() -> None:
    assert command.main(["--", "--certified", "fast"], standalone_mode=False) == ("--certified", "fast", None)


def test_a_value_that_is_none_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="'tigth' is not one of 'fast', 'tight'"):
        command.main(["a", "b", "--certified=tigth"], standalone_mode=False)


@pytest.mark.parametrize("name", [export, adopt])
def test_commands_take_a_source_behind_the_option(name: click.Command) -> None:
    context = name.make_context("parity", ["--certified", "runs/xor", "packages/xor"])
    assert context.params["certified"] == "fast"
    assert str(context.params["target"]) == "packages/xor"
