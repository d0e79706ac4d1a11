"""`predict_batches` with rows that cannot be predicted: named over the whole stream, left out or empty."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, predict_batches

pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

SIZES = [3, 1, 40, 0, 16]
ROWS = sum(SIZES)
PLACES = {
    "none": [], "first": [0], "last": [ROWS - 1], "a batch of one row": [3], "both sides of a border": [2, 3, 4],
    "a whole batch": list(range(44, 60)), "many": [0, 7, 8, 9, 21, 40, 43, 44, 59], "all": list(range(ROWS)),
}  # fmt: skip


def table(bad: list[int]) -> np.ndarray:
    points = np.random.default_rng(5).uniform(-0.5, 1.5, (ROWS, 2))
    points[bad, 1] = np.nan
    return points


MAKE: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda rows: rows,
    "list": lambda rows: [[None if np.isnan(cell) else cell for cell in row] for row in rows.tolist()],
    "columns": lambda rows: {"note": "kept", "x2": rows[:, 1].tolist(), "x1": rows[:, 0]},
    "pandas": lambda rows: pandas.DataFrame(rows, columns=["x1", "x2"], index=np.arange(len(rows), 0, -1) * 0.5),
    "pandas objects": lambda rows: pandas.DataFrame({"x1": rows[:, 0], "x2": objects(rows[:, 1])}),
    "polars": lambda rows: polars.DataFrame(rows, schema=["x1", "x2"], orient="row"),
    "pyarrow": lambda rows: pyarrow.table({"x1": rows[:, 0], "x2": pyarrow.array(rows[:, 1], from_pandas=True)}),
}


def objects(column: np.ndarray) -> Any:
    return pandas.Series(["n/k" if np.isnan(cell) else cell for cell in column], dtype=object)


def cut(rows: np.ndarray, make: Callable[[np.ndarray], Any] = lambda rows: rows) -> Iterator[Any]:
    start = 0
    for size in SIZES:
        yield make(rows[start : start + size])
        start += size


@pytest.fixture(scope="module")
def predictor(xor_package: Path) -> Predictor:
    return Predictor(xor_package)


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("kind", MAKE)
def test_the_other_rows_are_answered_with_the_same_bits(predictor: Predictor, kind: str, places: str) -> None:
    bad, found = PLACES[places], []
    whole, good = predictor.run({"features": table([])}), np.delete(np.arange(ROWS), PLACES[places])
    batches = list(cut(table(bad), MAKE[kind]))
    left = list(predict_batches(predictor, batches, threads=3, errors="skip", rejected=found.append))
    assert [error.row for error in found] == [place + 1 for place in bad]
    assert {error.column for error in found} <= {"x2"}
    for name, outputs in whole.items():
        assert (np.concatenate([one[name] for one in left]) == outputs[good]).all()
    full = list(predict_batches(predictor, batches, errors="null"))
    assert [len(one["label"]) for one in full] == SIZES
    expected = [None if place in bad else label for place, label in enumerate(whole["label"].tolist())]
    assert [label for one in full for label in one["label"].tolist()] == expected
    probabilities = np.concatenate([one["probabilities"] for one in full])
    assert np.isnan(probabilities[bad]).all() and (probabilities[good] == whole["probabilities"][good]).all()


@pytest.mark.parametrize("places", PLACES)
def test_record_batches_have_nulls_or_fewer_rows(predictor: Predictor, places: str) -> None:
    bad, found = PLACES[places], []
    make = lambda rows: MAKE["pyarrow"](rows).combine_chunks().to_batches()  # noqa: E731 -- a table of no rows has none
    batches = [batch for batches in cut(table(bad), make) for batch in batches]
    full = pyarrow.Table.from_batches(predict_batches(predictor, batches, errors="null", rejected=found.append))
    assert [error.row for error in found] == [place + 1 for place in bad]
    for name in ("label", "probability_0"):
        assert [place for place, cell in enumerate(full[name].to_pylist()) if cell is None] == bad
    assert str(full.schema.field("label").type) == "int64"
    left = pyarrow.Table.from_batches(predict_batches(predictor, batches, errors="skip", threads=2))
    assert left.equals(full.filter(full["label"].is_valid()))


@pytest.mark.parametrize("errors", ["skip", "null"])
def test_what_is_said_of_a_row_is_what_ends_the_stream_else(predictor: Predictor, errors: Any) -> None:
    rows = [[0, 1], [0, 1e39], ["abc", 1], [True, 1], [np.inf, 0], [10**400, 0], [None, 0], [0, 1]]
    found: list[InputError] = []
    (outputs,) = predict_batches(predictor, [np.array(rows, object)], errors=errors, rejected=found.append)
    assert len(outputs["label"]) == (2 if errors == "skip" else 8)
    for place, error in zip(range(1, 7), found, strict=True):
        with pytest.raises(InputError) as ended:
            list(predict_batches(predictor, [np.array([*rows[:1] * place, rows[place]], object)]))
        assert str(ended.value) == f"{error}; errors='null' leaves the predictions of such rows empty"
        assert (ended.value.row, ended.value.column, ended.value.path) == (error.row, error.column, "batch 1")


def test_how_many_rows_there_were_is_logged_once_at_the_end(
    predictor: Predictor, caplog: pytest.LogCaptureFixture
) -> None:
    answers = predict_batches(predictor, cut(table([2, 7, 50])), errors="null")
    assert len([next(answers) for _ in range(4)]) == 4
    assert not caplog.records
    list(answers)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("parity_runtime", logging.WARNING)
    assert record.getMessage().startswith(
        "3 rows were left without a prediction; the first: batch 1, row 3: x2 is miss"
    )
    caplog.clear()
    list(predict_batches(predictor, cut(table([])), errors="skip"))
    assert list(predict_batches(predictor, [], errors="skip")) == []
    assert not caplog.records


def test_integers_and_truth_values_without_an_answer_are_masked_and_no_index(certified_package: Path) -> None:
    predictor = Predictor(certified_package, certified=True)
    (outputs,) = predict_batches(predictor, [[[0, 1], [0, None]]], errors="null")
    assert outputs["label"].tolist() == [1, None] and outputs["certified"].tolist() == [True, None]
    assert np.isnan(outputs["error_bound"][1]).all()
    assert not outputs["certified"].data[1]
    with pytest.raises(IndexError):
        predictor.classes_[np.concatenate([outputs["label"]])]  # numpy loses the mask
    (whole,) = predict_batches(predictor, [[[0, 1]]], errors="null")
    assert {name: type(one) for name, one in whole.items()} == {name: type(one) for name, one in outputs.items()}


def test_a_row_without_a_finite_output_is_one(species_package: Path) -> None:
    predictor, found = Predictor(species_package), []
    rows = np.zeros((5, 4))
    rows[1], rows[3] = [3e38, -3e38, 3e38, -3e38], np.nan
    rows[4, 0] = np.inf
    (outputs,) = predict_batches(predictor, [rows], errors="null", rejected=found.append)
    refused = {error.row: error.problem for error in found}
    assert list(refused) == sorted(refused) and 2 in refused and 5 in refused
    assert refused[2] == "the model computes no finite output for these numbers"
    assert [place + 1 for place, label in enumerate(outputs["label"].tolist()) if label is None] == list(refused)
    (left,) = predict_batches(predictor, [rows], errors="skip")
    assert len(left["label"]) == 5 - len(refused)


def test_cells_of_every_kind(mixed_package: Path) -> None:
    predictor, found = Predictor(mixed_package), []
    rows = [["red", 1.5, "2020-01-01", True, 1], ["red", 1.5, "May", True, 1], ["red", 1.5, None, 2, 1],
            [b"red", 1, None, None, 1], [None, np.inf, None, None, 1], ["zz", 3, None, False, 7]]  # fmt: skip
    columns = {
        name: list(cells) for name, cells in zip(predictor.feature_names_in_, zip(*rows, strict=True), strict=True)
    }
    for batch in (rows, columns):
        found.clear()
        (outputs,) = predict_batches(predictor, [batch], errors="skip", rejected=found.append)
        assert [(error.row, error.column) for error in found] == [(2, "when"), (3, "new"), (4, "color"), (5, "size")]
        assert (
            outputs["label"].tolist()
            == predictor.run(predictor_inputs(predictor, [rows[0], rows[5]]))["label"].tolist()
        )


def predictor_inputs(predictor: Predictor, rows: Any) -> Any:
    from parity_runtime.inference.input_validation import table_inputs

    return table_inputs(predictor.contract, rows)


@pytest.mark.parametrize("errors", ["skip", "null"])
def test_what_is_no_rows_fault_ends_the_stream(predictor: Predictor, errors: Any) -> None:
    good = np.zeros((2, 2))
    text = ["0.5", "abc"]
    for problem, batch in {
        "the column 'x2' is missing": {"x1": [np.nan, 0.5]},
        "the columns differ in length: .x1. has 2 rows, .x2. has 1": {"x1": [0.5, 0.5], "x2": [1.0]},
        r"has the shape \[1, 3\]": [[0, np.nan, 1]],
        "x1 holds <U3, not numbers; convert the column": {"x1": np.array(text), "x2": [1, 1]},
        "x1 holds String, not numbers": polars.DataFrame({"x1": text, "x2": [1, 1]}),
        "x1 holds string, not numbers": pandas.DataFrame({"x1": text, "x2": [1, 1]}, dtype="string").astype(
            {"x2": float}
        ),
        "batch 2: x1 holds string, not numbers": pyarrow.RecordBatch.from_pydict({"x1": text, "x2": [1, 1]}),
    }.items():
        answers = predict_batches(predictor, [good, batch], errors=errors, rejected=pytest.fail)
        assert len(next(answers)["label"]) == 2
        with pytest.raises(InputError, match=problem) as caught:
            next(answers)
        assert caught.value.row is None and caught.value.__cause__ is not caught.value


def test_a_way_out_that_cannot_be_taken_is_not_named(predictor: Predictor, xor_package: Path) -> None:
    with pytest.raises(InputError, match="errors is 'rais', not one of 'raise', 'skip', 'null'; did you mean raise"):
        predict_batches(predictor, [], errors="rais")  # type: ignore[arg-type]
    dependent = Predictor(xor_package)
    dependent.contract = replace(dependent.contract, row_independent=False)
    with pytest.raises(InputError, match="rows of xor influence one another"):
        predict_batches(dependent, [], errors="skip")
    with pytest.raises(InputError) as caught:
        list(predict_batches(dependent, [[[0, None]]]))
    assert caught.value.row == 1 and "errors=" not in str(caught.value)
