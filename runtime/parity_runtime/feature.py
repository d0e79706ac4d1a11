"""One column of a model over a table: what kind of cells it holds, and where it goes into the graph."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self, get_args

from parity_runtime.errors import FormatError
from parity_runtime.files.json_file import finite_number
from parity_runtime.printable import shown

FEATURES, CATEGORIES, TIMESTAMPS = "features", "categories", "timestamps"
"""The inputs of a table's graph: float32 ``[batch, n]``, string ``[batch, m]``, int64 ``[batch, k]``."""

MISSING_CATEGORY = ""
"""A missing cell in an input of text."""

MISSING_TIMESTAMP = -(2**63)
"""A missing cell in an input of timestamps, which are seconds since 1970-01-01T00:00:00 UTC."""

MISSING_INDEX, UNKNOWN_INDEX, FIRST_INDEX = 0, 1, 2
"""What the graph makes of a category: an index for a missing one, for one that training did not see, and from there on
one for each of `Feature.categories` in order."""

ColumnKind = Literal["numeric", "boolean", "categorical", "code", "datetime"]
COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)

_CODE = re.compile(r"0|-?[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a table model.

    >>> from parity_runtime import Feature
    >>> Feature("age", "features", 0, low=0.0, high=99.0).range
    (0.0, 99.0)
    >>> Feature("sex", "categories", 0, kind="categorical", categories=("female", "male")).is_text
    True

    Attributes:
        name: the column's name.
        input: the graph input that takes it.
        index: its position along that input's last axis.
        kind: ``numeric``; ``boolean``, which the graph takes as the numbers 0 and 1; ``categorical``, which is text and
            stays as it is; ``code``, which is an integer that names something (the graph takes it as text without a
            decimal point: ``3``, never ``3.0``); or ``datetime``, which the graph takes as seconds since 1970 in UTC.
        missing: what the model does with a missing cell: ``impute`` fills it and predicts, ``refuse`` raises an error.
        low: the smallest value seen in training, in the column's own unit (for ``datetime`` in seconds); None if
            unknown, and for text.
        high: the largest value seen in training; unit and None as for ``low``.
        categories: for ``categorical`` and ``code``: the texts that the graph has an index for, in the order of their
            indices. All of them were seen in training.
        format: for ``datetime`` columns of text: their format, as for ``datetime.strptime``; None for ISO 8601.
    """

    name: str
    input: str
    index: int
    kind: ColumnKind = "numeric"
    missing: Literal["impute", "refuse"] = "refuse"
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    format: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in COLUMN_KINDS:
            raise FormatError(
                f"feature {shown(self.name)} is of kind {shown(self.kind)}; known are {', '.join(COLUMN_KINDS)}"
            )
        if self.categories and not self.is_text:
            raise FormatError(f"feature {shown(self.name)} is {self.kind} and has no categories")
        if len(set(self.categories)) != len(self.categories) or MISSING_CATEGORY in self.categories:
            raise FormatError(f"the categories of feature {shown(self.name)} repeat, or one is empty")
        self._check_format()
        odd = [text for text in self.categories if self.kind == "code" and not _CODE.fullmatch(text)]
        if odd:
            raise FormatError(f"feature {shown(self.name)} has the code {shown(odd[0])}, not an integer's decimal")

    def _check_format(self) -> None:
        """Refuse a format that does not read what it writes, as one that names a field twice."""
        if self.format is None:
            return
        if self.kind != "datetime":
            raise FormatError(f"feature {shown(self.name)} is {self.kind} and has no format of dates")
        try:
            datetime.strptime(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC).strftime(self.format), self.format)
        except (ValueError, re.error) as error:
            raise FormatError(
                f"feature {shown(self.name)} has the format {shown(self.format)}, which reads no date"
            ) from error

    def __repr__(self) -> str:
        told = [repr(self.name), repr(self.input), str(self.index), f"kind={self.kind!r}", f"missing={self.missing!r}"]
        told += [f"range={self.range}"] * (self.range is not None) + [f"format={self.format!r}"] * bool(self.format)
        told += [f"categories={shown(self.categories)}, {len(self.categories)} in all"] * self.is_text
        return f"Feature({', '.join(told)})"

    @property
    def is_text(self) -> bool:
        """Whether the graph takes the column as text."""
        return self.kind in ("categorical", "code")

    @property
    def range(self) -> tuple[float, float] | None:
        """The smallest and the largest value seen in training; None if either is unknown."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the keys that are not for its kind."""
        plain = {"name": self.name, "input": self.input, "index": self.index, "kind": self.kind}
        told: dict[str, Any] = plain | {"missing": self.missing}
        told |= {"categories": list(self.categories)} if self.is_text else {"low": self.low, "high": self.high}
        return told | ({"format": self.format} if self.kind == "datetime" else {})

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the feature of a JSON form; unknown keys are ignored, and a feature without a kind is numeric.

        Args:
            value: the JSON form, as ``json.loads`` reads it.

        Raises:
            FormatError: a key is missing or of another type.
        """
        match value:
            case {"name": str(), "input": str(), "index": int(), "missing": "impute" | "refuse"}:
                plain = {key: value[key] for key in ("name", "input", "index", "missing")}
                low, high = (
                    None if value.get(end) is None else finite_number(value[end], end) for end in ("low", "high")
                )
                kind, categories = value.get("kind", "numeric"), value.get("categories", [])
                form = value.get("format")
                texts = isinstance(categories, list) and all(isinstance(text, str) for text in categories)
                if texts and isinstance(kind, str) and isinstance(form, str | None):
                    return cls(**plain, kind=kind, low=low, high=high, categories=tuple(categories), format=form)  # type: ignore[arg-type]
        raise FormatError(
            "a feature is written as {name, input, index, kind, missing, low, high, categories, format}, "
            f"found {shown(value)}"
        )


def timestamp_text(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC; as a number where they lie outside the years that it has."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds:g} s"
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
