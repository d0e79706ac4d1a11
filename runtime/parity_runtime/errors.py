"""Every error that Parity raises on purpose.

ParityError                 exit 1   one sentence: what was wrong, where, and the way out
├── InputError              exit 1   rows, columns, options or files that a caller handed in; a ValueError too
├── FormatError             exit 1   a run or package whose files are not what its format says
├── MissingExtraError       exit 1   a library that this command needs is not installed; an ImportError too
├── ProviderError           exit 1   an execution provider that is not there
└── GateError               exit 3   a check failed
    ├── ParityRefusedError           the graph does not answer as the network does, or nobody can tell
    ├── DigestError                  a file is not the one that its manifest lists
    ├── ConformanceError             a package does not answer as its contract or its test vectors say
    └── LimitError                   a metric, or a table's drift, is beyond the limit that was given
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

from parity_runtime.printable import printable, sentence

RowFault = tuple[int, str, str | None]
"""What is wrong with a row: its number, from 1, the problem, and the column where it is one column's fault."""


class ParityError(Exception):
    """The base class of Parity's errors. The text of an error is one sentence that a user can act on.

    Attributes:
        exit_code: the exit code of a command that ends with this error.
        way_out: text after the sentence that is never shortened, such as a command to paste.
    """

    exit_code: ClassVar[int] = 1
    way_out: str = ""

    def __str__(self) -> str:
        """The sentence: one line that prints, no longer than a screen, whatever a stranger's file put into it."""
        return sentence(super().__str__()) + printable(self.way_out)


class InputError(ParityError, ValueError):
    """Rows, columns, options or files that a caller handed in cannot be used.

    Its text names the place in front of the problem: ``t.csv, row 7: x is missing``.

    Args:
        problem: what is wrong, and the way out.
        path: the file (or batch) with the row that is wrong, if one row is.
        row: the number of that row, from 1, not counting a header; in a stream, counted over all its batches.
        column: the name of the column that is wrong, if one is.

    Attributes:
        problem: what is wrong, without the place.
        path: the file, or None.
        row: the row, or None.
        column: the column, or None.
    """

    def __init__(
        self, problem: str, path: str | None = None, row: int | None = None, column: str | None = None
    ) -> None:
        row = None if row is None else int(row)  # of numpy's integers: JSON takes none of them
        # All of it: queues that write errors as JSON, as Celery does, make them again from `args` alone.
        super().__init__(problem, path, row, column)
        self.problem, self.path, self.row, self.column = problem, path, row, column
        self._other_rows: Iterator[RowFault] = iter(())

    @classmethod
    def of_rows(cls, faults: Iterable[RowFault]) -> Self:
        """Return an error for the first of several faulty rows; its `of_each_row` yields an error for each of them.

        Args:
            faults: for each faulty row, in order: its number, from 1, the problem, and the column or None. There is at
                least one. The first is read at once, the others only when `of_each_row` is called.
        """
        others = iter(faults)
        row, problem, column = next(others)
        error = cls(problem, row=row, column=column)
        error._other_rows = others
        return error

    def of_each_row(self) -> Iterator[Self]:
        """Yield this error, then an error for each other row that the same check refused.

        The other rows are yielded only the first time. A check that stops at the first faulty row has no others.
        """
        yield self
        for row, problem, column in self._other_rows:
            yield type(self)(problem, path=self.path, row=row, column=column)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the other rows, which are no more than looked for, behind."""
        return type(self), self.args, {name: value for name, value in vars(self).items() if name != "_other_rows"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        place = [part for part in (self.path, None if self.row is None else f"row {self.row}") if part]
        text = f"{', '.join(place)}: {self.problem}" if place else self.problem
        return sentence(text) + printable(self.way_out)


class FormatError(ParityError):
    """A run or a package holds something that its documented format does not allow."""


class MissingExtraError(ParityError, ImportError):
    """A library that the job needs is not installed; the text names the extra that brings it."""


class ProviderError(ParityError):
    """The execution provider that was asked for cannot run this model here."""


class GateError(ParityError):
    """A check failed, such as the comparison of an export; the process exits with 3."""

    exit_code: ClassVar[int] = 3


class ParityRefusedError(GateError):
    """The ONNX graph computes other outputs than the torch module, or the two cannot be compared."""


class DigestError(GateError):
    """A file of a package is not the one that its manifest lists."""


class ConformanceError(GateError):
    """A package computes other outputs on this machine than its contract or its test vectors say."""


class LimitError(GateError):
    """A metric of an evaluation, or the drift of a table, is beyond the limit that was given."""


_OUT_OF_MEMORY = (
    "bad_alloc", "bad allocation", "not enough memory", "out of memory", "cannot allocate memory",
    "can't allocate memory", "failed to allocate memory", "failed to map segment", "unable to allocate",
)  # fmt: skip
_LONGEST_READ = 10_000  # characters of an error


def out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came of, says that memory ran out."""
    return memory_reason(error) is not None


def memory_reason(error: BaseException | None) -> str | None:
    """Return the line of an error, or of one that it came of, that says that memory ran out; None if none does.

    torch, onnxruntime and the system's loader have words of their own for it.
    """
    while error is not None:
        for line in str(error)[:_LONGEST_READ].splitlines():
            if any(words in line.lower() for words in _OUT_OF_MEMORY):
                return line.strip()
        if isinstance(error, MemoryError):
            return first_line(error) if str(error).strip() else ""
        error = error.__cause__ or error.__context__
    return None


_LONGEST_REASON = 500  # characters


def whole_text(error: BaseException) -> str:
    """Return an error's text in one line: onnxruntime names the input first, and on other lines what it expected."""
    text = " ".join(str(error)[:_LONGEST_READ].split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none: ours say one sentence."""
    said = str(error).strip().partition("\n")[0].strip()
    if isinstance(error, KeyError) or not said:  # a key alone says nothing
        return f"{type(error).__name__}: {said}" if said else type(error).__name__
    return said
