"""Rows outside what a model has seen in training: named, marked or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor
from tests.runtime.protobuf import metadata

ADDED = "label,probability_0,probability_1"


@pytest.fixture
def ends(xor_package: Path) -> tuple[float, float]:
    """The low and the high of x1, as training saw them."""
    low, high = Predictor(xor_package).contract.columns[0].range or (np.nan, np.nan)
    assert low < 0 and high > 1
    return low, high


def ranged(package: Path, name: str, low: float | None, high: float | None, **changes: object) -> Predictor:
    """Return a bare model whose contract says so of one feature."""
    contract = json.loads((package / "contract.json").read_text())
    feature = next(feature for feature in contract["features"] if feature["name"] == name)
    feature.update(low=low, high=high, **changes)
    path = package / "bare.onnx"
    path.write_bytes((package / "model.onnx").read_bytes() + metadata("parity.contract", json.dumps(contract)))
    with pytest.warns(UserWarning, match="no digests"):
        return Predictor(path)


def test_each_cell_is_told(xor_package: Path, ends: tuple[float, float]) -> None:
    predictor = Predictor(xor_package)
    rows = np.array([[0, 1], [1e30, 0], [0, -1e30], [-9, 9], ends], np.float32)
    found = predictor.out_of_range(rows)
    assert found.dtype == bool
    assert found[:4].tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert (found == predictor.out_of_range({"x2": rows[:, 1], "x1": rows[:, 0]})).all()
    assert predictor.out_of_range(np.zeros((0, 2))).shape == (0, 2)


def test_the_extremes_of_training_are_inside_and_their_neighbours_are_not(
    xor_package: Path, ends: tuple[float, float]
) -> None:
    predictor = Predictor(xor_package)
    low, high = np.array(ends, np.float32)
    beyond = [[np.nextafter(low, np.float32(-9)), 0], [np.nextafter(high, np.float32(9)), 0]]
    assert not predictor.out_of_range([[low, 0], [high, 0]]).any()
    assert predictor.out_of_range(beyond)[:, 0].all()


def test_an_end_that_float32_rounds_inwards_is_rounded_as_the_cells_are(package_copy, xor_package: Path) -> None:
    predictor = ranged(package_copy(xor_package), "x1", -0.1, 0.1)  # float32(0.1) is above 0.1
    assert not predictor.out_of_range([[0.1, 0], [-0.1, 0]]).any()


def test_missing_cells_and_unknown_ranges_are_not_outside(package_copy, species_package: Path) -> None:
    predictor = ranged(package_copy(species_package), "b", -1.0, 1.0, missing="impute")
    found = predictor.out_of_range([[9, 0, 9, 9], [0, np.nan, 0, 0], [0, 2, 0, 0]])
    assert found.tolist() == [[False] * 4, [False] * 4, [False, True, False, False]]


@pytest.mark.parametrize("name", ["species_package", "series_package"])
def test_without_any_range_nothing_can_be_said(name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(InputError, match="does not record the range of the training rows"):
        Predictor(request.getfixturevalue(name)).out_of_range([[0, 0, 0, 0]])


@pytest.fixture
def table(tmp_path: Path, ends: tuple[float, float]) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(f"id,x1,x2\na,0,1\nb,1e30,0\nc,,1\nd,{ends[1]},-7\ne,{ends[0]},1\n")
    return path


def cells(text: str, column: str) -> list[str]:
    header, *lines = (line.split(",") for line in text.splitlines())
    return [line[header.index(column)] for line in lines]


def test_a_column_marks_them(parity, xor_package: Path, table: Path) -> None:
    answer = parity("predict", xor_package, table, "--errors", "null", "--out-of-range", "mark")
    assert answer.out.splitlines()[0] == f"id,x1,x2,{ADDED},out_of_range"
    assert cells(answer.out, "out_of_range") == ["false", "true", "", "true", "false"]
    plain = parity("predict", xor_package, table, "--errors", "null")
    assert cells(plain.out, "probability_1") == cells(answer.out, "probability_1")
    assert plain.out.splitlines()[0] == f"id,x1,x2,{ADDED}"
    only = parity("predict", xor_package, "--row", "0,9", "--out-of-range", "mark", "--columns", "out_of_range")
    assert only.out == "out_of_range\ntrue\n"


def test_the_proof_stands_before_the_mark(parity, certified_package: Path) -> None:
    answer = parity("predict", certified_package, "--row", "-9,0", "--certified", "--out-of-range", "mark")
    assert answer.out.splitlines()[0] == f"x1,x2,{ADDED},certified,out_of_range"


@pytest.mark.parametrize(("errors", "ids"), [("skip", ["a", "e"]), ("null", ["a", "b", "c", "d", "e"])])
def test_they_are_refused_as_errors_says(parity, xor_package: Path, table: Path, errors: str, ids: list[str]) -> None:
    answer = parity("predict", xor_package, table, "--errors", errors, "--out-of-range", "refuse")
    assert (answer.code, cells(answer.out, "id")) == (0, ids)
    assert [bool(cell) for cell in cells(answer.out, "label")] == [name in ("a", "e") for name in ids]
    assert "row 2: x1 is '1e30', outside what the model has seen in training, -0.32" in answer.err
    assert "row 4: x2 is '-7', outside" in answer.err and "3 rows were left" in answer.err


def test_the_first_one_stops_the_job(parity, xor_package: Path, table: Path) -> None:
    answer = parity("predict", xor_package, table, "--out-of-range", "refuse")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.count("\n") == 1 and "row 2: x1 is '1e30', outside" in answer.err
    assert "--errors skip leaves such rows out, --out-of-range mark predicts and marks them" in answer.err


def test_every_format_holds_the_mark(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"x1": 0, "x2": 1}\n{"x1": 5, "x2": 1}\n')
    lines = parity("predict", xor_package, tmp_path / "t.jsonl", "--out-of-range", "mark").out.splitlines()
    assert [json.loads(line)["out_of_range"] for line in lines] == [False, True]
    np.save(tmp_path / "t.npy", np.array([[0, 1], [5, 1]], np.float32))
    parity("predict", xor_package, tmp_path / "t.npy", "--out-of-range", "mark", "--out", tmp_path / "s.npy")
    assert np.load(tmp_path / "s.npy")["out_of_range"].tolist() == [False, True]


@pytest.mark.parametrize("choice", ["mark", "refuse"])
def test_a_contract_without_ranges_is_one_sentence(parity, species_package: Path, choice: str) -> None:
    answer = parity("predict", species_package, "--row", "0,0,0,0", "--out-of-range", choice)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("parity: the contract of species does not record the range of the training rows")


def test_a_column_of_that_name_is_not_lost(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2,out_of_range\n0,1,x\n")
    answer = parity("predict", xor_package, tmp_path / "t.csv", "--out-of-range", "mark")
    assert answer.code == 1 and "has a column 'out_of_range' already" in answer.err
    assert parity("predict", xor_package, tmp_path / "t.csv").code == 0
