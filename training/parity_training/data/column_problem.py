"""What keeps a table's columns from being read, all of it in one sentence, and the settings that get around it."""

from collections.abc import Sequence

from parity_runtime import InputError
from parity_runtime.arguments import Value, arguments, either
from parity_runtime.tables.cell_patterns import Options

_TOLD = 5  # problems one by one: a sentence is cut in the middle where it is longer than a screen


class ColumnProblemError(InputError):
    """A column cannot be read.

    Attributes:
        options: what reads the table all the same, where it is the only such column: fields of `TableSettings`.
    """

    def __init__(self, problem: str, *, path: str | None, row: int | None, column: str, options: Options) -> None:
        super().__init__(problem, path=path, row=row, column=column)
        self.options = options


class TableProblemsError(InputError):
    """Several columns cannot be read.

    Attributes:
        options: what reads the table all the same, as the caller writes it: keywords of `TableSettings`, or options.
    """

    def __init__(self, problems: Sequence[ColumnProblemError], where: str, given: Options) -> None:
        self.options = arguments(_together(problems, given))
        found = "; ".join(map(_short, problems[:_TOLD]))
        more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        way_out = either(f"; this reads the table: {self.options}", "")  # a command says it with all that was typed
        super().__init__(f"{where}: {len(problems)} columns cannot be read: {found}{more}{way_out}")


def _short(problem: ColumnProblemError) -> str:
    """Return a problem without its ways out, one of which is said for all together."""
    what = problem.problem.partition("; ")[0]
    return what if problem.row is None else f"row {problem.row}: {what}"


def _together(problems: Sequence[ColumnProblemError], given: Options) -> Options:
    """Return the options of all problems; a column whose options contradict those of another is left out."""
    named: dict[str, Value] = {}
    for problem in problems:
        wanted = problem.options
        if _signs(wanted) and _signs(named) and _signs(wanted) != _signs(named):
            wanted = {"drop_columns": (str(problem.column),)}
        for name, value in wanted.items():
            named[name] = _joined(given.get(name), named.get(name), value) if isinstance(value, tuple) else value
    return named


def _joined(*lists: Value) -> tuple[str, ...]:
    """Return the items of some lists, each once."""
    return tuple(dict.fromkeys(item for items in lists if isinstance(items, tuple | list) for item in items))


def _signs(options: Options) -> Options:
    """Return what options say of the signs within a number, which are the same in all columns."""
    return {name: options[name] for name in ("decimal", "thousands") if name in options}
