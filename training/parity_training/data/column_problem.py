"""What keeps a table's columns from being read, all of it in one sentence, and the options that get around it."""

import re
import shlex
from collections.abc import Mapping, Sequence

from parity_runtime import InputError
from parity_training.data.option_hint import option_hint

Options = Mapping[str, tuple[str, ...]]
"""Options that take lists, or one text, by their names; ``--percent`` takes nothing."""

_TOLD = 5  # problems one by one: a sentence is cut in the middle where it is longer than a screen
_SPELLED = re.compile(r"read it with (?P<options>--.+?)(?: \(45%.*)?")


class ColumnProblemError(InputError):
    """A column cannot be read.

    Attributes:
        options: what reads the table all the same, where it is the only such column.
    """

    def __init__(self, problem: str, *, path: str | None, row: int | None, column: str, options: Options) -> None:
        super().__init__(problem, path=path, row=row, column=column)
        self.options = options


class TableProblemsError(InputError):
    """Several columns cannot be read.

    Attributes:
        options: what reads the table all the same, as a command line takes it.
    """

    def __init__(self, problems: Sequence[ColumnProblemError], where: str, given: Options) -> None:
        options = _together(problems, given)
        self.options = " ".join(_written(name, values) for name, values in options.items())
        found = "; ".join(map(_short, problems[:_TOLD]))
        more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        super().__init__(f"{where}: {len(problems)} columns cannot be read: {found}{more}")


def _short(problem: ColumnProblemError) -> str:
    """Return a problem without its ways out, one of which is said for all together."""
    what = problem.problem.partition("; ")[0]
    return what if problem.row is None else f"row {problem.row}: {what}"


def spelling_options(way_out: str) -> dict[str, tuple[str, ...]] | None:
    """Return the options that read numbers in another spelling, from the sentence that names them."""
    found = _SPELLED.fullmatch(way_out)
    if found is None or " if " in found["options"]:
        return None
    options: dict[str, tuple[str, ...]] = {}
    name = ""
    for word in shlex.split(found["options"]):
        if word.startswith("--"):
            name = word
            options[name] = ()
        else:
            options[name] = tuple(word.split(",")) if name == "--currency" else (word,)
    return options


_LISTS = ("--missing-values", "--drop-columns", "--currency", "--categorical")


def _together(problems: Sequence[ColumnProblemError], given: Options) -> dict[str, tuple[str, ...]]:
    """Return the options of all problems; a column whose options contradict those of another is left out."""
    named: dict[str, tuple[str, ...]] = {}
    for problem in problems:
        wanted = dict(problem.options)
        if _signs(wanted) and _signs(named) and _signs(wanted) != _signs(named):
            wanted = {"--drop-columns": (str(problem.column),)}
        for name, values in wanted.items():
            before = (*given.get(name, ()), *named.get(name, ())) if name in _LISTS else ()
            named[name] = tuple(dict.fromkeys((*before, *values)))
    return named


def _signs(options: Options) -> dict[str, tuple[str, ...]]:
    """Return what options say of the signs within a number, which are the same in all columns."""
    return {name: options[name] for name in ("--decimal", "--thousands") if name in options}


def _written(name: str, values: tuple[str, ...]) -> str:
    if name in _LISTS:
        return option_hint(name, values)
    return " ".join([name, *map(shlex.quote, values)])
