"""Cells of every kind out of every format: categories, codes, truth values and moments."""

import datetime
import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from parity_runtime import Feature, InputError, ModelContract, TensorSpec
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.tables.cell_values import PLAIN, CellValues
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_file import csv_chunks
from parity_runtime.tables.feature_columns import chunk_inputs, read_inputs
from parity_runtime.tables.json_lines import json_chunks
from parity_runtime.tables.timestamp_cells import timestamp_array, timestamp_texts, timestamp_values
from parity_runtime.tables.typed_rows import TypedRows

EVE = 1577836800  # 2020-01-01T00:00:00Z


def csv_of(text: str, values: CellValues = PLAIN) -> Chunk:
    chunk = next(csv_chunks(BytesIO(text.encode()), "t.csv", None))
    chunk.values = values
    return chunk


def json_of(*rows: dict[str, Any]) -> Chunk:
    return next(json_chunks(BytesIO(b"\n".join(json.dumps(row).encode() for row in rows)), "t.jsonl", None))


def arrow_of(**columns: Any) -> Chunk:
    pyarrow = pytest.importorskip("pyarrow")
    from parity_runtime.tables.arrow_file import ArrowChunk

    return ArrowChunk("t.parquet", pyarrow.RecordBatch.from_pydict(columns), 1)


def test_text_is_taken_as_it_stands_and_words_for_nothing_are_missing() -> None:
    for text in (
        "c,x\na,1\n a ,1\nÉ,1\nE\u0301,1\n NA ,1\n,1\ntrue,1\n",
        'c,x\n"a",1\n" a ",1\nÉ,1\nE\u0301,1\n NA ,1\n"",1\ntrue,1\n',
    ):
        assert csv_of(text).categories("c").tolist() == ["a", " a ", "É", "E\u0301", "", "", "true"]
    told = csv_of("c,x\nNA,1\nnone,1\n", CellValues(("none",)))
    assert told.categories("c").tolist() == ["NA", ""]
    typed = TypedRows("--row", ["c"], [["NA"], ["a,b"]], PLAIN)
    assert typed.categories("c").tolist() == ["", "a,b"]


def test_a_code_is_the_same_text_however_it_arrives() -> None:
    cells = ["3", "3.0", "3.000", "3.", "-7", "-0", "007", "3.5", "abc", "+3", "1e3"]
    wanted = ["3", "3", "3", "3", "-7", "0", "007", "3.5", "abc", "+3", "1e3"]
    assert csv_of("c\n" + "\n".join(cells)).categories("c", "code").tolist() == wanted
    assert csv_of("c,x\n ?,1\n 3 ,1\n-,1").categories("c", "code").tolist() == ["", "3", ""]
    assert csv_of("c\n-999.0\n3\n", CellValues(("-999",))).categories("c", "code").tolist() == ["", "3"]
    comma = CellValues(decimal=",")
    assert csv_of("c;x\n3,0;1\n3.0;1\n", comma).categories("c", "code").tolist() == ["3", "3.0"]
    values = [3, 3.0, "3", "3.0", True, 3.5, None, 10**20, 1e20]
    wanted = ["3", "3", "3", "3", "true", "3.5", "", str(10**20), str(10**20)]
    assert json_of(*({"c": value} for value in values)).categories("c", "code").tolist() == wanted


def test_json_values_as_categories() -> None:
    values = ["a", "NA", None, True, False, 3, 3.0, 0.5, [1, "x"]]
    wanted = ["a", "", "", "true", "false", "3", "3", "0.5", '[1, "x"]']
    assert json_of(*({"c": value} for value in values)).categories("c").tolist() == wanted


