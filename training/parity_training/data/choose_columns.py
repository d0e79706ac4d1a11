"""Which columns of a table are features, and of what kind: as somebody says, else as their cells look."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.feature import ColumnKind
from parity_runtime.tables.chunk import listed, nearest_column, shown
from parity_training.data.column_kinds import (
    HEAD_ROWS,
    ColumnSample,
    KindOf,
    Why,
    is_integer_column,
    is_truth_column,
    kind_of,
)
from parity_training.data.dates import check_format

Hint = Callable[[str], str]

_INDEX_LEVEL = re.compile(r"__index_level_\d+__")  # what pandas writes an unnamed index as into Parquet
_SAVED_INDEX = re.compile(r"Unnamed: \d+(?:\.\d+)*")  # what pandas calls an index in CSV that it reads and saves again


@dataclass(frozen=True)
class ColumnChoice:
    """What somebody says of a table's columns.

    Attributes:
        target: the column to predict.
        features: the columns to predict from, in this order; empty for all others.
        dropped: columns to leave out.
        numeric: columns of numbers, whatever they look like.
        categorical: columns of categories.
        datetime: columns of dates, as ``name`` or ``name=format``.
        more_targets: the targets beside the first.
        weight: the column that says how much a row weighs.
        group: the column that says which rows belong together.
        time: the column that says when a row was, as ``name`` or ``name=format``.
    """

    target: str
    features: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    datetime: tuple[str, ...] = ()
    more_targets: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    time: str | None = None

    def formats(self, columns: Sequence[str]) -> dict[str, str | None]:
        """Return the format of each column that is said to hold dates; None for ISO 8601."""
        return dict(_named_format(text, columns) for text in self.datetime)

    def time_column(self, columns: Sequence[str]) -> tuple[str, str | None]:
        """Return the name of the column of times, and its format; None for ISO 8601 or numbers."""
        return _named_format(self.time or "", columns)

    @property
    def targets(self) -> tuple[str, ...]:
        """All columns to predict."""
        return (self.target, *self.more_targets)

    def of_rows(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the columns that say something of the rows themselves, by the argument that names them."""
        time = None if self.time is None else self.time_column(columns)[0]
        found = {"weight": self.weight, "group": self.group, "time": time}
        return {said: name for said, name in found.items() if name is not None}

    def wanted(self, columns: Sequence[str]) -> set[str]:
        """Return the columns that somebody names: none of them is left out for what it looks like."""
        return {*self.features, *self.numeric, *self.categorical, *self.formats(columns)}


def _named_format(text: str, columns: Sequence[str]) -> tuple[str, str | None]:
    """Return name and format of ``name=format``; a name may hold an equals sign itself."""
    if text in columns or "=" not in text:
        return text, None
    places = [found.start() for found in re.finditer("=", text)]
    place = next((place for place in reversed(places) if text[:place] in columns), places[0])
    return text[:place], text[place + 1 :]


@dataclass(frozen=True)
class LeftOut:
    """A column that is no feature.

    Attributes:
        name: of the column; empty for an unnamed index.
        why: what it looks like.
        said: the same for a person, with the argument that keeps it.
    """

    name: str
    why: Why
    said: str


@dataclass
class ChosenColumns:
    """The columns of a table by what is made of them.

    Attributes:
        kinds: of each feature, in the features' order.
        left_out: the others, but for those that somebody said.
        categorical: those that somebody says are categories, whatever they are.
    """

    kinds: dict[str, KindOf] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    categorical: tuple[str, ...] = ()

    def of(self, *kinds: ColumnKind) -> list[str]:
        """Return the names of the features of some kinds, in order."""
        return [name for name, found in self.kinds.items() if found.kind in kinds]

    def only(self, name: str) -> "ChosenColumns":
        """Return one of the features alone."""
        return ChosenColumns({name: self.kinds[name]}, categorical=self.categorical)


def candidates(
    where: str, columns: Sequence[str], choice: ColumnChoice, hint: Hint | None = None
) -> tuple[list[str], list[LeftOut]]:
    """Return the columns that may be features, in order, and those that are an index by their names.

    Args:
        where: the file.
        columns: of the file.
        choice: what somebody says of them.
        hint: says of a name that is no column why that may be.

    Raises:
        InputError: a column that somebody names is not there, is named twice, or is the target.
    """
    _check_names(where, columns, choice, hint)
    wanted = choice.wanted(columns)
    index = [
        name
        for name in (() if choice.features else index_columns(columns))
        if name not in (*choice.targets, *choice.dropped, *wanted)
    ]
    of_rows = {*choice.of_rows(columns).values()} - wanted
    left_out = {"", *choice.targets, *choice.dropped, *index, *of_rows}
    names = list(choice.features) or [name for name in columns if name not in left_out]
    return names, [LeftOut(name, "index", _index(name)) for name in index]


def decide(
    where: str, names: Sequence[str], samples: Mapping[str, ColumnSample], choice: ColumnChoice, columns: Sequence[str]
) -> ChosenColumns:
    """Return the kind of each column, by what was said and by its first rows.

    Raises:
        InputError: a column that was named cannot be a feature.
    """
    chosen, formats, wanted = (
        ChosenColumns(categorical=choice.categorical),
        choice.formats(columns),
        choice.wanted(columns),
    )
    for name in names:
        found = _said_kind(name, samples[name], choice, formats) or kind_of(samples[name])
        if found.why in ("ambiguous", "unreadable") and name in wanted:
            raise InputError(f"{where}: {said_of(name, found)}", column=name)
        if found.why is None or (found.why == "empty") or name in wanted:
            chosen.kinds[name] = found
        else:
            chosen.left_out.append(LeftOut(name, found.why, said_of(name, found)))
    return chosen


