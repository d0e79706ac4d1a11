"""Help texts with options in sections, and examples at the end."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import click

PLAIN = "Options"
"""The section of options that name no other, and of all options of a command that has few."""

_FEW = 8


class SectionedOption(click.Option):
    """An option that names the section of the help in which it stands.

    Args:
        section: the title of the section.
    """

    def __init__(self, *args: Any, section: str = PLAIN, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.section = section


def section(title: str) -> Callable[..., Callable[[Any], Any]]:
    """Return a `click.option` whose options stand in one section of the help.

    >>> from parity_runtime.cli.sectioned_help import section
    >>> option = section("The network")
    >>> add_network = option("--network", help="The class of the network.")
    """
    return functools.partial(click.option, cls=SectionedOption, section=title)


class _Examples(click.Command):
    """A command whose help ends with examples.

    Args:
        examples: one command a line, each below a line that begins with # and says what the command does.
    """

    def __init__(self, *args: Any, examples: str = "", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = inspect.cleandoc(examples).splitlines()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples, each line as it is: it is there to be copied."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples))


class SectionedCommand(_Examples):
    """A command whose help has a section for each group of options, in the order in which the groups first occur."""

    def sections(self, ctx: click.Context) -> dict[str, list[click.Parameter]]:
        """Return the options by the title of their section; the options that name no section come first."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option) and not each.hidden]
        found: dict[str, list[click.Parameter]] = {PLAIN: []}
        for option in options:
            title = getattr(option, "section", PLAIN) if len(options) > _FEW else PLAIN
            found.setdefault(title, []).append(option)
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section."""
        for title, options in self.sections(ctx).items():
            records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class SectionedGroup(_Examples, click.Group):
    """A group whose help ends with examples, and whose commands have sectioned help."""

    command_class = SectionedCommand