def test_arrow_columns_as_categories() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    text = pyarrow.array(["a", None, "NA", "b", "a"])
    chunk = arrow_of(
        text=text, large=text.cast(pyarrow.large_string()), view=pyarrow.array(text.to_pylist(), pyarrow.string_view()),
        words=text.dictionary_encode(), sliced=pyarrow.array(["z", *text.to_pylist()]).dictionary_encode()[1:],
    )  # fmt: skip
    for name in chunk.columns:
        assert chunk.categories(name).tolist() == ["a", "", "", "b", "a"], name
    chunk = arrow_of(
        numbers=[3, None, -1], floats=[3.0, None, 0.5], narrow=pyarrow.array([3, None, 0.1], pyarrow.float32()),
        flags=[True, None, False], decimals=[Decimal("3.00"), None, Decimal("0.50")], nothing=pyarrow.nulls(3),
        codes=pyarrow.array([3.0, None, 3.0]).dictionary_encode(),
    )  # fmt: skip
    wanted = {
        "numbers": ["3", "", "-1"], "floats": ["3", "", "0.5"], "narrow": ["3", "", "0.1"],
        "flags": ["true", "", "false"], "decimals": ["3", "", "0.50"], "nothing": ["", "", ""], "codes": ["3", "", "3"],
    }  # fmt: skip
    assert {name: chunk.categories(name, "code").tolist() for name in chunk.columns} == wanted
    with pytest.raises(InputError, match=r"t\.parquet: l holds list<.*>, not text"):
        arrow_of(l=[[1]]).categories("l")
    with pytest.raises(InputError, match=r"t\.parquet: l holds binary, not text"):
        arrow_of(l=[b"a"]).categories("l")


MOMENTS = {
    "2020-01-01": EVE, " 2020-01-01 ": EVE, "2020-01-01T00:00": EVE, "2020-01-01 00:00:00": EVE,
    "2020-01-01t00:00:00z": EVE, "2020-01-01T00:00:00Z": EVE, "2020-01-01T00:00:00.999999999": EVE,
    "2020-01-01T00:00:00,5": EVE, "2020-01-01T00:00:00.999Z": EVE, "2020-01-01T02:00:00+02:00": EVE,
    "2020-01-01T02:00:00+0200": EVE, "2020-01-01T02:00+02": EVE, "2019-12-31 19:30:00.25-04:30": EVE,
    "1970-01-01": 0, "1969-12-31T23:59:59.5": -1, "1969-12-31 23:59:59.500000000Z": -1, "1900-02-28": -2203977600,
    "2000-02-29": 951782400, "0001-01-01": -62135596800, "9999-12-31T23:59:59.9": 253402300799,
    "": MISSING_TIMESTAMP, "NA": MISSING_TIMESTAMP, " null": MISSING_TIMESTAMP,
}  # fmt: skip
NO_MOMENTS = (
    "2020-02-30", "1900-02-29", "2020-13-01", "2020-00-01", "2020-01-00", "0000-01-01", "10000-01-01", "20-01-01",
    "2020-01-01T24:00:00", "2020-01-01T00:60:00", "2020-01-01T00:00:60", "2020-01-01T00:00:00+24:00", "2020-01-01Z",
    "2020-01-01T00:00:00+02:60", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2020-1-1", "20200101",
    "2020-01-01T00:00:00 +", "31.12.2020", "now", "today", "1577836800", "2020-W01-1", "\uff12020-01-01", "2020-01-01x",
    "2020-01-01T00:00:00.", "-020-01-01", "2020-01-01T00:00:00+02:",
)  # fmt: skip


def test_iso_dates() -> None:
    seconds, odd = timestamp_texts([*MOMENTS, *NO_MOMENTS], None, PLAIN)
    assert dict(zip(MOMENTS, seconds.tolist(), strict=False)) == MOMENTS
    assert odd == list(range(len(MOMENTS), len(MOMENTS) + len(NO_MOMENTS)))
    assert set(seconds[odd].tolist()) == {MISSING_TIMESTAMP}


