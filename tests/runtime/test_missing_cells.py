"""A missing cell is called one, wherever it stands, and a row has one number in every message."""

import decimal
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime import FormatError, InputError, ModelContract, Predictor, predict_batches
from parity_runtime.arguments import options_are_named
from parity_runtime.inference.input_validation import table_inputs
from parity_runtime.tables import plain_numbers
from parity_runtime.tables.cell_patterns import decimal_comma, spelling
from parity_runtime.tables.cell_values import MISSING_IN_NUMBERS, MISSING_TOKENS, PLAIN, CellValues
from parity_runtime.tables.csv_file import CsvDialect, csv_chunks
from parity_runtime.tables.read_options import ReadOptions
from tests.refusals import refused_at

TOKENS = ["", " ", *MISSING_TOKENS, *MISSING_IN_NUMBERS]
SAID = "x2 is missing, and this model takes no missing cell there"


@pytest.fixture
def contract(xor_package: Path) -> ModelContract:
    return Predictor(xor_package).contract


@pytest.mark.parametrize("token", TOKENS)
def test_a_word_for_a_missing_cell_is_one_in_every_format(
    parity, xor_package: Path, tmp_path: Path, token: str
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "t.csv").write_text(f"x1,x2\n0,1\n0,{token}\n")
    (tmp_path / "q.csv").write_text(f'x1,x2\n"0",1\n0,{token}\n')
    (tmp_path / "t.jsonl").write_text(f'{{"x1": 0, "x2": 1}}\n{{"x1": 0, "x2": {json.dumps(token)}}}\n')
    parquet.write_table(pyarrow.table({"x1": [0.0, 0.0], "x2": [token, token]}), tmp_path / "t.parquet")
    for name, row in (("t.csv", 2), ("q.csv", 2), ("t.jsonl", 2), ("t.parquet", 1)):
        done = parity("predict", xor_package, tmp_path / name)
        assert done.is_refused(1, f"{name}, row {row}: {SAID}"), done
    assert parity("predict", xor_package, "--row", f"0,{token}").is_refused(1, f"--row, row 1: {SAID}")


@pytest.mark.parametrize("word", ["-nan", "+nan", "NAN", "na", "nil", "--", "nan(3)"])
def test_any_other_word_is_no_number(parity, xor_package: Path, tmp_path: Path, word: str) -> None:
    (tmp_path / "t.csv").write_text(f"x1,x2\n0,{word}\n")
    (tmp_path / "t.jsonl").write_text(f'{{"x1": 0, "x2": "{word}"}}\n')
    for name in ("t.csv", "t.jsonl"):
        assert parity("predict", xor_package, tmp_path / name).is_refused(1, f"{name}, row 1: x2 is", "not a number")
    (tmp_path / "t.csv").write_text("x1,x2\n0,NA\n")
    told = parity("predict", xor_package, tmp_path / "t.csv", "--missing-values", word)
    assert told.is_refused(1, "x2 is 'NA', not a number")


def test_an_error_of_a_row_has_its_row_its_column_and_its_file(xor_package: Path, tmp_path: Path) -> None:
    predictor = Predictor(xor_package)
    for rows in ([[0.0, 1.0], [1.0, np.nan]], {"x1": [0.0, 1.0], "x2": [1.0, None]}, {"x1": [0, 1], "x2": [1, "NA"]}):
        with pytest.raises(InputError, match=f"^row 2: {SAID}") as found:
            predictor.predict(rows)
        assert (found.value.row, found.value.column, found.value.path) == (2, "x2", None)
    copy = pickle.loads(pickle.dumps(found.value))
    told = InputError(*json.loads(json.dumps(found.value.args)))  # as Celery sends errors
    for again in (copy, told):
        assert (str(again), again.row, again.column) == (str(found.value), 2, "x2")
    with pytest.raises(InputError) as found:
        predictor.predict({"x1": [0.0]})
    assert (found.value.row, found.value.column) == (None, "x2")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_row_is_counted_over_the_whole_stream(xor_package: Path, size: int) -> None:
    predictor, bad = Predictor(xor_package), 5
    points = np.zeros((7, 2))
    points[bad - 1, 1] = np.nan
    batches = [points[start : start + size] for start in range(0, 7, size)]
    named = [{"x1": batch[:, 0], "x2": batch[:, 1]} for batch in batches]
    for source in (batches, [batch.tolist() for batch in batches], named):
        with refused_at(path=f"batch {-(-bad // size)}", row=bad, column="x2"):
            list(predict_batches(predictor, source, threads=2))


