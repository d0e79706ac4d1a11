"""Columns of text of which most cells are no category of the model's, as where they are spelled otherwise."""

import warnings
from typing import Any, NamedTuple

from numpy.typing import NDArray

from parity_runtime.arguments import either
from parity_runtime.contract import ModelContract
from parity_runtime.feature import MISSING_CATEGORY
from parity_runtime.inference.checked_arrays import Arrays, column_names
from parity_runtime.printable import sentence, shown

FEWEST_UNKNOWN = 20
"""Cells of a column: fewer say nothing of how the others are spelled."""

_WARNED_ROWS = 1000  # of a call: enough to tell
_SAMPLED = 64  # cells of them that say whether the others have to be looked at


class UnknownCategoriesWarning(UserWarning):
    """The model knows the categories of less than half of a column's cells; their spelling may differ from training."""


class _UnknownColumn(NamedTuple):
    """One column of text: how many of its cells are unknown, of how many that are not missing, and two of them."""

    name: str
    unknown: int
    cells: int
    examples: list[str]
    known: tuple[str, ...]


class UnknownCategories:
    """Looks for columns of text of which more than half of the cells, and at least 20, are unknown.

    Args:
        contract: of a model over a table; one without text has no such column.
    """

    def __init__(self, contract: ModelContract) -> None:
        self._features = [
            (feature, frozenset((MISSING_CATEGORY, *feature.categories)))
            for feature in contract.features
            if feature.categories
        ]

    def problem(self, inputs: Arrays, rows: int | None = None) -> str | None:
        """Return what is to be said of the rows, one sentence; None where nothing is.

        Args:
            inputs: of the graph, by name.
            rows: how many are looked at, from the first; None for all.
        """
        found = [column for place in range(len(self._features)) if (column := self._look(place, inputs, rows))]
        return _sentence(found) if found else None

    def warn(self, rows: Any, inputs: Arrays, stacklevel: int) -> None:
        """Warn of rows that are columns by name, of which the first 1,000 are looked at.

        Args:
            rows: as the caller gave them.
            inputs: what the graph takes for them.
            stacklevel: as if whoever calls this called ``warnings.warn``.
        """
        if not self._features or len(inputs[self._features[0][0].input]) < FEWEST_UNKNOWN:
            return
        problem = self.problem(inputs, _WARNED_ROWS)
        if problem and column_names(rows) is not None:
            warnings.warn(problem, UnknownCategoriesWarning, stacklevel=stacklevel + 1)

    def _look(self, place: int, inputs: Arrays, rows: int | None) -> _UnknownColumn | None:
        feature, known = self._features[place]
        array = inputs[feature.input]
        if len(array) < FEWEST_UNKNOWN or (rows and _mostly_known(array[:rows, feature.index], known)):
            return None
        cells = array[:rows, feature.index].tolist()
        unknown = len(cells) - sum(map(known.__contains__, cells))
        if unknown < FEWEST_UNKNOWN or 2 * unknown <= (present := len(cells) - cells.count(MISSING_CATEGORY)):
            return None
        examples = list(dict.fromkeys(cell for cell in cells if cell not in known))[:2]
        return _UnknownColumn(feature.name, unknown, present, examples, feature.categories[:2])


def _mostly_known(column: NDArray[Any], known: frozenset[str]) -> bool:
    """Whether of about 64 cells, evenly spread, three quarters are known: a call of a predictor has no time for all."""
    some: list[str] = column[:: max(len(column) // _SAMPLED, 1)].tolist()
    unknown = len(some) - sum(map(known.__contains__, some))
    return 4 * unknown < len(some) - some.count(MISSING_CATEGORY)


def _sentence(columns: list[_UnknownColumn]) -> str:
    first, *others = columns
    more = f"; so are most of {', '.join(column.name for column in others)}" if others else ""
    dtype = either(f" (pandas keeps text unchanged with dtype={{{shown(first.name)}: str}})", "")
    return sentence(
        f"{first.unknown} of {first.cells} cells of {first.name} are unknown to the model, such as "
        f"{_listed(first.examples)}; it knows {_listed(first.known)}{more}: are they spelled as in the training "
        f"table?{dtype}"
    )


def _listed(cells: list[str] | tuple[str, ...]) -> str:
    return " and ".join(shown(cell) for cell in cells)
