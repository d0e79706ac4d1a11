"""Rows of text, dates, truth values and numbers through a predictor, from every library that people have them in."""

import datetime
import json
import pickle
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import Feature, FormatError, InputError, ModelContract, Package, Predictor, predict_batches, verify
from parity_runtime.evaluation.benchmark import random_inputs
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.inference.input_validation import Arrays, named_inputs, table_inputs
from parity_runtime.inference.ready_inputs import ReadyInputs
from parity_runtime.tables.feature_columns import read_inputs
from parity_runtime.tables.table_file import read_table
from parity_runtime.verification.tensor_json import array_from_json, array_to_json
from parity_runtime.verification.test_vectors import VectorSet

COLUMNS: dict[str, list[Any]] = {
    "color": ["red", None, "crème brûlée", "zz"],
    "size": [1.5, None, 2, 3],
    "when": ["2020-01-01", None, "1969-12-31T23:59:59", "2000-02-29"],
    "new": [True, None, False, True],
    "code": [1, None, 10, 7],
}
ROWS = [list(row) for row in zip(*COLUMNS.values(), strict=True)]
ANSWERS = ["yes", "yes", "yes", "no"]
RENAMED = {name.replace("color", "Color"): cells for name, cells in COLUMNS.items()}
EVE = datetime.datetime(1969, 12, 31, 23, 59, 59)
MOMENTS = [datetime.datetime(2020, 1, 1), None, EVE, datetime.datetime(2000, 2, 29)]


@pytest.fixture(scope="module")
def predictor(mixed_package: Path) -> Predictor:
    return Predictor(mixed_package)


def check(predictor: Predictor, rows: Any) -> None:
    found = table_inputs(predictor.contract, rows)
    assert found["categories"].tolist() == [["red", "1"], ["", ""], ["crème brûlée", "10"], ["zz", "7"]]
    wanted = np.array([[1.5, 1], [np.nan, np.nan], [2, 0], [3, 1]], np.float32)
    assert np.array_equal(found["features"], wanted, equal_nan=True) and found["features"].dtype == np.float32
    assert found["timestamps"].tolist() == [[1577836800], [MISSING_TIMESTAMP], [-1], [951782400]]
    assert predictor.predict(rows).tolist() == ANSWERS


def test_columns_and_rows_of_python(predictor: Predictor) -> None:
    check(predictor, COLUMNS)
    check(predictor, ROWS)
    check(predictor, [tuple(row) for row in ROWS])
    check(predictor, np.array(ROWS, object))
    check(predictor, {name: np.array(cells, object) for name, cells in COLUMNS.items()} | {"other": [object()] * 4})
    check(predictor, COLUMNS | {"when": np.array(COLUMNS["when"], "datetime64[s]"), "code": ["1", "NA", "10.0", 7.0]})
    check(
        predictor,
        COLUMNS | {"when": MOMENTS, "new": ["TRUE", "", 0, 1.0], "color": np.array(["red", "", "crème brûlée", "zz"])},
    )


