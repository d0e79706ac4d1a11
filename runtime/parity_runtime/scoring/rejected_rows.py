"""Rows that cannot be predicted: what becomes of them, who is told of each, and what is said of them at the end."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from parity_runtime.arguments import argument, check_choice
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.printable import counted
from parity_runtime.scoring.score_chunk import Errors


class RejectedRows:
    """Counts the rows of a stream, or of a part of it, that were not predicted, and logs how many there were.

    >>> from parity_runtime import InputError
    >>> from parity_runtime.scoring.rejected_rows import RejectedRows
    >>> found = []
    >>> rows = RejectedRows("skip", found.append)
    >>> rows.add([InputError("x1 is missing", path="batch 3", row=70)])
    >>> str(rows), str(found[0])
    ('1 row was left out; the first: batch 3, row 70: x1 is missing', 'batch 3, row 70: x1 is missing')

    Args:
        errors: ``skip`` or ``null``.
        told: is called with the error of each row, in their order.
    """

    def __init__(self, errors: Errors, told: Callable[[InputError], object] | None = None) -> None:
        self._errors, self._told = errors, told
        self._count = 0
        self._first: InputError | None = None

    def __str__(self) -> str:
        return f"{rejected_sentence(self._count, self._errors)}; the first: {self._first}"

    def add(self, faults: Sequence[InputError]) -> None:
        """Count rows, and say of each what was wrong with it."""
        self._first = self._first or next(iter(faults), None)
        self._count += len(faults)
        for fault in faults if self._told is not None else ():
            self._told(fault)  # type: ignore[misc] # mypy does not see through the condition of a loop

    def log(self) -> None:
        """Log a warning of the logger ``parity_runtime`` that says how many there were, where there were some."""
        if self._count:
            import logging  # noqa: PLC0415 -- not without such rows

            logging.getLogger("parity_runtime").warning("%s", self)


def rejected_sentence(rows: int, errors: Errors) -> str:
    """Return what became of rows that cannot be predicted: ``2 rows were left out``."""
    done = "left out" if errors == "skip" else "left without a prediction"
    return f"{counted(rows, 'row')} {'was' if rows == 1 else 'were'} {done}"


def check_errors(contract: ModelContract, errors: Errors) -> None:
    """Refuse to leave out rows, or their answers, where the others would be answered otherwise without them.

    Raises:
        InputError: ``errors`` is none of its values, or rows of the model influence one another.
    """
    check_choice("errors", errors, get_args(Errors))
    if errors != "raise" and not contract.row_independent:
        raise InputError(f"rows of {contract.name} influence one another: leaving one out would change the others")


@contextlib.contextmanager
def way_out_named(contract: ModelContract) -> Iterator[None]:
    """Name, in the error that a row is, the argument that lets the job go on, where the model can do without a row."""
    try:
        yield
    except InputError as error:
        named = any(argument("errors", other) in error.problem for other in ("skip", "null"))
        if error.row is None or named or not contract.row_independent:
            raise
        problem = f"{error.problem}; {argument('errors', 'null')} leaves the predictions of such rows empty"
        raise InputError(problem, path=error.path, row=error.row, column=error.column) from error
