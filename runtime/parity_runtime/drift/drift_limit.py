"""Limits of drift, as somebody spells them: ``unknown=1%``, ``psi:age=0.25``."""

import math
from dataclasses import dataclass
from typing import Literal, Self, get_args

from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.contract import ModelContract
from parity_runtime.drift.drift_report import ColumnDrift, DriftReport
from parity_runtime.errors import InputError
from parity_runtime.feature import Feature
from parity_runtime.printable import shown

Measure = Literal["unknown", "missing", "outside", "psi"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

_SHOWN = 10  # columns beyond a limit that are named


@dataclass(frozen=True)
class DriftLimit:
    """What a figure of a table's columns may be at most.

    Attributes:
        measure: which figure.
        bound: of shares from 0 to 1; of the stability index without a unit.
        column: the one column that it holds for; None for all of them.
    """

    measure: Measure
    bound: float
    column: str | None = None

    @classmethod
    def parse(cls, text: str, contract: ModelContract) -> Self:
        """Read a limit: a measure, perhaps a colon and a column, and ``=`` with a share or a figure.

        Raises:
            InputError: it is none, or no column of the contract can ever be beyond it.
        """
        named, equals, bound = text.rpartition("=")
        spelled, colon, column = named.partition(":")
        if not equals:
            raise _bad(text, "it is written as unknown=1%, psi=0.25 or missing:age=5%")
        if spelled not in MEASURES:
            raise _bad(text, f"there is no figure {spelled!r}; there are {', '.join(MEASURES)}"
                             f"{did_you_mean(spelled, MEASURES)}")  # fmt: skip
        measure = next(one for one in MEASURES if one == spelled)
        limit = cls(measure, _bound(text, measure, bound), column if colon else None)
        limit._check_columns(text, contract)
        return limit

    def _check_columns(self, text: str, contract: ModelContract) -> None:
        features = {feature.name: feature for feature in contract.features}
        if self.column is None:
            if not any(map(self._applies, contract.features)):
                raise _bad(text, f"no column of {contract.name} {_TAKES[self.measure]}")
        elif self.column not in features:
            hint = did_you_mean(self.column, features)
            raise _bad(text, f"{contract.name} has no feature {shown(self.column)}{hint}")
        elif not self._applies(features[self.column]):
            kind = features[self.column].kind
            raise _bad(text, f"{self.column} ({kind}) is not a column that {_TAKES[self.measure]}")

    def _applies(self, feature: Feature) -> bool:
        if self.measure == "unknown":
            return feature.is_text
        return self.measure != "outside" or feature.range is not None

    def exceeded(self, report: DriftReport) -> list[str]:
        """Return for each column beyond the limit what it is."""
        return [f"{self.measure}:{column.name} is {self._shown(found)}"
                for column in report.columns if (found := self._beyond(column)) is not None]  # fmt: skip

    def _beyond(self, column: ColumnDrift) -> float | None:
        """Return a column's figure where it is beyond the limit; an index that chance explains is not."""
        found: float | None = getattr(column, self.measure)
        bound = self.bound
        if self.measure == "psi":
            bound = max(bound, column.psi_by_chance or 0.0)
        held = found is None or self.column not in (None, column.name) or found <= bound
        return None if held else found

    def _shown(self, figure: float) -> str:
        return f"{figure:.4g}" if self.measure == "psi" else f"{100 * figure:.4g}%"

    def __str__(self) -> str:
        return self._shown(self.bound)


def beyond_limits(limits: list[DriftLimit], report: DriftReport) -> list[str]:
    """Return what is beyond limits, a sentence for each: the columns, their figures and the limit."""
    said = []
    for limit in limits:
        columns = limit.exceeded(report)
        more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        if columns:
            said.append(f"{', '.join(columns[:_SHOWN])}{more}, not at most {limit}")
    return said


_TAKES: dict[Measure, str] = {
    "unknown": "is text, and other cells are never unknown",
    "outside": "has a range in the contract, to be outside of",
}
"""What a column is that a measure means anything for; the others do for every one."""


def _bound(text: str, measure: Measure, spelled: str) -> float:
    percent = spelled.endswith("%")
    try:
        bound = float(spelled.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        bound = math.nan
    if measure == "psi":
        if percent or not 0 <= bound < math.inf:
            raise _bad(text, "the index is a number, such as psi=0.25")
        return bound
    if not percent and bound >= 1:
        raise _bad(text, f"is that {spelled}%? a share is written as 1% or 0.01")
    if not 0 <= bound <= 1:
        raise _bad(text, f"a share is written as {measure}=1% or {measure}=0.01")
    return bound


def _bad(text: str, why: str) -> InputError:
    return InputError(f"{argument('fail_on')} {shown(text)}: {why}")