def test_data_frames(predictor: Predictor) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    check(predictor, frame)
    check(predictor, frame.astype(object))
    check(predictor, frame.astype({"color": "string", "code": "Int64", "new": "boolean", "size": "Float64"}))
    check(predictor, frame.astype({"new": "object"}).astype({"new": "Int64", "code": "Float64"}))
    check(predictor, frame.astype({"code": "int64[pyarrow]", "size": "double[pyarrow]", "new": "bool[pyarrow]"}))
    check(predictor, frame.astype({"color": "category", "code": "category", "new": "category"}))
    for unit in ("s", "ms", "us", "ns"):
        moments = pandas.to_datetime(frame["when"], format="ISO8601").astype(f"datetime64[{unit}]")
        check(predictor, frame.assign(when=moments))
        check(predictor, COLUMNS | {"when": pandas.DatetimeIndex(moments).tz_localize("UTC").tz_convert("Asia/Tokyo")})
        check(predictor, frame.assign(when=moments.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")))


def test_polars_and_arrow(predictor: Predictor) -> None:
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frame, moments = polars.DataFrame(COLUMNS), polars.Series("when", MOMENTS)
    check(predictor, frame)
    check(predictor, frame.with_columns(polars.col("color").cast(polars.Categorical)))
    check(predictor, frame.with_columns(moments))
    check(predictor, frame.with_columns(moments.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")))
    large = {**COLUMNS, "code": [2**53 + 1, None, 1, 2]}  # as a float it would be another number
    assert table_inputs(predictor.contract, polars.DataFrame(large))["categories"][0, 1] == str(2**53 + 1)
    table = pyarrow.table(COLUMNS)
    check(predictor, table)
    check(predictor, table.to_batches()[0])
    check(predictor, pyarrow.concat_tables([table.slice(0, 1), table.slice(1)]))
    check(predictor, table.set_column(0, "color", table["color"].dictionary_encode()))
    check(predictor, table.set_column(2, "when", pyarrow.chunked_array([pyarrow.array(MOMENTS)])))


DECIMALS: dict[str, list[Any]] = {
    "size": [Decimal("1.5"), None, Decimal(2), Decimal("3.00")],
    "new": [Decimal(1), None, Decimal("0.0"), Decimal("1.00")],
    "code": [Decimal("1.0"), None, Decimal("1E+1"), Decimal(7)],
}


def test_decimals_are_numbers(predictor: Predictor) -> None:
    check(predictor, COLUMNS | DECIMALS)
    check(predictor, [list(row) for row in zip(*(COLUMNS | DECIMALS).values(), strict=True)])
    check(predictor, {name: np.array(cells, object) for name, cells in (COLUMNS | DECIMALS).items()})
    for nothing in (Decimal("NaN"), Decimal("sNaN")):
        check(predictor, {name: [nothing if cell is None else cell for cell in cells]
                          for name, cells in (COLUMNS | DECIMALS).items()})  # fmt: skip
    odd = table_inputs(predictor.contract, COLUMNS | {"code": [Decimal("0.5"), Decimal("1E+999999"), 1, 2]})
    assert odd["categories"][:, 1].tolist() == ["0.5", "1E+999999", "1", "2"]
    large = {**COLUMNS, "code": [Decimal(2**53 + 1), None, 1, 2]}  # as a float it would be another number
    assert table_inputs(predictor.contract, large)["categories"][0, 1] == str(2**53 + 1)


@pytest.mark.parametrize("names", [("size",), ("new",), ("code",), ("size", "new", "code")])
def test_decimals_of_other_libraries_are_numbers(predictor: Predictor, names: tuple[str, ...]) -> None:
    pandas, polars, pyarrow = map(pytest.importorskip, ("pandas", "polars", "pyarrow"))
    kind = pyarrow.decimal128(10, 2)
    check(predictor, pyarrow.table(COLUMNS | {name: pyarrow.array(DECIMALS[name], kind) for name in names}))
    check(predictor, pandas.DataFrame(COLUMNS | {name: DECIMALS[name] for name in names}))
    arrow = {name: pandas.array(DECIMALS[name], dtype=pandas.ArrowDtype(kind)) for name in names}
    check(predictor, pandas.DataFrame(COLUMNS | arrow))
    decimal = polars.Decimal(10, 2)
    check(predictor, polars.DataFrame(COLUMNS | {name: polars.Series(DECIMALS[name], dtype=decimal) for name in names}))


def test_a_structured_array(predictor: Predictor) -> None:
    kinds: Any = [("color", "U20"), ("size", "f4"), ("when", "datetime64[ms]"), ("new", "?"), ("code", "i8")]
    rows = np.array([("red", 1.5, "1969-12-31T23:59:59.5", True, 1)], kinds)
    found = table_inputs(predictor.contract, rows)
    assert found["categories"].tolist() == [["red", "1"]] and found["timestamps"].tolist() == [[-1]]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([["red", 1, None, True, b"x"]], r"row 1: code is b'x' \(bytes\); decode it to text first"),
        ([ROWS[0], [["a"], 1, None, True, 1]], r"row 2: color is \['a'\] \(list\); it takes text or a whole number"),
        ([["red", 1, None, True, Fraction(3)]], r"row 1: code is 3 \(Fraction\); it takes text"),
        ([["red", Decimal("Infinity"), None, True, 1]], "row 1: size is inf; this model takes finite numbers there"),
        ([["red", 1, Decimal(5), True, 1]], r"row 1: when is 5 \(Decimal\), not a date"),
        ([["red", 1, None, Decimal("0.5"), 1]], "row 1: new is '0.5', neither true nor false"),
        ([["red", "1", None, True, 1]], "row 1: size is '1', which is text; it takes numbers"),
        ([["red", 1, 5, True, 1]], r"row 1: when is 5 \(int\), not a date .* write it as 2024-12-31"),
        ([["red", 1, "31.12.2020", True, 1]], "row 1: when is '31.12.2020', not a date"),
        ([["red", 1, None, 2, 1]], "row 1: new is '2', neither true nor false"),
        ([["red", 1, None, "yes", 1]], "row 1: new is 'yes', neither true nor false"),
        ([["red", float("inf"), None, True, 1]], "row 1: size is inf; this model takes finite numbers there"),
        ([["red", 1, None]], r"shape \[1, 3\]; each takes color, size, when, new, code"),
        (["red", "green"], r"shape \[2\]; each takes color"),
        (np.zeros((1, 5)), r"when holds float64; it takes dates; give seconds as datetime64: array.astype"),
        (COLUMNS | {"color": np.array([b"a"] * 4)}, r"color holds \|S1; it takes text"),
        (COLUMNS | {"color": np.array(["2020-01-01"] * 4, "M8[D]")}, r"color holds datetime64\[D\]; it takes text"),
        (COLUMNS | {"new": np.array(["2020-01-01"] * 4, "M8[D]")}, r"new holds datetime64\[D\]; it takes truth values"),
        (COLUMNS | {"size": [1, 2, 3]}, "the columns differ in length: .size. has 3 rows, .* has 4"),
        (RENAMED, "'color' is missing; .* did you mean 'Color'"),
    ],
)  # fmt: skip
def test_a_cell_that_is_none_is_named_by_row_and_column(predictor: Predictor, rows: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        predictor.predict(rows)


def test_array_of_bytes_in_arrow(predictor: Predictor) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(COLUMNS)
    for name, cells, problem in (("color", [b"a"] * 4, "color holds binary; it takes text"),
                                 ("when", [1] * 4, "when holds int64; it takes dates"),
                                 ("new", [[True]] * 4, "new holds list<.*>; it takes truth values")):  # fmt: skip
        with pytest.raises(InputError, match=problem):
            predictor.predict(table.set_column(table.schema.names.index(name), name, pyarrow.array(cells)))


READY = {
    "features": np.array([[1.5, 1]], np.float32),
    "categories": np.array([["red", "1"]], object),
    "timestamps": np.array([[1577836800]]),
}


def test_arrays_by_name(predictor: Predictor) -> None:
    wanted = predictor.run(READY)["logits"].tolist()
    others: list[Arrays] = [
        {"categories": np.array([["red", "1"]])},
        {"categories": np.array([["red", "1"]], object)[:, ::-1][:, ::-1]},
        {"timestamps": np.array([["2020-01-01T00:00:00.5"]], "datetime64[ms]")},
        {"timestamps": np.array([[datetime.datetime(2020, 1, 1)]], object)},
        {"features": np.array([[1.5, 1.0]])},
    ]
    for other in others:
        assert predictor.run(READY | other)["logits"].tolist() == wanted
    assert predictor.run(READY | {"categories": [["red", "1"]], "features": [[1.5, 1]]})["logits"].tolist() == wanted
    many = {name: np.repeat(array, 5000, axis=0) for name, array in READY.items()}
    assert (predictor.run(many)["logits"] == wanted).all()
    missing = READY | {
        "timestamps": np.array([["NaT"]], "datetime64[s]"),
        "features": np.full((1, 2), np.nan, np.float32),
    }
    assert np.isfinite(predictor.run(missing)["logits"]).all()


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"categories": np.array([["a", None]], object)}, 'row 1: .* holds a NoneType; a missing text is ""'),
        ({"categories": np.array([["a", "b"], ["a", 1.0]], object)}, "row 2: .* holds a float; it takes text"),
        ({"categories": [["a", b"b"]]}, "holds a bytes; it takes text"),
        ({"categories": np.zeros((1, 2))}, "input 'categories' holds float64; it takes text"),
        ({"categories": np.array([["a"]], object)}, r"shape \[1, 1\]; it takes categories: string\[batch, 2\]"),
        ({"categories": np.array([["a", "b"]] * 2, object)}, "batch = 2, but another input has 1"),
        ({"timestamps": np.array([[1.5]])}, "when is 1.5, a number that int64 cannot hold"),
        ({"timestamps": np.array([["noon"]], object)}, "'noon', which is not a timestamp"),
        ({"features": np.array([[np.inf, 1]], np.float32)}, "size is inf; this model takes finite numbers"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit(predictor: Predictor, inputs: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        predictor.run(READY | inputs)


def test_no_rows_many_rows_and_copies(predictor: Predictor) -> None:
    assert predictor.predict([]).shape == (0,) and predictor.predict_proba({name: [] for name in COLUMNS}).shape == (
        0,
        2,
    )
    empty = {name: array[:0] for name, array in READY.items()}
    assert predictor.run(empty)["logits"].shape == (0, 1)
    inputs = random_inputs(predictor.contract, 300_000)
    whole = predictor.run(inputs)
    for start in (0, 123_456):
        part = predictor.run({name: array[start : start + 1000] for name, array in inputs.items()})
        assert all(np.array_equal(part[name], whole[name][start : start + 1000]) for name in whole)
    assert pickle.loads(pickle.dumps(predictor)).predict(ROWS).tolist() == ANSWERS


def test_batches_of_any_rows(predictor: Predictor) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    batch = pyarrow.table(COLUMNS).to_batches()[0]
    *others, told = predict_batches(predictor, [ROWS, COLUMNS, READY, batch])
    assert [len(outputs["label"]) for outputs in others] == [4, 4, 1]
    assert told.column("label").to_pylist() == ANSWERS
    named = next(predict_batches(predictor, [told], prefix="again_"))
    assert named.schema.names[-3:] == ["again_label", "again_probability_no", "again_probability_yes"]
    with pytest.raises(InputError, match="has a column 'label' already; rename it, or give the added ones a prefix="):
        list(predict_batches(predictor, [told]))
    with pytest.raises(InputError, match=r"batch 2, row 5: new is '2'"):
        list(predict_batches(predictor, [ROWS, [["red", 1, None, 2, 1]]]))


def test_what_scikit_learn_asks(predictor: Predictor) -> None:
    assert predictor.feature_names_in_.tolist() == list(COLUMNS) and predictor.n_features_in_ == 5
    assert repr(predictor).endswith(
        "binary, 5 features (1 numeric, 1 boolean, 1 categorical, 1 code, 1 datetime), cpu)"
    )
    outside = predictor.out_of_range([*ROWS, ["zz", 99, "2050-01-01", True, 7]])
    assert not outside[:-1].any() and outside[-1].tolist() == [False, True, True, False, False]


def test_a_model_of_text_alone(predictor: Predictor) -> None:
    """With one input rows are read by kind all the same, and text never goes through bound memory."""
    contract = replace(predictor.contract, inputs=predictor.contract.inputs[1:2],
                       features=tuple(one for one in predictor.contract.features if one.is_text))  # fmt: skip
    assert table_inputs(contract, [["red", 1.0], [None, "x"]])["categories"].tolist() == [["red", "1"], ["", "x"]]
    assert table_inputs(contract, {"code": [3], "color": [True]})["categories"].tolist() == [["true", "3"]]


def test_vectors_carry_text_and_large_integers(mixed_package: Path, package_copy: Any) -> None:
    assert {deviation.output for deviation in verify(mixed_package).deviations} == {"label", "probabilities", "logits"}
    vectors = VectorSet.from_json(Package.open(mixed_package).read_json("conformance.json"), "conformance.json")
    assert "crème brûlée" in vectors.ordinary.inputs["categories"] and "" in vectors.ordinary.inputs["categories"]
    assert MISSING_TIMESTAMP in vectors.ordinary.inputs["timestamps"]
    told = array_to_json(np.array([[MISSING_TIMESTAMP, 2**53, 2**53 + 1, -5]]))
    assert told["data"] == [str(MISSING_TIMESTAMP), 2**53, str(2**53 + 1), -5]
    assert array_from_json(told, "here").tolist() == [[MISSING_TIMESTAMP, 2**53, 2**53 + 1, -5]]
    assert (
        array_from_json(told | {"data": [MISSING_TIMESTAMP, 2**53, 2**53 + 1, -5]}, "here")[0, 0] == MISSING_TIMESTAMP
    )
    text = array_to_json(np.array([["a", ""], ["日本", "\n"]]))
    assert text["dtype"] == "string" and array_from_json(text, "here").tolist() == [["a", ""], ["日本", "\n"]]
    for data in ([1], ["1_0"], ["+1"], ["\uff11"], [" 1"], [str(2**63)], ["1.0"], [True, "x"]):
        if data != [1]:
            with pytest.raises(FormatError, match="does not fit int64"):
                array_from_json({"dtype": "int64", "shape": [len(data)], "data": data}, "here")
        else:
            with pytest.raises(FormatError, match="does not fit string"):
                array_from_json({"dtype": "string", "shape": [1], "data": data}, "here")


def test_an_input_holds_cells_of_one_sort(predictor: Predictor) -> None:
    features = (*predictor.contract.features, Feature("n", "timestamps", 1))
    wider = tuple(
        replace(spec, shape=("batch", 2)) if spec.name == "timestamps" else spec for spec in predictor.contract.inputs
    )
    with pytest.raises(FormatError, match="'n' is numeric and in the input 'timestamps', which is int64"):
        ModelContract(**{name: getattr(predictor.contract, name) for name in ModelContract.__dataclass_fields__}
                      | {"features": features, "inputs": wider})  # fmt: skip


def test_truth_values_beside_numbers_alone(xor_package: Path) -> None:
    """An array of numbers goes to the graph as it is; columns and lists may hold truth values and their words."""
    contract = Package.open(xor_package).contract
    told = replace(
        contract, features=tuple(replace(one, kind="boolean", missing="impute") for one in contract.features)
    )
    wanted = [[1.0, 0.0], [0.0, 1.0]]
    for rows in ([[True, False], [False, 1]], [["true", "0"], ["FALSE", "1"]], np.array(wanted), np.array(wanted) > 0):
        assert table_inputs(told, rows)["features"].tolist() == wanted
    assert table_inputs(told, {"x1": np.array([True, False]), "x2": [0.0, 1]})["features"].tolist() == wanted
    assert table_inputs(told, np.array([[0.5, 2]]))["features"].tolist() == [[0.5, 2]]
    with pytest.raises(InputError, match="row 1: x2 is '2', neither true nor false"):
        table_inputs(told, [[True, 2]])


def test_features_say_what_they_are_in_short() -> None:
    many = tuple(f"category {place}" for place in range(10_000))
    told = repr(Feature("c", "categories", 0, "categorical", "impute", categories=many))
    assert (
        told.startswith("Feature('c', 'categories', 0, kind='categorical'")
        and "10000 in all" in told
        and len(told) < 300
    )


@pytest.mark.parametrize("form", ["%d %d", "%", "%Q", "\ud800", "%d.%m.%Y\0", ""])
def test_a_format_that_reads_no_date_is_refused(form: str) -> None:
    try:
        Feature("when", "timestamps", 0, "datetime", "impute", format=form)
    except FormatError as error:
        assert "reads no date" in str(error)
    else:  # it reads what it writes: nobody is surprised by an error that is not ours
        assert form == "" or "\0" in form
    with pytest.raises(FormatError, match="has no format of dates"):
        Feature("x", "features", 0, format="%d")


def test_missing_text_and_dates_where_the_model_has_no_answer(predictor: Predictor, tmp_path: Path) -> None:
    features = tuple(replace(one, missing="refuse") for one in predictor.contract.features)
    told = replace(predictor.contract, features=features)
    whole = ["red", 1.5, "2020-01-01", True, 3]
    for place, name in enumerate(COLUMNS):
        row = [None if column == place else cell for column, cell in enumerate(whole)]
        with pytest.raises(InputError, match=f"row 2: {name} is missing, and this model takes no missing cell there"):
            table_inputs(told, [whole, row])
        (tmp_path / "t.csv").write_text(",".join(COLUMNS) + "\n" + ",".join("" if c is None else str(c) for c in row))
        _, refused = read_inputs(told, read_table(str(tmp_path / "t.csv")))
        assert refused[0].problem.startswith(f"{name} is missing") and refused[0].column == name
    assert not ReadyInputs(told, 25).accept(READY) and ReadyInputs(predictor.contract, 25).accept(READY)
    with pytest.raises(InputError, match="row 1: code is missing"):
        named_inputs(told, READY | {"categories": np.array([["red", ""]], object)})


def test_float32_is_spelled_as_short_as_it_is_read_back() -> None:
    array = np.random.default_rng(0).integers(0, 2**31, 20_000).astype(np.int32).view(np.float32)
    array = np.concatenate([array[np.isfinite(array)], np.array([0.1, -0.0, 1e-45, 3.4e38], np.float32)])
    text = json.dumps(array_to_json(array)["data"])
    assert (np.array(json.loads(text), np.float32).view(np.int32) == array.view(np.int32)).all()
    assert len(text) < 17 * len(array)  # of their doubles 22