def _said_kind(
    name: str, sample: ColumnSample, choice: ColumnChoice, formats: Mapping[str, str | None]
) -> KindOf | None:
    if "other" in sample.native:
        return None
    if name in formats:
        return KindOf("datetime", formats[name])
    if name in choice.categorical:
        if is_truth_column(sample):
            return KindOf("boolean")
        return KindOf("code" if is_integer_column(sample) else "categorical")
    if name in choice.numeric:
        return KindOf("boolean" if sample.words and not sample.texts else "numeric")
    return None


def said_of(name: str, found: KindOf) -> str:
    """Return why a column is left out, and what keeps it."""
    if found.formats:
        return f"{name} holds dates, {_formats(name, found)}"
    if found.why == "unreadable":
        return f"{name} holds values that no feature can have"
    if found.why == "identifier":
        return f"{name} looks like an identifier: {_many_values(name, found)}"
    if found.why == "row number":
        return f"{name} counts the rows; {argument('numeric', (name,))} keeps it"
    if found.why == "constant":
        keep = "categorical" if found.kind in ("categorical", "code") else "numeric"
        keep = "datetime" if found.kind == "datetime" else keep
        return f"{name} has the same value in every row; {argument(keep, (name,))} keeps it"
    return f"{name} is empty"


def _many_values(name: str, found: KindOf) -> str:
    """Return what is said of a column of very many different texts; one that never repeats has nothing to keep."""
    keep, rows = argument("categorical", (name,)), f"of its first {HEAD_ROWS:,} rows"
    if found.repeats:
        share = f"more than 95 % of the cells {rows}" if found.is_of_head else "more than half of its cells"
        return f"{share} are different; {keep} keeps it"
    return (
        f"no value {rows} repeats; {keep} keeps it, if later ones do"
        if found.is_of_head
        else ("no value of it repeats, so that none of them can be learned")
    )


def _formats(name: str, found: KindOf) -> str:
    if found.why == "mixed dates":
        text = argument("categorical", (name,))
        return f"some in ISO 8601 and others as {found.formats[0]}: write all in one way; {text} takes them as text"
    options = " or ".join(argument("datetime", (f"{name}={form}",)) for form in found.formats)
    return f"which can be read in more than one way: say {options}"


def _index(name: str) -> str:
    if not name:
        return "the unnamed first column is an index and is left out"
    return f"{name} is an index and is left out; {argument('numeric', (name,))} keeps it"


def index_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are an index by their names: the first without one, and what pandas calls an index.

    pandas calls any column ``Unnamed: N`` that has no name; such a column is an index at the front alone.
    """
    front = list(takewhile(lambda column: _is_saved_index(*column), enumerate(columns)))
    return tuple(name for place, name in enumerate(columns) if place < len(front) or _INDEX_LEVEL.fullmatch(name))


def _is_saved_index(place: int, name: str) -> bool:
    return (not place and not name) or bool(_SAVED_INDEX.fullmatch(name))


def _check_names(where: str, columns: Sequence[str], choice: ColumnChoice, hint: Hint | None) -> None:
    said = {"numeric": choice.numeric, "categorical": choice.categorical,
            "datetime": tuple(choice.formats(columns))}  # fmt: skip
    of_kinds = [name for names in said.values() for name in names]
    known = set(columns)
    absent = [
        name
        for name in dict.fromkeys(
            (*choice.targets, *choice.features, *choice.dropped, *of_kinds, *choice.of_rows(columns).values())
        )
        if name not in known
    ]
    if absent:
        several = "columns" if len(absent) > 1 else "column"
        meant = hint(absent[0]) if hint else ""
        meant = meant or "".join(dict.fromkeys(nearest_column(name, columns) for name in absent))
        raise InputError(f"{where} has no {several} {', '.join(map(repr, absent))}; it has {listed(columns)}{meant}")
    of_rows = choice.of_rows(columns)
    for target in choice.targets:
        if target in choice.dropped:
            raise InputError(f"{target!r} is the target and cannot be dropped")
        if target in choice.wanted(columns):
            raise InputError(f"{target!r} is the target and cannot be a feature as well")
        if target in of_rows.values() or choice.targets.count(target) > 1:
            raise InputError(f"{target!r} is the target and is named a second time")
    if choice.weight is not None and choice.weight in choice.wanted(columns):
        raise InputError(f"{choice.weight!r} is the weight of the rows and cannot be a feature as well")
    _refuse_contradictions(choice, said)
    for form in choice.formats(columns).values():
        if form is not None:
            check_format(form)


def _refuse_contradictions(choice: ColumnChoice, said: Mapping[str, tuple[str, ...]]) -> None:
    doubled = [name for name, times in Counter(choice.features).items() if times > 1]
    if doubled:
        raise InputError(f"the feature {min(doubled)!r} is named twice")
    kinds: dict[str, str] = {}
    for kind, names in said.items():
        for name in names:
            if kinds.setdefault(name, kind) != kind:
                both = f"{argument(kinds[name])} and by {argument(kind)}"
                raise InputError(f"{name!r} is named by {both}; it is of one kind")
            if choice.features and name not in choice.features:
                features = argument("features")
                raise InputError(f"{argument(kind)} names {name!r}, which is not among the {features}; add it there")
    for name in choice.dropped:
        if name in {*choice.features, *kinds}:
            raise InputError(f"{shown(name)} is dropped and cannot be a feature as well")
