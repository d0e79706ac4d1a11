"""What the target of the rows of a training was: its part of profile.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.profile_fields import bin_edges, row_counts
from parity_runtime.errors import FormatError
from parity_runtime.feature import Feature
from parity_runtime.files.json_file import finite_number
from parity_runtime.objective import level_in, training_constant
from parity_runtime.printable import shown


@dataclass(frozen=True)
class TargetProfile:
    """What the target of the training rows was.

    Attributes:
        name: of its column.
        classes: of a classifier: rows of each class, int64 ``[classes]``; None of a regression.
        values: of a regression: its bins, and the smallest and the largest value, in the target's unit.
        mean: of a regression: in the target's unit; None where it is unknown.
        quantiles: of a regression: by their level, in the target's unit: the median, and that of the objective; each
            is a cell of the column (Hyndman and Fan's first definition), of rows on a disk of a sample.
    """

    name: str
    classes: NDArray[np.int64] | None = None
    values: ColumnCounts | None = None
    mean: float | None = None
    quantiles: Mapping[float, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        if self.classes is not None:
            return {"name": self.name, "classes": self.classes.tolist()}
        counts = self.values
        if counts is None:
            return {"name": self.name}
        told: dict[str, Any] = {} if self.mean is None else {"mean": self.mean}
        if self.quantiles:
            told["quantiles"] = {repr(level): value for level, value in self.quantiles.items()}
        ends = {"low": counts.feature.low, "high": counts.feature.high}
        return {"name": self.name, **ends, **told, "edges": list(counts.edges), "bins": counts.bins.tolist()}

    @classmethod
    def from_json(cls, value: Any, contract: ModelContract, where: str) -> Self:
        """Read the JSON form.

        Raises:
            FormatError: it is none, or does not go with the contract.
        """
        if not isinstance(value, dict) or value.get("name") not in contract.targets:
            raise FormatError(f"{where} is {shown(value)}, the target of no such contract")
        name = value["name"]
        if contract.is_classifier:
            return cls(name, row_counts(value.get("classes"), len(contract.classes), f"{where}: classes"))
        low, high = (finite_number(value.get(end), f"{where}: {end}") for end in ("low", "high"))
        if low > high:
            raise FormatError(f"{where}: low is {low} and high {high}")
        feature = Feature(name, "target", 0, low=low, high=high)
        edges = bin_edges(value.get("edges"), feature, where)
        bins = row_counts(value.get("bins"), len(edges) + 1, f"{where}: bins")
        mean = None if value.get("mean") is None else _between(value["mean"], (low, high), f"{where}: mean")
        quantiles = _quantiles(value.get("quantiles"), (low, high), f"{where}: quantiles")
        return cls(name, None, ColumnCounts(feature, edges, bins), mean, quantiles)


def known_of_targets(
    targets: Sequence[TargetProfile], contract: ModelContract
) -> NDArray[np.int64] | dict[str, float] | None:
    """Return what a prediction that knows nothing of a row is taken from.

    Args:
        targets: of the training rows: of a classifier one, of a regression all; none where they are unknown.
        contract: of the model.

    Returns:
        Of a classifier the rows of each class, int64 ``[classes]``; of a regression the constant that its objective
        would predict of each target, by its name, in its unit; None where it is not known.
    """
    if contract.is_classifier:
        classes = targets[0].classes if targets else None
        return classes if classes is not None and classes.any() else None
    found = {one.name: training_constant(contract.objective, one.mean, one.quantiles) for one in targets}
    known = {name: value for name, value in found.items() if value is not None}
    return known if known and known.keys() == {*contract.targets} else None


def _between(value: Any, ends: tuple[float, float], where: str) -> float:
    number = finite_number(value, where)
    if not ends[0] <= number <= ends[1]:
        raise FormatError(f"{where} is {number}, not between {ends[0]} and {ends[1]}")
    return number


def _quantiles(value: Any, ends: tuple[float, float], where: str) -> dict[float, float]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FormatError(f"{where} is {shown(value)}, not numbers by their level")
    return {_level(text, where): _between(number, ends, f"{where}: {shown(text)}") for text, number in value.items()}


def _level(text: str, where: str) -> float:
    level = level_in(text)
    if level is None:
        raise FormatError(f"{where}: {shown(text)} is not a level strictly between 0 and 1")
    return level
