"""What the rows of a training looked like: profile.json, in a run and in its package."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.errors import FormatError
from parity_runtime.feature import Feature
from parity_runtime.files.json_file import FORMAT, check_format, dump_table, finite_number
from parity_runtime.package.manifest import PROFILE, Package
from parity_runtime.printable import shown

_MOST_EDGES = 1000


@dataclass(frozen=True)
class TargetProfile:
    """What the target of the training rows was.

    Attributes:
        name: of its column.
        classes: of a classifier: rows of each class, int64 ``[classes]``; None of a regression.
        values: of a regression: its bins, and the smallest and the largest value, in the target's unit.
    """

    name: str
    classes: NDArray[np.int64] | None = None
    values: ColumnCounts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        if self.classes is not None:
            return {"name": self.name, "classes": self.classes.tolist()}
        counts = self.values
        if counts is None:
            return {"name": self.name}
        ends = {"low": counts.feature.low, "high": counts.feature.high}
        return {"name": self.name, **ends, "edges": list(counts.edges), "bins": counts.bins.tolist()}

    @classmethod
    def from_json(cls, value: Any, contract: ModelContract, where: str) -> Self:
        """Read the JSON form.

        Raises:
            FormatError: it is none, or does not go with the contract.
        """
        if isinstance(value, dict) and value.get("name") in contract.targets:
            if contract.is_classifier:
                return cls(value["name"], _counts(value.get("classes"), len(contract.classes), f"{where}: classes"))
            low, high = (finite_number(value.get(end), f"{where}: {end}") for end in ("low", "high"))
            if low > high:
                raise FormatError(f"{where}: low is {low} and high {high}")
            feature = Feature(value["name"], "target", 0, low=low, high=high)
            edges = _edges(value.get("edges"), feature, where)
            bins = _counts(value.get("bins"), len(edges) + 1, f"{where}: bins")
            return cls(value["name"], None, ColumnCounts(feature, edges, bins))
        raise FormatError(f"{where} is {shown(value)}, the target of no such contract")


@dataclass(frozen=True)
class Profile:
    """The training rows in counts, which say of no row what it was.

    Attributes:
        columns: of each feature by its name, in the contract's order.
        target: what was predicted; None if unknown.
    """

    columns: dict[str, ColumnCounts]
    target: TargetProfile | None = None

    @property
    def rows(self) -> int:
        """How many rows were trained on."""
        return max((counts.cells for counts in self.columns.values()), default=0)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with its format."""
        return {
            "format": FORMAT,
            "rows": self.rows,
            "columns": [_column_to_json(counts) for counts in self.columns.values()],
            "target": None if self.target is None else self.target.to_json(),
        }

    def dump(self) -> bytes:
        """Return the file: a column on each line."""
        return dump_table(self.to_json())

    @classmethod
    def from_json(cls, value: dict[str, Any], contract: ModelContract, where: str) -> Self:
        """Read the JSON form; unknown keys are ignored, and a newer format is refused.

        Raises:
            FormatError: a key is missing or of another type, or the columns are not the contract's.
        """
        check_format(value, where)
        found = value.get("columns")
        names = [feature.name for feature in contract.features]
        if not isinstance(found, list) or [_name_of(column) for column in found] != names:
            raise FormatError(f"{where}: its columns are not those of the contract, {shown(names)}")
        columns = {
            feature.name: _column_from_json(column, feature, f"{where}: {feature.name}")
            for feature, column in zip(contract.features, found, strict=True)
        }
        rows = value.get("rows")
        for name, counts in columns.items():
            if type(rows) is not int or counts.cells != rows:
                raise FormatError(f"{where}: {name} has {counts.cells} cells, and there are {shown(rows)} rows")
        target = value.get("target")
        read = None if target is None else TargetProfile.from_json(target, contract, f"{where}: target")
        return cls(columns, read)


def read_profile(path: str | Path, package_id: str | None = None) -> Profile | None:
    """Return the profile of a package; None where it has none, or ``path`` is a bare model.

    Args:
        path: the package folder.
        package_id: the package that is meant; None takes any.

    Raises:
        InputError: there is no package.
        DigestError: a file is not the one that was packaged.
        FormatError: the profile is malformed, newer than this version, or not the contract's.
    """
    path = Path(path)
    if path.is_file():
        return None
    package = Package.open(path, package_id)
    if PROFILE not in package.entries:
        return None
    return Profile.from_json(package.read_json(PROFILE), package.contract, str(path / PROFILE))


def empty_columns(contract: ModelContract, profile: Profile | None) -> dict[str, ColumnCounts]:
    """Return counts of no row, with the bins of the training where they are known."""
    edges = {} if profile is None else {name: counts.edges for name, counts in profile.columns.items()}
    return {feature.name: ColumnCounts.empty(feature, edges.get(feature.name, ())) for feature in contract.features}


def _column_to_json(counts: ColumnCounts) -> dict[str, Any]:
    told: dict[str, Any] = {"name": counts.feature.name, "missing": counts.missing}
    if counts.feature.is_text:
        return told | {"unknown": counts.unknown, "categories": counts.bins.tolist()}
    if counts.feature.kind == "boolean":
        return told | {"bins": counts.bins.tolist()}
    return told | {"edges": list(counts.edges), "bins": counts.bins.tolist()}


def _column_from_json(value: dict[str, Any], feature: Feature, where: str) -> ColumnCounts:
    missing = int(_counts([value.get("missing")], 1, f"{where}: missing")[0])
    if feature.is_text:
        unknown = int(_counts([value.get("unknown")], 1, f"{where}: unknown")[0])
        bins = _counts(value.get("categories"), len(feature.categories), f"{where}: categories")
        return ColumnCounts(feature, (), bins, missing, unknown)
    edges = () if feature.kind == "boolean" else _edges(value.get("edges"), feature, where)
    size = 2 if feature.kind == "boolean" else len(edges) + 1
    return ColumnCounts(feature, edges, _counts(value.get("bins"), size, f"{where}: bins"), missing)


def _name_of(column: Any) -> Any:
    return column.get("name") if isinstance(column, dict) else None


def _counts(value: Any, size: int, where: str) -> NDArray[np.int64]:
    """Return numbers of rows; 2^31 at most, so that no sum of them is beyond int64."""
    plain = isinstance(value, list) and all(type(count) is int and 0 <= count < 2**31 for count in value)
    if not plain or len(value) != size:
        raise FormatError(f"{where} is {shown(value)}, not {size} numbers of rows")
    return np.array(value, np.int64)


def _edges(value: Any, feature: Feature, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > _MOST_EDGES:
        raise FormatError(f"{where}: edges is {shown(value)}, not a list of {_MOST_EDGES} numbers at most")
    edges = tuple(finite_number(edge, f"{where}: an edge") for edge in value)
    largest = 2.0**62 if feature.kind == "datetime" else float(np.finfo(np.float32).max)
    if any(abs(edge) > largest for edge in edges) or any(first >= then for first, then in pairwise(edges)):
        raise FormatError(f"{where}: edges is {shown(value)}, which does not ascend or goes beyond what a cell can be")
    return tuple(map(int, edges)) if feature.kind == "datetime" else edges