def test_a_row_is_counted_in_the_file_whatever_is_left_out(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2,label\n0,1,\n0,0,0\n1,1,NA\n1,NA,1\n")
    refused = parity("evaluate", xor_package, tmp_path / "t.csv")
    assert refused.is_refused(1, f"row 4: {SAID}")
    (tmp_path / "t.csv").write_text("x1,x2,label\n0,1,\nbad,0,?\n1,1,0\n")
    done = parity("evaluate", xor_package, tmp_path / "t.csv", "--json")
    assert (json.loads(done.out)["rows"], json.loads(done.out)["without_target"]) == (1, 2)
    (tmp_path / "t.csv").write_text("x1,x2,label\n0,1,\n")
    assert parity("evaluate", xor_package, tmp_path / "t.csv").is_refused(1, "label is missing in the only row")


def test_columns_of_objects_are_numbers_or_missing(contract: ModelContract) -> None:
    imputing = replace(contract, features=tuple(replace(feature, missing="impute") for feature in contract.features))
    cells = [1, 0.5, decimal.Decimal("0.25"), np.float32(2), None, "", "NA", float("nan"), "-", 10**400]
    with refused_at(row=10, column="x1"):
        table_inputs(imputing, {"x1": cells, "x2": cells})
    found = table_inputs(imputing, {"x1": np.array(cells[:-1], object), "x2": np.zeros(9)})["features"]
    np.testing.assert_array_equal(found[:, 0], np.array([1, 0.5, 0.25, 2, *[np.nan] * 5], np.float32))
    matrix = table_inputs(imputing, [[None, 1.0], [2.0, None]])["features"]
    np.testing.assert_array_equal(matrix, np.array([[np.nan, 1], [2, np.nan]], np.float32))
    for cell, words in (("1.5", "'1.5', which is text"), (True, "a bool"), ([1], "a list"), (1j, "a complex")):
        with pytest.raises(InputError, match=f"row 2: x1 is {words}") as refused:
            table_inputs(imputing, {"x1": np.array([1, cell, None], object), "x2": np.zeros(3)})
        assert (refused.value.row, refused.value.column) == (2, "x1")
    told = replace(imputing, missing_values=("-999", "absent"))
    found = table_inputs(told, {"x1": [-999, 1], "x2": np.array(["absent", -999.0], object)})["features"]
    np.testing.assert_array_equal(found, np.array([[np.nan, np.nan], [1, np.nan]], np.float32))


@pytest.mark.parametrize(
    "rows",
    [
        [[1, -999.0]], ((1, -999),), [[1, np.float64(-999)]], [np.array([1.0, -999])], [[1, "absent"]],
        np.array([[1, -999]], object), {"x1": [1], "x2": [-999]}, {"x1": np.ones(1), "x2": np.array([-999.0])},
    ],
)  # fmt: skip
def test_a_number_that_means_missing_is_one_in_lists_as_in_columns(contract: ModelContract, rows: Any) -> None:
    refusing = replace(contract, missing_values=("-999", "absent"))
    features = tuple(replace(feature, missing="impute") for feature in contract.features)
    found = table_inputs(replace(refusing, features=features), rows)["features"]
    np.testing.assert_array_equal(found, np.array([[1, np.nan]], np.float32))
    with refused_at(row=1, column="x2"):
        table_inputs(refusing, rows)


def test_an_array_of_numbers_is_taken_as_it_is(contract: ModelContract) -> None:
    told = replace(contract, missing_values=("-999",))
    for dtype in (np.float32, np.float64, np.int64):
        found = table_inputs(told, np.array([[1, -999]], dtype))["features"]
        np.testing.assert_array_equal(found, np.array([[1, -999]], np.float32))
    assert table_inputs(told, [])["features"].shape == (0, 2)


def test_the_words_of_a_contract_are_in_its_json_and_an_older_one_has_none(contract: ModelContract) -> None:
    assert "missing_values" not in contract.to_json()
    told = replace(contract, missing_values=("absent", "-999"))
    assert ModelContract.from_json(json.loads(json.dumps(told.to_json()))) == told
    assert ModelContract.from_json(replace(contract, missing_values=()).to_json()).missing_values == ()
    with pytest.raises(FormatError, match="missing_values"):
        ModelContract.from_json(contract.to_json() | {"missing_values": "NA"})


CELLS = st.sampled_from(
    [*TOKENS, "1", "-2.5", "1e3", "-nan", "x", "xx", "é", "1.5", ".5", "-999", "NA ", "-999.0", "."]
)


@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    missing=st.sampled_from([None, (), ("x", "xx"), ("-999", "NA"), ("1.5", "é")]),
    decimal_sign=st.sampled_from([".", ","]), delimiter=st.sampled_from([",", ";", "\t"]), fast=st.booleans(),
)  # fmt: skip
def test_a_fast_reader_reads_what_the_slow_one_reads(
    cells: list[tuple[str, str]], missing: tuple[str, ...] | None, decimal_sign: str, delimiter: str, fast: bool
) -> None:
    rows = "".join(f"{a}{delimiter}{b}\n" for a, b in cells)
    few, has = plain_numbers._FEW, plain_numbers.has_pyarrow
    dialect = CsvDialect(delimiter, ("a", "b"), CellValues(missing), decimal_sign)
    (chunk,) = csv_chunks(io.BytesIO(rows.encode()), "t", None, dialect)
    try:
        plain_numbers._FEW = 1 if fast else few
        plain_numbers.has_pyarrow = has if fast else lambda: False  # type: ignore[assignment]
        matrix, refused = chunk.read(["a", "b"])
    finally:
        plain_numbers._FEW, plain_numbers.has_pyarrow = few, has
    expected, expected_refused = chunk._read_cells(["a", "b"], [0, 1])
    assert refused == expected_refused
    kept = [row for row in range(len(chunk)) if row not in refused]
    np.testing.assert_array_equal(matrix[kept], expected[kept])


