"""Cells that are spelled otherwise than in training: categories, truth values as classes, names of columns."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, UnknownCategoriesWarning, predict_batches
from parity_runtime.inference.truth_classes import as_classes

KNOWN = ["red", "green", "crème brûlée"]


def columns(colors: list[Any], **others: list[Any]) -> dict[str, list[Any]]:
    count = len(colors)
    plain = {"size": [1.0] * count, "when": ["2020-01-01"] * count, "new": [True] * count, "code": [1] * count}
    return {"color": colors} | plain | others


def csv_of(table: dict[str, list[Any]]) -> str:
    rows = zip(*table.values(), strict=True)
    return "".join(",".join(map(str, row)) + "\n" for row in [tuple(table), *rows])


@pytest.fixture(scope="module")
def predictor(mixed_package: Path) -> Predictor:
    return Predictor(mixed_package)


def said(predictor: Predictor, rows: Any, method: str = "predict") -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        getattr(predictor, method)(rows)
    assert all(issubclass(one.category, UnknownCategoriesWarning) and one.filename == __file__ for one in found)
    return [str(one.message) for one in found]


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_python_warns_where_most_cells_of_a_column_are_unknown(predictor: Predictor, method: str) -> None:
    rows = columns(["Red", "Green"] * 10 + ["red"] * 5 + [None] * 30)
    assert said(predictor, rows, method) == [
        "20 of 25 cells of color are unknown to the model, such as 'Red' and 'Green'; it knows 'red' and 'green': "
        "are they spelled as in the training table? (pandas keeps text unchanged with dtype={'color': str})"
    ]
    frame = pytest.importorskip("pandas").DataFrame(rows)
    assert len(said(predictor, frame, method)) == 1


def test_few_cells_between_missing_ones_are_found(predictor: Predictor) -> None:
    (text,) = said(predictor, columns(([None] * 39 + ["Red"]) * 25))
    assert text.startswith("25 of 25 cells of color")


def test_several_columns_are_one_warning(predictor: Predictor) -> None:
    (text,) = said(predictor, columns(["Red"] * 20, code=["007"] * 20))
    assert "such as 'Red'; it knows" in text and "; so are most of code: are they" in text


@pytest.mark.parametrize(
    "colors",
    [
        ["Red"] * 19, ["Red"] * 19 + [None] * 100, ["Red"] * 20 + ["red"] * 20, ["red"] * 40, [None] * 40,
        ["red"] * 1000 + ["Red"] * 5000,
    ],
)  # fmt: skip
def test_nothing_is_said_of_few_of_half_and_of_what_stands_behind_the_first_thousand(
    predictor: Predictor, colors: list[Any]
) -> None:
    assert said(predictor, columns(colors)) == []


def test_rows_without_names_are_not_looked_at(predictor: Predictor) -> None:
    rows = [list(row) for row in zip(*columns(["Red"] * 30).values(), strict=True)]
    assert said(predictor, rows) == []


def test_the_first_batch_is_looked_at(predictor: Predictor) -> None:
    batches = [columns(["Red"] * 20), columns(["Blue"] * 20)]
    with pytest.warns(UnknownCategoriesWarning, match="'Red'") as found:
        list(predict_batches(predictor, batches))
    assert len(found) == 1
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.warns(UnknownCategoriesWarning, match="'Red'") as found:
        list(predict_batches(predictor, [pyarrow.RecordBatch.from_pydict(batch) for batch in batches]))
    assert len(found) == 1


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_the_command_line_says_one_line_of_the_first_chunk(
    parity, mixed_package: Path, tmp_path: Path, command: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(csv_of(columns(["Red", "Green"] * 15, sold=["yes", "no"] * 15)))
    done = parity(command, mixed_package, table, *(["--target", "sold"] if command == "evaluate" else []))
    lines = [line for line in done.err.splitlines() if "unknown to the model" in line]
    assert done.code == 0 and len(lines) == 1
    assert lines[0].startswith("parity: ") and "t.csv: 30 of 30 cells of color are unknown to the model" in lines[0]
    assert (
        "such as 'Red' and 'Green'; it knows 'red' and 'green': are they spelled as in the training table?" in lines[0]
    )
    assert "pandas" not in lines[0]
    table.write_text(csv_of(columns(["red", "Green"] * 15, sold=["yes", "no"] * 15)))
    done = parity(command, mixed_package, table, *(["--target", "sold"] if command == "evaluate" else []))
    assert done.code == 0 and "unknown to the model" not in done.err


def test_later_chunks_are_not_looked_at_again(parity, mixed_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(csv_of(columns(["Red"] * 90)))
    done = parity("predict", mixed_package, tmp_path / "t.csv", "--batch-size", "30", "--threads", "2")
    assert done.code == 0 and done.err.count("30 of 30 cells of color are unknown") == 1


@pytest.fixture(params=[("False", "True"), ("false", "true"), ("TRUE", "FALSE")])
def truth_package(request: pytest.FixtureRequest, tmp_path: Path, mixed_package: Path) -> Path:
    """A bare model whose classes are truth values, spelled as one likes."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(mixed_package / "model.onnx")
    (entry,) = [entry for entry in model.metadata_props if entry.key == "parity.contract"]
    entry.value = json.dumps(json.loads(entry.value) | {"classes": list(request.param), "positive": request.param[1]})
    onnx.save(model, tmp_path / "truth.onnx")
    return tmp_path / "truth.onnx"


