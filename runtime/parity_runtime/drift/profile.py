"""What the rows of a training looked like: profile.json, in a run and in its package."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from parity_runtime.contract import ModelContract
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.profile_fields import bin_edges, row_counts
from parity_runtime.drift.target_profile import TargetProfile
from parity_runtime.errors import FormatError
from parity_runtime.feature import Feature
from parity_runtime.files.json_file import FORMAT, check_format, dump_table
from parity_runtime.package.manifest import PROFILE, Package
from parity_runtime.printable import shown


@dataclass(frozen=True)
class Profile:
    """The training rows in counts, which say of no row what it was.

    Attributes:
        columns: of each feature by its name, in the contract's order.
        target: what was predicted; None if unknown, or where there are several.
        targets: what was predicted, where there are several, in the contract's order.
    """

    columns: dict[str, ColumnCounts]
    target: TargetProfile | None = None
    targets: tuple[TargetProfile, ...] = ()

    @property
    def trained_on(self) -> tuple[TargetProfile, ...]:
        """Every target that is known: none, one or several."""
        return self.targets if self.target is None else (self.target,)

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
            **({"targets": [target.to_json() for target in self.targets]} if self.targets else {}),
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
        return cls(columns, read, _several(value.get("targets"), contract, f"{where}: targets"))


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
    missing = int(row_counts([value.get("missing")], 1, f"{where}: missing")[0])
    if feature.is_text:
        unknown = int(row_counts([value.get("unknown")], 1, f"{where}: unknown")[0])
        bins = row_counts(value.get("categories"), len(feature.categories), f"{where}: categories")
        return ColumnCounts(feature, (), bins, missing, unknown)
    edges = () if feature.kind == "boolean" else bin_edges(value.get("edges"), feature, where)
    size = 2 if feature.kind == "boolean" else len(edges) + 1
    return ColumnCounts(feature, edges, row_counts(value.get("bins"), size, f"{where}: bins"), missing)


def _several(value: Any, contract: ModelContract, where: str) -> tuple[TargetProfile, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or [_name_of(target) for target in value] != list(contract.targets):
        raise FormatError(f"{where} are not those of the contract, {shown(list(contract.targets))}")
    return tuple(TargetProfile.from_json(target, contract, where) for target in value)


def _name_of(column: Any) -> Any:
    return column.get("name") if isinstance(column, dict) else None