@pytest.mark.parametrize(
    ("cells", "what", "options"),
    [
        (["$1,499", "$12"], "an amount of money whose comma may", ["--thousands ,", "--decimal ,"]),
        (["1,234,567", "5,000"], "a number with separated thousands", ["--thousands ,"]),
        (["1,234.5", "5,000"], "a number with separated thousands", ["--thousands ,"]),
        (["0,500", "1,500"], "a number with a decimal comma", ["--decimal ,"]),
        (["1.234,56"], "a number with a decimal comma", ["--decimal , --thousands ."]),
        (["1 234,56", "12,5"], "a number with a decimal comma", ["--decimal , --thousands ' '"]),
        (["12\u202f345"], "a number with separated thousands", ["--thousands ' '"]),
        (["5 €", "EUR 7"], "an amount of money", ["--currency 'EUR,€'"]),
        (["45 %"], "a percentage", ["--percent"]),
        (["\u00a01288"], "a number with a space that is not an ASCII space", ["--thousands ' '"]),
        (["- 5"], "a number with a space behind its sign", ["--thousands ' '"]),
        (["1288"], "a number", ["write it as a number"]),
        (["0,5", "1,234,567"], "a number with a comma", ["write them all in one way"]),
    ],
)
def test_numbers_in_another_spelling_are_called_so_and_their_options_read_them(
    cells: list[str], what: str, options: list[str]
) -> None:
    with options_are_named():
        found = spelling(cells, PLAIN)
    assert found is not None and found.what.startswith(what)
    assert all(option in found.way_out for option in options)
    if found.options is not None:
        read = ReadOptions(**found.options).values()
        assert not np.isnan([read.number(cell) for cell in cells]).any()
        in_python = spelling(cells, PLAIN)
        assert in_python is not None and "--" not in in_python.way_out
        written = in_python.way_out.removeprefix("read it with ").removesuffix(" (45% is then 0.45)")
        assert eval(f"dict({written})") == found.options  # noqa: S307 -- the message, as it would be pasted


@pytest.mark.parametrize(
    "cells", [["Paris"], ["2024-01-02"], ["192.168.0.1"], ["1,2,3"], ["Paris", "$5"], ["a1", "b2"], ["+-5"], ["-$-5"]]
)
def test_text_is_no_number_in_another_spelling(cells: list[str]) -> None:
    assert spelling(cells, PLAIN) is None


