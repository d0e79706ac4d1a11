"""How a message names an argument: as Python's keyword, or as the option while the command line runs."""

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from parity_runtime.errors import InputError
from parity_runtime.printable import shown

Value = str | bool | int | list[str] | tuple[str, ...] | None
"""Of an argument: a list where its option is given once for each, a tuple where it takes them all, with commas."""

_commands_running = 0  # counted for the process, not for a thread: a command's worker threads speak to the same person


@contextlib.contextmanager
def options_are_named() -> Iterator[None]:
    """Name options of the command line, not Python's keywords, while the block runs."""
    global _commands_running  # noqa: PLW0603 -- whoever raises an error knows nothing of who called
    _commands_running += 1
    try:
        yield
    finally:
        _commands_running -= 1


def argument(name: str, value: Value = None, *, option: str | None = None) -> str:
    """Return an argument as the caller writes it: ``replace=True``, or ``--force`` on the command line.

    >>> from parity_runtime.arguments import argument, options_are_named
    >>> argument("replace", True, option="--force"), argument("output", "logits"), argument("folds", 5)
    ('replace=True', "output='logits'", 'folds=5')
    >>> with options_are_named():
    ...     argument("replace", True, option="--force"), argument("output", "logits"), argument("folds", 5)
    ('--force', '--output logits', '--folds 5')

    Args:
        name: Python's keyword.
        value: what it should be; of several, a list where the option is repeated, a tuple where it takes a list
            separated by commas. None names the argument alone.
        option: on the command line; by default the name with dashes.
    """
    if not _commands_running:
        return name if value is None else f"{name}={value!r}"
    option = option or f"--{name.replace('_', '-')}"
    if value is None or isinstance(value, bool):
        return option
    if isinstance(value, str | int):
        value = [str(value)]
    texts = [_comma_list(value)] if isinstance(value, tuple) else value
    return " ".join(f"{option} {shlex.quote(text)}" for text in texts)


def arguments(named: Mapping[str, Value]) -> str:
    """Return several arguments as the caller writes them, one behind the other."""
    return either(", ", " ").join(argument(name, value) for name, value in named.items())


def _comma_list(items: tuple[str, ...]) -> str:
    """Return what an option of the command line takes as a list: one line of CSV."""
    import csv  # noqa: PLC0415 -- for a message alone
    import io  # noqa: PLC0415

    text = io.StringIO()
    if items:
        csv.writer(text, lineterminator="\r\n").writerow(items)  # it quotes what is in its own line end
    return text.getvalue().removesuffix("\r\n").encode(errors="backslashreplace").decode()


def either(python: str, command_line: str) -> str:
    """Return a way out as the caller can take it: a call in Python, or a command."""
    return command_line if _commands_running else python


def nearest(given: object, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the name that resembles what was given most, of those that there are; None where none does.

    Args:
        given: a name that there is not; its case, and white space around it, do not count.
        known: the names.
        likeness: how much alike the two must be, from 0 to 1 (``difflib``'s ratio).
    """
    import difflib  # noqa: PLC0415 -- for an error alone

    plain = {name.strip().casefold(): name for name in reversed(list(known))}
    found = difflib.get_close_matches(str(given)[:100].strip().casefold(), plain, 1, likeness)
    return plain[found[0]] if found else None


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return ``; did you mean Adam?`` where a name that there is resembles what was given; nothing where none does."""
    name = nearest(given, known)
    return "" if name is None else f"; did you mean {name}?"


def check_choice(name: str, given: object, known: Sequence[str]) -> None:
    """Refuse what is none of the values that an argument takes.

    Raises:
        InputError: names them, and the one that was probably meant.
    """
    if given not in known:
        listed = ", ".join(map(repr, known))
        raise InputError(f"{argument(name)} is {shown(given)}, not one of {listed}{did_you_mean(given, known)}")
