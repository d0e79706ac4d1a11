"""One row of a table: which of its cells the model has not seen the like of, and what it answers."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import did_you_mean
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.feature import FIRST_INDEX, MISSING_INDEX, MISSING_TIMESTAMP, UNKNOWN_INDEX, ColumnKind, Feature
from parity_runtime.inference.output_validation import NO_FINITE_OUTPUT
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.training_range import shown_ends
from parity_runtime.printable import counted
from parity_runtime.scoring.prediction_columns import PredictionColumn, prediction_columns
from parity_runtime.scoring.score_chunk import no_predictions, run_accepted
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import read_cells, read_inputs

State = Literal["missing", "unknown", "outside", "unreadable"]


@dataclass(frozen=True)
class ExplainedCell:
    """One cell of a row.

    Attributes:
        name: its column's.
        kind: of the column.
        cell: as it stands in the table.
        graph: how the graph takes it: a number, ``index 3`` of a text, seconds since 1970; None if it cannot be read.
        state: what is unusual about it; None where nothing is.
        note: the state in words, with the range that it is outside of.
    """

    name: str
    kind: ColumnKind
    cell: str
    graph: str | None
    state: State | None
    note: str


@dataclass(frozen=True)
class ExplainedRow:
    """One row of a table.

    Attributes:
        where: the table.
        row: its number, from 1.
        cells: of the features, in the contract's order.
        prediction: the added columns by name; None where there is no answer.
        problem: why there is none.
        true: the true value as it stands in the table; None where none was asked for.
    """

    where: str
    row: int
    cells: tuple[ExplainedCell, ...]
    prediction: dict[str, Any] | None
    problem: str | None
    true: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the attributes."""
        return asdict(self) | {"cells": [asdict(cell) for cell in self.cells]}


def explain_row(predictor: Predictor, chunks: Iterable[Chunk], number: int, target: str | None = None) -> ExplainedRow:
    """Return what a row holds and what is predicted for it.

    Args:
        predictor: of a model over a table.
        chunks: of the table, which is read up to the row.
        number: of the row in the table, from 1.
        target: the column of its true value, if that is wanted.

    Raises:
        InputError: there is no such row or column; or rows of the model influence one another, and another row cannot
            be answered.
    """
    where, last = "", 0
    for chunk in chunks:
        where, last = chunk.where, chunk.first_row + len(chunk) - 1
        if chunk.first_row <= number <= last:
            return _explain(predictor, chunk, number - chunk.first_row, target)
    raise InputError(f"{where} has {counted(last, 'row')}; there is no row {number}")


def _explain(predictor: Predictor, chunk: Chunk, place: int, target: str | None) -> ExplainedRow:
    contract = predictor.contract
    alone = chunk.keep(np.arange(len(chunk)) == place)
    cells = tuple(_cell(contract, feature, alone) for feature in contract.features)
    if contract.row_independent:
        chunk, place = alone, 0
    prediction, problem = _prediction(predictor, chunk, place)
    true = None if target is None else alone.cell(0, target)
    return ExplainedRow(alone.where, alone.row_number(0), cells, prediction, problem, true)


def _prediction(predictor: Predictor, chunk: Chunk, place: int) -> tuple[dict[str, Any] | None, str | None]:
    inputs, refused = read_inputs(predictor.contract, chunk)
    if place not in refused:
        chunk.refuse(refused)
        columns = prediction_columns(predictor.contract, run_accepted(predictor, inputs, refused))
    if place in refused:
        return None, refused[place].problem
    if place in no_predictions(columns):
        return None, NO_FINITE_OUTPUT
    return {column.name: _answer(column, place) for column in columns}, None


def _answer(column: PredictionColumn, place: int) -> Any:
    """Return an answer; of a float32 the shortest decimal that is no other one, infinity as text."""
    value = column.values[place]
    if column.classes:
        return column.classes[int(value)]
    if value.dtype.kind != "f":
        return value.item()
    return float(str(value)) if np.isfinite(value) else str(value)


def _cell(contract: ModelContract, feature: Feature, chunk: Chunk) -> ExplainedCell:
    cells, readable = read_cells(feature, chunk)
    text = chunk.cell(0, feature.name)

    def told(graph: str | None, state: State | None, note: str = "") -> ExplainedCell:
        return ExplainedCell(feature.name, feature.kind, text, graph, state, note)

    if not readable[0]:
        return told(None, "unreadable", f"cannot be read as {feature.kind}")
    no_answer = "missing" if feature.missing == "impute" else "missing, and this model takes no missing cell here"
    if feature.is_text:
        index = _index(feature, cells[0])
        if index == MISSING_INDEX:
            return told(f"index {index}", "missing", no_answer)
        hint = did_you_mean(cells[0], feature.categories) if index == UNKNOWN_INDEX else ""
        unknown = f"unknown: no category of the training{hint}"
        return told(f"index {index}", *(("unknown", unknown) if index == UNKNOWN_INDEX else (None, "")))
    graph = _rounded(contract, feature, cells)
    if np.isnan(graph[0]) if graph.dtype.kind == "f" else graph[0] == MISSING_TIMESTAMP:
        return told("NaN" if graph.dtype.kind == "f" else str(graph[0]), "missing", no_answer)
    if _is_outside(feature, graph[0]):
        return told(str(graph[0]), "outside", f"outside the {' to '.join(shown_ends(contract, feature))} of training")
    return told(str(graph[0]), None)


def _is_outside(feature: Feature, cell: Any) -> bool:
    if feature.range is None:
        return False
    low, high = np.array(feature.range, cell.dtype if cell.dtype.kind == "f" else np.float64)
    return not low <= cell <= high


def _index(feature: Feature, text: str) -> int:
    """Return the number that the graph's encoder gives a text."""
    if not text:
        return MISSING_INDEX
    return FIRST_INDEX + feature.categories.index(text) if text in feature.categories else UNKNOWN_INDEX


def _rounded(contract: ModelContract, feature: Feature, cells: NDArray[Any]) -> NDArray[Any]:
    dtype = next(spec.dtype for spec in contract.inputs if spec.name == feature.input)
    if not dtype.startswith("float"):
        return cells
    with np.errstate(over="ignore"):
        return cells.astype(dtype)