def test_decimals_beside_it_say_what_a_comma_is() -> None:
    found = spelling(["5,000"], PLAIN, has_decimals=True)
    assert found is not None and found.way_out == "read it with thousands=','"


@pytest.mark.parametrize(
    ("values", "cell", "number"),
    [
        (CellValues(thousands=","), "1,234,567.5", 1234567.5), (CellValues(thousands=","), "12,34", None),
        (CellValues(thousands=","), "1234", 1234.0), (CellValues(thousands=" "), "1\u202f000", 1000.0),
        (CellValues(decimal=","), "0,5", 0.5), (CellValues(decimal=","), "0.5", None),
        (CellValues(decimal=",", thousands="."), "1.500", 1500.0), (CellValues(currency=("$",)), "-$5", -5.0),
        (CellValues(currency=("EUR", "€")), "5 EUR", 5.0), (CellValues(currency=("$",)), "$", None),
        (CellValues(currency=("$",)), "-$-5", None), (CellValues(percent=True), "12.3%", 0.123),
        (CellValues(percent=True), "0.5", 0.5), (PLAIN, "1_000", None), (PLAIN, "\u0663", None),
        (CellValues(("-999",)), "-999.0", np.nan), (CellValues(()), "NA", None), (CellValues(()), "?", np.nan),
    ],
)  # fmt: skip
def test_a_number_is_read_as_it_is_said_to_be_written(values: CellValues, cell: str, number: float | None) -> None:
    if number is None:
        with pytest.raises(ValueError):  # noqa: PT011 -- the caller words it
            values.number(cell)
    else:
        np.testing.assert_equal(values.number(cell), number)


def test_a_decimal_comma_is_found_where_nothing_contradicts_it() -> None:
    assert decimal_comma(["0,50", "1,500", "York, UK", "."])
    assert not decimal_comma(["1,500", "2,500"]), "these may be thousands"
    assert not decimal_comma(["0,5", "0.5"])
    assert not decimal_comma(["0,5", "1,234,567"])


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("x1;x2\n1,500;0\n2,500;1\n", [], "row 1: x1 is '1,500', a number whose comma may separate"),
        ("x1;x2\n0,5;0.5\n", [], "row 1: x1 is '0,5', a number with a decimal comma; read it with --decimal ,"),
        ("x1;x2\n0.5;1\n", ["--decimal", ","], "x1 is '0.5', a number with a decimal point; read it with --decimal ."),
        (
            "x1;x2\n1.500;0,5\n",
            [],
            "--thousands . --decimal , if 1.500 is 1500; if it is 1.500, write it with a decimal",
        ),
        ('x1,x2\n"1,000",1\n.,0\n', [], "--thousands , if 1,000 is 1000, or with --decimal , if it is 1.000"),
        ('x1,x2\n"1,000",1\n0.5,0\n', [], "a number with separated thousands; read it with --thousands ,"),
        ('x1,x2\n"1,000",1\n', [], "--thousands , if 1,000 is 1000, or with --decimal , if it is 1.000"),
        ("x1,x2\n1%,1\n", [], "x1 is '1%', a percentage; read it with --percent (45% is then 0.45)"),
    ],
)
def test_a_table_in_another_spelling_is_refused_with_its_options(
    parity, xor_package: Path, tmp_path: Path, text: str, options: list[str], words: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    done = parity("predict", xor_package, tmp_path / "t.csv", *options)
    assert done.code == 1 and done.out == "" and words in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--decimal", ";"], "--decimal is ';'"), (["--thousands", "x"], "--thousands is 'x'"),
        (["--thousands", "."], "is that --decimal ,?"), (["--currency", "5"], "not a list of signs"),
    ],
)  # fmt: skip
def test_an_option_that_is_no_spelling_is_wrong_usage(
    parity, xor_package: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n")
    done = parity("predict", xor_package, tmp_path / "t.csv", *options)
    assert done.code == 2 and words in done.err
    (tmp_path / "t.jsonl").write_text('{"x1": 0, "x2": 1}\n')
    other = parity("predict", xor_package, tmp_path / "t.jsonl", "--percent")
    assert other.code == 2 and "--percent is for CSV, not for jsonl" in other.err