@pytest.mark.filterwarnings("ignore::parity_runtime.package.loader.UncheckedModelWarning")
def test_truth_values_are_classes_in_any_spelling(parity, truth_package: Path, tmp_path: Path) -> None:
    predictor = Predictor(truth_package)
    rows = columns(["red", "green", "crème brûlée", "zz"], size=[0.0, 9.0, 3.0, 100.0])
    answers = [str(answer).lower() == "true" for answer in predictor.predict(rows)]
    spelled = [["TRUE", "tRue", "true", " True "][place] if yes else "False" for place, yes in enumerate(answers)]
    truths = [
        np.array(answers),
        answers,
        np.array(answers, object),
        spelled,
        np.array(spelled),
        predictor.predict(rows),
    ]
    for truth in truths:
        assert predictor.score(rows, truth) == 1
    assert predictor.score(rows, ~np.array(answers)) == 0
    pandas = pytest.importorskip("pandas")
    for dtype in ("bool", "boolean", "object"):
        assert predictor.score(rows, pandas.Series(answers, dtype=dtype)) == 1
    (tmp_path / "t.csv").write_text(csv_of(rows | {"sold": spelled}))
    lines = [json.dumps({name: cells[row] for name, cells in rows.items()} | {"sold": yes})
             for row, yes in enumerate(answers)]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    pandas.DataFrame(rows | {"sold": answers}).to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.jsonl", "t.parquet"):
        done = parity("evaluate", truth_package, tmp_path / name, "--target", "sold", "--json")
        assert done.code == 0 and json.loads(done.out)["accuracy"] == 1, done
    (tmp_path / "t.csv").write_text(csv_of(rows | {"sold": ["true", "false", "maybe", "true"]}))
    refused = parity("evaluate", truth_package, tmp_path / "t.csv", "--target", "sold")
    assert refused.is_refused(1, "row 3: sold is 'maybe', not a class of")


def test_other_classes_are_taken_as_they_are_spelled(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="the truth holds bool"):
        predictor.score(columns(["red"]), [True])
    assert predictor.score(columns(["red"]), ["YES"]) == 0
    assert as_classes(np.array([True]), ("true", "false", "maybe")).tolist() == [True]


def test_a_data_frames_name_may_have_white_space_around_it(predictor: Predictor) -> None:
    pandas = pytest.importorskip("pandas")
    rows = columns(KNOWN)
    frame = pandas.DataFrame(rows).rename(columns={"color": " color", "size": "size\t "})
    assert predictor.predict(frame).tolist() == predictor.predict(rows).tolist()
    assert predictor.predict(frame.assign(color="red")).tolist() == predictor.predict(columns(["red"] * 3)).tolist()
    with pytest.raises(InputError, match="the column 'color' is missing"):
        predictor.predict(frame.assign(**{"color ": "red"}))


def test_a_spreadsheet_with_decimal_commas_gets_decimal_commas(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1;x2\n0,25;1\n0;0,75\n")
    (tmp_path / "p.csv").write_text("x1;x2\n0.25;1\n0;0.75\n")
    (tmp_path / "q.csv").write_text('x1,x2\n"0,25",1\n0,"0,75"\n')
    told, plain = (parity("predict", xor_package, tmp_path / name).out.splitlines() for name in ("t.csv", "p.csv"))
    assert "." not in "".join(told[1:]) and told == [line.replace(".", ",") for line in plain]
    quoted = parity("predict", xor_package, tmp_path / "q.csv", "--decimal", ",", "--columns", "probability_1")
    wanted = [f'"{line.split(";")[-1]}"' for line in told[1:]]
    assert quoted.out.splitlines() == ["probability_1", *wanted]
    (tmp_path / "out.csv").write_text("\n".join(told) + "\n")
    again = parity("evaluate", xor_package, tmp_path / "out.csv", "--target", "label", "--json")
    assert again.code == 0 and json.loads(again.out)["accuracy"] == 1


def test_a_missing_cell_has_a_way_out_that_works(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n0,\n")
    way_out = "--errors null leaves the predictions of such rows empty"
    assert parity("predict", xor_package, tmp_path / "t.csv").is_refused(1, "row 2: x2 is missing", way_out)
    done = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "null")
    assert done.code == 0 and done.out.splitlines()[2] == "0,,,,"
    assert way_out not in done.err
    with pytest.raises(InputError) as found:
        Predictor(xor_package).predict([[0.0, np.nan]])
    assert "errors" not in str(found.value)
