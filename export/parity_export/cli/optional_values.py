"""Options that may stand without a value, also before an argument: ``parity export --certified RUN PACKAGE``."""

from collections.abc import Iterator, Mapping, Sequence

import click

from parity_runtime.cli.sectioned_help import SectionedCommand


class OptionalValues(SectionedCommand):
    """A command of whose options one with a ``flag_value`` takes the next word only if that is one of its choices.

    click gives it whatever word comes next.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of a command line, in which each such option has its value."""
        alone = {name: one for option in self.params if (one := _that_may_stand_alone(option)) for name in option.opts}
        return super().parse_args(ctx, list(_with_values(args, alone)))


def _that_may_stand_alone(option: click.Parameter) -> tuple[str, Sequence[str]] | None:
    """Return the value of an option that is given without one, and its choices; None of any other parameter."""
    if not isinstance(option, click.Option) or option.is_flag or not isinstance(option.type, click.Choice):
        return None
    return (option.flag_value, option.type.choices) if isinstance(option.flag_value, str) else None


def _with_values(args: Sequence[str], alone: Mapping[str, tuple[str, Sequence[str]]]) -> Iterator[str]:
    """Yield words, each option of ``alone`` that no choice follows joined to its value."""
    for place, word in enumerate(args):
        if word == "--":  # what follows are arguments
            yield from args[place:]
            return
        value, choices = alone.get(word, ("", ()))
        yield f"{word}={value}" if value and not {*args[place + 1 : place + 2]} & {*choices} else word
