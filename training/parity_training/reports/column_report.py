"""What a table's columns turned out to be, as a person reads it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parity_runtime import Feature, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.feature import TIMESTAMPS, UNKNOWN_INDEX
from parity_runtime.printable import printable
from parity_training.data.columns import Columns
from parity_training.data.encode_columns import CALENDAR_SIZES
from parity_training.data.leaks import leaks
from parity_training.data.problem import PARTS, Problem
from parity_training.data.vocabulary import LATER, escaped, lookalikes, with_invisible
from parity_training.fitting.preprocessing import preprocessing_of
from parity_training.networks.index_tables import table_width

_MOST_LINES = 40  # columns that are told one by one
_MOST_SHOWN = 3
_LONGEST_NAME = 30  # characters of a name


def column_report(columns: Columns, problem: Problem) -> list[str]:
    """Return a line for each column: its kind, how the network takes it, what is missing; and those left out."""
    features, told = problem.contract.features[:_MOST_LINES], preprocessing_of(problem)
    rows = [[_short(feature.name), _kind(feature), *_encoded(feature, problem, told)] for feature in features]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"the columns of {columns.where}:"]
    lines += [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    more = Counter(feature.kind for feature in problem.contract.features[_MOST_LINES:])
    if more:
        lines.append(f"  and {more.total()} more: {', '.join(f'{count} {kind}' for kind, count in more.items())}")
    if columns.left_out:
        lines.append("left out:")
        lines += [f"  {one.said}" for one in columns.left_out[:_MOST_LINES]]
        rest = len(columns.left_out) - _MOST_LINES
        lines += [f"  and {rest} more"] * (rest > 0)
    return lines


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _kind(feature: Feature) -> str:
    return f"{feature.kind} {feature.format}" if feature.format else feature.kind


def _encoded(feature: Feature, problem: Problem, told: Mapping[str, Any]) -> tuple[str, str]:
    """Return how the network takes a column, and how many cells are missing."""
    missing = problem.stats.missing(feature) if problem.stats else 0
    return encoding(feature, problem.contract, told), f"{missing} missing" if missing else ""


def encoding(feature: Feature, contract: ModelContract, told: Mapping[str, Any]) -> str:
    """Return how a network takes a column.

    Args:
        feature: the column.
        contract: of the network.
        told: the arguments of its `TableNetwork`.
    """
    if feature.is_text:
        return _category(feature, told)
    if feature.kind == "datetime":
        return _calendar(feature, len(contract.features_of(TIMESTAMPS)), told)
    if feature.index in told.get("indicators", ()):
        return "standardized, the mean where missing, and whether it is"
    return "standardized"


def _category(feature: Feature, told: Mapping[str, Any]) -> str:
    table = told["tables"][feature.index]
    count = len(feature.categories)
    if table["kind"] == "one-hot":
        return f"one-hot of {count}"
    return f"embedding {table_width(table)} of {count}"


def _calendar(feature: Feature, dates: int, told: Mapping[str, Any]) -> str:
    """Return the parts of a date that the network looks at; their tables stand behind those of the categories."""
    parts, tables = list(CALENDAR_SIZES), told["tables"]
    first = len(tables) - len(parts) * (dates - feature.index)
    kinds = [table["kind"] for table in tables[first : first + len(parts)]]
    return ", ".join(["year", *(part for part, kind in zip(parts, kinds, strict=True) if kind == "cyclic")])


def column_warnings(columns: Columns, problem: Problem) -> Iterator[str]:
    """Give what a person should look at: rare categories, lookalikes, and features that tell the target."""
    texts = columns.of("categorical", "code")
    unknown = _unknown_rows(problem) if texts else []
    for name, met in zip(texts, columns.texts, strict=True):
        feature = next(feature for feature in problem.contract.features if feature.name == name)
        yield from _rare(feature, met, unknown[feature.index])
        yield from _alike(name, [text for text in met[1:] if text != LATER])
    target = problem.contract.targets[0]
    classes = [label for label in problem.contract.classes if isinstance(label, str)]
    yield from _alike(target, classes)
    for name in problem.source.get("categorical", ()):
        if name in columns.kinds and columns.kinds[name].kind == "boolean":
            yield f"{_short(name)} holds true and false alone and stays boolean, which tells them apart as well"
    yield from _unseen(problem)
    yield from leaks(problem)


def _unseen(problem: Problem) -> Iterator[str]:
    """Name the classes of which no row is trained on, such as those that only the last rows in time have."""
    classes = problem.contract.classes
    unseen = [str(label) for label, rows in zip(classes, problem.class_counts().tolist(), strict=True) if not rows]
    if unseen:
        more = f" and {len(unseen) - _MOST_SHOWN} more" if len(unseen) > _MOST_SHOWN else ""
        yield (
            f"{problem.contract.targets[0]}: no row that is trained on is {' or '.join(unseen[:_MOST_SHOWN])}{more}, "
            "which can never be predicted"
        )


def _unknown_rows(problem: Problem) -> list[int]:
    """Return of each column of indices in how many rows it is unknown."""
    pieces = (indices for part in PARTS for _, indices, _ in problem.pieces(part))
    found: list[int] = sum((indices == UNKNOWN_INDEX).sum(dim=0) for indices in pieces).tolist()  # type: ignore[union-attr]
    return found


def _rare(feature: Feature, met: Sequence[str], rows: int) -> Iterator[str]:
    later = LATER in met
    known_texts = len(met) - 1 - later
    if known_texts + later > len(feature.categories):
        of = f"more than {known_texts}" if later else f"{known_texts}"
        known = f"{_short(feature.name)}: {len(feature.categories)} of {of} categories have an index"
        without = {*met[1:]} - {*feature.categories}
        ends = {text for text in without if "\0" in text}
        why = [f"a NUL character, which no graph can hold, is in {len(ends)} of them"] if ends else []
        if later:
            why.append(f"memory holds {known_texts} of them ({argument('memory')}), and others came later")
        if without - ends - {LATER}:
            why += [f"training saw them once or never, or others more often ({argument('max_categories')})"]
        yield f"{known}; the others, in {rows} rows, count as unknown: {'; or '.join(why)}"


def _alike(name: str, texts: Sequence[str]) -> Iterator[str]:
    groups = lookalikes(texts)
    if groups:
        some = "; ".join(" and ".join(map(escaped, group[:_MOST_SHOWN])) for group in groups[:_MOST_SHOWN])
        more = f"; and {len(groups) - _MOST_SHOWN} more" if len(groups) > _MOST_SHOWN else ""
        yield (
            f"{_short(name)}: {some}{more} differ in case, white space, invisible characters or the form of a number "
            "or letter alone; they count as different values"
        )
    alike = {text for group in groups for text in group}
    odd = [text for text in with_invisible(texts) if text not in alike]
    if odd:
        some = ", ".join(map(ascii, odd[:_MOST_SHOWN])) + (", ..." if len(odd) > _MOST_SHOWN else "")
        yield f"{_short(name)}: invisible characters, or white space around: {some}; they count as they are"