def test_dates_are_those_of_numpy() -> None:
    some = np.random.default_rng(0).integers(-62135596800, 253402300800, 20_000)
    texts = [str(moment) for moment in some.astype("datetime64[s]")]
    assert (timestamp_texts(texts, None, PLAIN)[0] == some).all()
    fractions = [f"{text.replace('T', ' ')}.{place % 1000:03}" for place, text in enumerate(texts)]
    assert (timestamp_texts(fractions, None, PLAIN)[0] == some).all()


@pytest.mark.parametrize(
    "form", ["%d.%m.%Y", "%m/%d/%Y %H:%M", "%Y%m%d", "%d %b %Y", "%d/%m/%y", "%Y-%m-%dT%H:%M:%S%z"]
)
def test_dates_in_a_format_of_their_own(form: str) -> None:
    days = [
        datetime.datetime(1969, 1, 1, 13, 45, 7, tzinfo=datetime.UTC) + datetime.timedelta(days=7 * k)
        for k in range(300)
    ]
    texts = [day.strftime(form) for day in days]
    wanted = []
    for text in texts:
        read = datetime.datetime.strptime(text, form)
        wanted.append(int((read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()))
    seconds, odd = timestamp_texts([*texts, "NA", "2020-02-30"], form, PLAIN)
    assert seconds[:-2].tolist() == wanted and seconds[-2] == MISSING_TIMESTAMP and odd == [len(texts) + 1]


def test_a_word_for_nothing_may_look_like_a_date() -> None:
    assert timestamp_texts(["1900-01-01"], None, CellValues(("1900-01-01",)))[0].tolist() == [MISSING_TIMESTAMP]


def test_typed_dates() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moments = [np.datetime64("2020-01-01T00:00:00.9"), datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)]
    moments += [datetime.datetime(2020, 1, 1, 2, tzinfo=zone), "2020-01-01"]
    cells = [None, float("nan"), np.datetime64("NaT"), *moments, 5, True, b"2020-01-01"]
    seconds, odd = timestamp_values(cells, None, PLAIN)
    assert seconds.tolist() == [MISSING_TIMESTAMP] * 3 + [EVE] * 5 + [MISSING_TIMESTAMP] * 3 and odd == [8, 9, 10]


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "us", "ns"])
def test_datetime64_of_every_unit(unit: str) -> None:
    moments = np.array(["2020-01-01", "1969-12-31", "NaT"], f"datetime64[{unit}]")
    assert timestamp_array(moments)[0].tolist() == [EVE, -86400, MISSING_TIMESTAMP] and not timestamp_array(moments)[1]
    if unit != "ns":  # whose years end in 2262
        beyond = np.array([2**62, -(2**62), 0], f"datetime64[{unit}]")
        assert timestamp_array(beyond)[1] == [0, 1]


def test_arrow_dates() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    naive = [datetime.datetime(2020, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 500000), None]
    columns = {
        f"in_{unit}": pyarrow.array(naive).cast(pyarrow.timestamp(unit), safe=False) for unit in ("s", "ms", "us", "ns")
    }
    text = pyarrow.array(["2020-01-01T00:00:00Z", "1969-12-31T23:59:59.5", None])
    zoned = pyarrow.array([EVE, -1, None], pyarrow.timestamp("s", "Europe/Berlin"))
    columns |= {"zoned": zoned, "text": text, "words": text.dictionary_encode()}
    chunk = arrow_of(**columns)
    for name in set(columns) - {"in_s"}:  # pyarrow itself rounds towards zero there
        seconds, refused = chunk.timestamps(name)
        assert seconds.tolist() == [EVE, -1, MISSING_TIMESTAMP] and not refused, name
    days = pyarrow.array([datetime.date(2020, 1, 1), datetime.date(1969, 12, 31), None])
    chunk = arrow_of(
        days=days, wide=days.cast(pyarrow.date64()), far=pyarrow.array([2**60, 0, None], pyarrow.timestamp("s"))
    )
    assert (
        chunk.timestamps("days")[0].tolist() == chunk.timestamps("wide")[0].tolist() == [EVE, -86400, MISSING_TIMESTAMP]
    )
    assert list(chunk.timestamps("far")[1]) == [0]
    with pytest.raises(InputError, match=r"t\.parquet: n holds int64, not dates"):
        arrow_of(n=[1]).timestamps("n")


