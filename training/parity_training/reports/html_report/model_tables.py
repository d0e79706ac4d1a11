"""What is known of a model beside its evaluation: its columns, what it was trained from, what its export has shown."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from parity_runtime import Feature
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.profile import Profile
from parity_runtime.feature import timestamp_text
from parity_runtime.printable import counted, printable, shown
from parity_training.reports.column_report import encoding
from parity_training.reports.html_report.facts import Facts
from parity_training.reports.number_text import short

_LONGEST = 80  # characters of a name
_LONGEST_SETTING = 200
_FEW = 5  # categories of a column that are named
MOST_COLUMNS = 200

Pairs = list[tuple[str, str]]


class Column(NamedTuple):
    """A row of the table of columns, as text."""

    name: str
    kind: str
    encoding: str
    missing: str
    values: str


def cut(value: Any, most: int = _LONGEST) -> str:
    """Return text in one printable line of at most so many characters.

    The middle of a long one is left out: names often begin alike, and end differently.
    """
    text = str(value)
    half = most // 2
    short = text if len(text) <= most else f"{text[: half - 1].rstrip()}…{text[-half:].lstrip()}"
    whole = printable(short)
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def columns(facts: Facts) -> list[Column]:
    """Return the columns that a model takes, 200 at most."""
    return [_column(feature, facts) for feature in facts.contract.features[:MOST_COLUMNS]]


def _column(feature: Feature, facts: Facts) -> Column:
    counts = facts.profile.columns.get(feature.name) if facts.profile else None
    kind = f"{feature.kind} {feature.format}" if feature.format else feature.kind
    way = ""
    if facts.recipe is not None:
        told = facts.recipe.preprocessing
        way = "as it is" if told is None else encoding(feature, facts.contract, told)
    return Column(cut(feature.name), cut(kind), way, _missing(counts, facts.profile), _values(feature, counts))


def _missing(counts: ColumnCounts | None, profile: Profile | None) -> str:
    if counts is None or profile is None or not profile.rows:
        return ""
    return f"{counts.missing} ({counts.missing / profile.rows:.1%})" if counts.missing else "0"


def _values(feature: Feature, counts: ColumnCounts | None) -> str:
    if feature.is_text:
        return _categories(feature, counts)
    if feature.range is None:
        return ""
    if feature.kind == "boolean":
        return "" if counts is None else f"false {counts.bins[0]}, true {counts.bins[1]}"
    if feature.kind == "datetime":
        return " to ".join(timestamp_text(end).partition("T")[0] for end in feature.range)
    return " to ".join(f"{end:.6g}" for end in feature.range)


def _categories(feature: Feature, counts: ColumnCounts | None) -> str:
    texts = list(feature.categories)
    if counts is not None:
        texts = [texts[place] for place in (-counts.bins).argsort(kind="stable").tolist()]
    named = ", ".join(cut(text, 30) for text in texts[:_FEW])
    return f"{len(texts)}: {named}" + (", …" if len(texts) > _FEW else "")


def data_of(facts: Facts) -> Pairs:
    """Return where the rows are from, and how many are for what."""
    contract, found = facts.contract, facts.evaluation
    told: Pairs = [("task", contract.task)]
    told += [("target", ", ".join(cut(name) for name in contract.targets))] if contract.targets else []
    if contract.classes:
        few = ", ".join(cut(label, 40) for label in contract.classes[: _FEW * 2])
        more = f", … ({len(contract.classes)} in all)" if len(contract.classes) > _FEW * 2 else ""
        told.append(("classes", few + more))
    if contract.threshold is not None:
        told.append(("threshold", f"{cut(contract.positive, 40)} from probability {contract.threshold:.4g} on"))
    told.append(("features", str(len(contract.features))))
    if facts.profile is not None:
        told.append(("rows that it was trained on", str(facts.profile.rows)))
    if "rows" in found:
        told.append(("rows that it was evaluated on", f"{found['rows']} ({found['part']})"))
    if facts.recipe is not None:
        left_out = ("features", "classes", "target", "targets", "task", "threshold")
        told += _pairs({name: value for name, value in facts.recipe.data.items() if name not in left_out})
    return told


def training_of(facts: Facts) -> Pairs:
    """Return network and settings of a run; of a package where it is from."""
    if facts.recipe is None:
        told = _pairs(facts.contract.provenance)
        return told + ([("package", facts.package_id)] if facts.package_id else [])
    network = [("network", cut(facts.recipe.network))]
    arguments = _pairs(facts.recipe.arguments)
    return network + arguments + _pairs(facts.recipe.training)


def _pairs(values: Mapping[str, Any]) -> Pairs:
    return [
        (cut(name.replace("_", " ")), plain(value))
        for name, value in values.items()
        if value is not None and value != {}
    ]


def plain(value: Any) -> str:
    """Return a setting as a person writes it: no quotes about the names of a list, and no ``True``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return cut(", ".join(plain(one) for one in value), _LONGEST_SETTING)
    return cut(value if isinstance(value, str | int | float) else shown(value), _LONGEST_SETTING)


def parity_of(facts: Facts) -> list[dict[str, Any]]:
    """Return a row for each backend and output of parity.json: how far it is from float64."""
    return [
        {
            "backend": _backend(row),
            "output": cut(row["output"]),
            "compared": row["compared"],
            "outside": row["outside"],
            "max_abs": "-" if row["max_abs"] is None else short(float(row["max_abs"])),
            "jump": short(float(row["jump"])) if row.get("jump") else None,
        }
        for row in facts.parity.get("summary", [])
    ]


def _backend(row: dict[str, Any]) -> str:
    parts = (row.get("runtime"), row.get("provider"), row.get("optimization"))
    threads = counted(row["threads"], "thread") if isinstance(row.get("threads"), int) else None
    return ", ".join(cut(part) for part in (*parts, threads) if part)


def tolerances_of(facts: Facts) -> Iterable[tuple[str, str]]:
    """Return how far another honest runtime's value may be from the exact one, by output."""
    for name, tolerance in facts.contract.tolerance.items():
        yield (cut(name), f"rtol {tolerance.rtol:.3g}, atol {tolerance.atol:.3g}, floor {tolerance.floor:.3g}")
