"""Whether classes can be learned: a column of measurements that was declared to be classes cannot."""

import math

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_training.data.problem import Problem

_MANY_CLASSES = 20
_ROWS_OF_FRACTIONS = 10  # of ten rows, one validates and one is held out
_ROWS_A_CLASS = 2


def check_classes(problem: Problem) -> None:
    """Refuse numbers as classes where there are too few rows of each: prices are no classes, codes may be.

    Fractions need two rows a class, and ten where there are more than 20 classes; integers two where there are more
    than 20. Text is taken as it was declared.

    Raises:
        InputError: says how many rows and classes there are, and the way out.
    """
    classes, rows = problem.contract.classes, problem.all_rows
    numbers = [_number(str(label)) for label in classes]
    if not classes or any(number is None for number in numbers):
        return
    many = len(classes) > _MANY_CLASSES
    fractions = any(not number.is_integer() for number in numbers if number is not None)
    wanted = (_ROWS_OF_FRACTIONS if many else _ROWS_A_CLASS) if fractions else _ROWS_A_CLASS * many
    if rows < wanted * len(classes):
        raise InputError(
            f"{problem.contract.targets[0]} holds {len(classes)} different numbers in {rows} rows, too few of "
            f"each to learn a class from; a regression predicts numbers: leave out {argument('task', 'classification')}"
        )


def _number(text: str) -> float | None:
    """Return a class that is a finite number; None of any other."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