def test_a_cell_that_is_no_date_is_refused_by_its_row_with_the_way_out() -> None:
    _, refused = csv_of("when,x\n2020-01-01,1\n31.12.2020,1\n").timestamps("when")
    way_out = "write it as 2024-12-31 or 2024-12-31T23:59:59Z"
    assert refused == {1: (f"when is '31.12.2020', not a date of the years 1 to 9999 in ISO 8601; {way_out}", "when")}
    _, refused = csv_of("when,x\n2020-01-01,1\n").timestamps("when", "%d.%m.%Y")
    assert refused[0].problem.endswith(
        "not a date in the format '%d.%m.%Y' of the training data; write it as 31.12.2024"
    )
    assert json_of({"when": 5}).timestamps("when")[1][0].problem.startswith("when is 5, not a date")


def test_truth_values() -> None:
    cells = ["true", "TRUE", "True", "tRuE", "false", "False", "1", "0", "1.0", "0.0", "NA"]
    numbers, refused = csv_of("b,x\n" + "".join(f"{cell},1\n" for cell in [*cells, "", " true ", "2", "yes"])).booleans(
        "b"
    )
    assert np.array_equal(numbers, [1, 1, 1, 1, 0, 0, 1, 0, 1, 0, np.nan, np.nan, 1, np.nan, np.nan], equal_nan=True)
    assert refused[13].problem == "b is '2', neither true nor false (nor 1 or 0)" and refused[14].column == "b"
    numbers, refused = json_of(*({"b": value} for value in (True, False, 1, 0.0, "true", None, 2))).booleans("b")
    assert np.array_equal(numbers, [1, 0, 1, 0, 1, np.nan, np.nan], equal_nan=True) and list(refused) == [6]
    chunk = arrow_of(b=[True, False, None], i=[1, 0, None], f=[1.0, 0.5, None], t=["true", "no", None])
    assert np.array_equal(chunk.booleans("b")[0], [1, 0, np.nan], equal_nan=True)
    assert np.array_equal(chunk.booleans("i")[0], [1, 0, np.nan], equal_nan=True)
    assert list(chunk.booleans("f")[1]) == list(chunk.booleans("t")[1]) == [1]


MIXED = ModelContract(
    "mixed", "regression",
    (
        TensorSpec("features", "float32", ("batch", 2)), TensorSpec("categories", "string", ("batch", 2)),
        TensorSpec("timestamps", "int64", ("batch", 1)),
    ),
    (TensorSpec("value", "float32", ("batch", 1)),),
    (
        Feature("color", "categories", 0, "categorical", "impute", categories=("red",)),
        Feature("size", "features", 0, missing="refuse"),
        Feature("when", "timestamps", 0, "datetime", "impute"),
        Feature("new", "features", 1, "boolean", "impute"),
        Feature("code", "categories", 1, "code", "impute", categories=("3",)),
    ),
    ("price",),
)  # fmt: skip


def test_rows_become_the_arrays_of_the_graphs_inputs() -> None:
    text = "code,when,color,size,new,other\n3.0,2020-01-01,red,1.5,true,?\n,,,2,,\n"
    for chunk in (csv_of(text), csv_of(text.replace("red", '"red"'))):
        found = chunk_inputs(MIXED, chunk)
        assert list(found) == ["features", "categories", "timestamps"]
        assert np.array_equal(found["features"], [[1.5, 1], [2, np.nan]], equal_nan=True)
        assert found["categories"].tolist() == [["red", "3"], ["", ""]] and found["categories"].dtype == object
        assert found["timestamps"].tolist() == [[EVE], [MISSING_TIMESTAMP]]


