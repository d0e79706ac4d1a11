"""A drift report, and a row of a table, as lines that a person reads."""

from collections.abc import Iterator, Sequence

from parity_runtime.drift.drift_report import ClassShares, ColumnDrift, DriftReport, TargetDrift
from parity_runtime.drift.explain_row import ExplainedRow
from parity_runtime.printable import counted, printable

_SHOWN = 20
"""Columns, and classes, that are printed; the rest is in the JSON form."""

_LONGEST = 40  # characters of a name or a cell


def drift_lines(report: DriftReport) -> Iterator[str]:
    """Give a report as a table of columns, and one of classes."""
    known = "" if report.training_rows is None else f" beside {counted(report.training_rows, 'row')} of training"
    yield ""
    yield f"{counted(report.rows, 'row')}{known}"
    columns = _foremost(report.columns)
    yield from _aligned([_HEADER, *map(_column, columns)])
    if len(columns) < len(report.columns):
        yield f"and {counted(len(report.columns) - len(columns), 'column')} with less; parity evaluate --json has all"
    if report.classes:
        yield ""
        shown = sorted(sorted(report.classes, key=_moved)[:_SHOWN], key=report.classes.index)
        yield from _aligned([("class", "in training", "predicted", "true"), *map(_class, shown)])
        if len(shown) < len(report.classes):
            yield f"and {len(report.classes) - len(shown)} more, which moved less; parity evaluate --json has all"
    if report.target is not None:
        yield ""
        yield _target(report.target)


def row_lines(explained: ExplainedRow) -> Iterator[str]:
    """Give one row: a line for each feature, then its prediction."""
    yield f"row {explained.row} of {explained.where}"
    lines = [("feature", "kind", "cell", "in the graph", "")]
    lines += [(_short(cell.name), cell.kind, _short(cell.cell), cell.graph or "-", cell.note)
              for cell in explained.cells]  # fmt: skip
    yield from _aligned(lines, figures=False)
    yield ""
    if explained.prediction is None:
        yield f"no prediction: {explained.problem}"
    else:
        answers = [(_short(name), str(value)) for name, value in explained.prediction.items()]
        yield from _aligned([("prediction", ""), *answers], figures=False)
    if explained.true is not None:
        yield f"true value: {_short(explained.true)}"


_HEADER = ("column", "missing", "in training", "unknown", "in training", "outside", "psi", "by chance", "")


def _column(column: ColumnDrift) -> tuple[str, ...]:
    shares = (column.missing, column.missing_in_training, column.unknown, column.unknown_in_training, column.outside)
    shift = "" if column.shift is None else f"{column.shift} shift"
    return (_short(column.name), *map(_percent, shares), _figure(column.psi), _figure(column.psi_by_chance), shift)


def _foremost(columns: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Return the columns of which most is to be said, in their own order."""
    order = {column.name: place for place, column in enumerate(columns)}
    most = sorted(columns, key=_weight, reverse=True)
    return sorted(most[:_SHOWN], key=lambda column: order[column.name])


def _weight(column: ColumnDrift) -> float:
    gaps = abs((column.missing or 0) - (column.missing_in_training or 0))
    return max(gaps, column.unknown or 0, column.outside or 0, column.psi or 0)


def _class(one: ClassShares) -> tuple[str, ...]:
    return (_short(str(one.label)), _percent(one.training), _percent(one.predicted), _percent(one.true))


def _moved(one: ClassShares) -> float:
    return -abs((one.predicted or 0) - (one.training or 0))


def _target(target: TargetDrift) -> str:
    said = [f"{_percent(target.predicted_outside)} of predictions"] * (target.predicted_outside is not None)
    said += [f"{_percent(target.true_outside)} of true values"] * (target.true_outside is not None)
    psi = f"; psi of true values {_figure(target.psi)}, {_figure(target.psi_by_chance)} by chance"
    psi = "" if target.psi is None else psi
    return f"{target.name}: {target.low:.6g} to {target.high:.6g} in training, {' and '.join(said)} outside{psi}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g}%"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: Sequence[tuple[str, ...]], *, figures: bool = True) -> Iterator[str]:
    """Give rows with their columns aligned; a column that says nothing below its header is left out.

    Args:
        rows: the first is the header; the last column may have none.
        figures: whether what has a header, but for the first column, is aligned to the right.
    """
    said = [place for place in range(len(rows[0])) if not place or any(row[place] not in ("-", "") for row in rows[1:])]
    widths = {place: max(len(row[place]) for row in rows) for place in said}
    to_right = {place for place in said if figures and place and rows[0][place]}
    for row in rows:
        line = [f"{row[place]:{'>' if place in to_right else '<'}{widths[place]}}" for place in said]
        yield "  ".join(line).rstrip()


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