def test_each_row_is_refused_for_its_first_fault_and_blank() -> None:
    rows = [
        "3,2020-01-01,red,1,1",
        "3,2020-01-01,red",
        "3,noon,red,x,1",
        "3,noon,red,1,1",
        "3,2020-01-01,red,,1",
        "3,2020-01-01,red,1,2",
    ]
    arrays, refused = read_inputs(MIXED, csv_of("code,when,color,size,new\n" + "\n".join(rows) + "\n"))
    assert [refused[row].problem.split(",")[0] for row in sorted(refused)] == [
        "3 cells", "size is 'x'", "when is 'noon'", "size is missing", "new is '2'",
    ]  # fmt: skip
    assert arrays["categories"][1].tolist() == ["", ""] and arrays["features"][3].tolist() == [0, 0]
    assert arrays["timestamps"][:, 0].tolist() == [EVE, *[MISSING_TIMESTAMP] * 5]
    with pytest.raises(InputError, match=r"t\.csv, row 2: 3 cells, but the header names 5 columns"):
        chunk_inputs(MIXED, csv_of("code,when,color,size,new\n" + "\n".join(rows) + "\n"))


def test_a_key_that_a_line_has_not_is_refused() -> None:
    whole = {"code": 3, "when": None, "color": "red", "size": 1, "new": True}
    _, refused = read_inputs(MIXED, json_of(whole, {key: value for key, value in whole.items() if key != "color"}))
    assert refused == {1: ("there is no 'color'", "color")}


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="t.csv has no column 'color'; it has code,.*; did you mean 'Colour'"):
        read_inputs(MIXED, csv_of('code,when,"Colour ",size,new\n3,,red,1,1\n').keep(np.ones(1, bool)))


def test_many_rows_are_read_as_few_are() -> None:
    """Above some thousand rows pyarrow reads plain CSV; quotes leave it to Python. Both must read the same text."""
    strange = [
        "a",
        "",
        " ",
        " a ",
        "É",
        "E\u0301",
        "日本",
        "NA",
        "nan",
        "null",
        "'",
        "\\",
        "\t",
        "\x01",
        "a\u2028b",
        "-1",
        "1.0",
    ]
    lines = [f"{cell};{number};2020-01-0{number % 9 + 1}" for number, cell in enumerate(strange * 300)]
    text = "c;n;when\n" + "\n".join(lines) + "\n"
    kinds: list[Any] = [("c", "categorical"), ("n", "code"), ("c", "code")]
    plain, quoted = csv_of(text), csv_of(text + '"x";1;\n').keep(np.arange(len(lines) + 1) < len(lines))
    assert "cells" not in vars(plain) and quoted.quoted  # type: ignore[attr-defined]
    for found, wanted in zip(plain.category_columns(kinds), quoted.category_columns(kinds), strict=True):
        assert found.tolist() == wanted.tolist() and {*map(type, found)} == {str}
    assert (plain.timestamps("when")[0] == quoted.timestamps("when")[0]).all()
    broken = csv_of(text + "a;1\n")
    assert broken.category_columns(kinds)[0][-1] == "" and list(broken.unreadable(["c"])) == [len(lines)]


def test_text_that_utf_8_cannot_hold_is_an_unknown_category() -> None:
    assert json_of({"c": "a\ud800"}, {"c": "\U0001f600"}).categories("c").tolist() == ["a\ufffd", "\U0001f600"]
    deep = '{"c": ' + "[" * 900 + "]" * 900 + "}"
    chunk = next(json_chunks(BytesIO(deep.encode()), "t.jsonl", None))
    assert len(chunk.categories("c")) == 1
    assert json_of({"c": 1}, {"c": [10**400]}).categories("c")[1] == f"[{10**400}]"
    lines = b'{"c": 1e400}\n{"c": [1e400]}\n'
    assert next(json_chunks(BytesIO(lines), "t.jsonl", None)).categories("c", "code").tolist() == ["inf", "[Infinity]"]
