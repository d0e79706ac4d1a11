"""Tables longer than the rows that kinds are told from, and so wide that a message would be cut."""

import shlex
import time
from pathlib import Path

import pytest

from parity_runtime import InputError
from parity_training import TableDataset, TableSettings, table_data
from parity_training.data.column_kinds import HEAD_ROWS

LONG = HEAD_ROWS + 3000


def written(path: Path, header: str, lines: list[str]) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def read(path: Path, **settings: object) -> TableDataset:
    return TableDataset(path, TableSettings("y", **settings))  # type: ignore[arg-type]


def test_text_of_many_values_is_kept_where_a_long_table_repeats_it(tmp_path: Path) -> None:
    lines = [f"street {row % 50_000},{row % 7},{row % 13}.5" for row in range(LONG)]  # 76 % of the first rows
    dataset = read(written(tmp_path / "t.csv", "x,size,y", lines))
    assert dataset.features == ("x", "size") and not dataset.columns.left_out


@pytest.mark.parametrize(
    ("values", "rows", "said"),
    [
        (64_000, LONG, f"of the cells of its first {HEAD_ROWS:,} rows are different; categorical=('x',) keeps it"),
        (LONG, LONG, f"no value of its first {HEAD_ROWS:,} rows repeats; categorical=('x',) keeps it, if later"),
        (1900, 3000, "more than half of its cells are different; categorical=('x',) keeps it"),
        (3000, 3000, "no value of it repeats, so that none of them can be learned"),
    ],
)  # fmt: skip
def test_an_identifier_is_said_of_the_rows_that_were_looked_at(
    tmp_path: Path, values: int, rows: int, said: str
) -> None:
    lines = [f"person {row % values},{row % 7},{row % 13}.5" for row in range(rows)]
    (left_out,) = read(written(tmp_path / "t.csv", "x,size,y", lines)).columns.left_out
    assert (left_out.name, left_out.why) == ("x", "identifier") and said in left_out.said


@pytest.mark.parametrize(("cell", "quote"), [("00501", ""), (" 00501", ""), ("00501", '"')])
def test_a_code_behind_the_first_rows_of_numbers_keeps_its_zeros(tmp_path: Path, cell: str, quote: str) -> None:
    zips = [str(10_000 + row % 90) for row in range(LONG)]
    zips[LONG - 70 : LONG - 50] = [cell] * 20
    lines = [f"{quote}{zips[row]}{quote},0.{row % 13},{row % 13}.5" for row in range(LONG)]
    path = written(tmp_path / "t.csv", "zip,size,y", lines)
    with pytest.raises(InputError) as found:
        read(path)
    assert f"row {LONG - 69}: zip is {cell!r}, a number that begins with a zero" in str(found.value)
    assert "categorical=('zip',)" in str(found.value) and "numeric=('zip',)" in str(found.value)
    assert read(path, numeric=("zip",)).kinds["zip"].kind == "numeric"
    settings = TableSettings("y", categorical=("zip",))
    dataset = TableDataset(path, settings)
    assert dataset.kinds["zip"].kind == "categorical"
    assert cell in table_data(dataset, settings, "t").contract.features[0].categories


def test_decimals_and_other_columns_may_begin_with_zeros(tmp_path: Path) -> None:
    lines = [f"{row % 7},{row % 5}.25,x{row % 3},{row % 13}.5" for row in range(HEAD_ROWS)]
    lines += [f"{row % 7},00.25,007,{row % 13}.5" for row in range(3000)]
    kinds = read(written(tmp_path / "t.csv", "count,share,x,y", lines)).kinds
    assert [found.kind for found in kinds.values()] == ["numeric", "numeric", "categorical"]


def test_the_command_for_hundreds_of_columns_is_whole_and_made_soon(parity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = [f"amount_of_column_{place}" for place in range(300)]
    lines = [",".join([*["?" if row == 99 else str(row % 7)] * 300, f"{row % 13}.5"]) for row in range(2000)]
    path = written(tmp_path / "t.csv", ",".join([*names, "y"]), lines)
    lines[99] = ",".join([*(f"odd {place}" for place in range(300)), "1.5"])
    lines[100] = ",".join([*(f"strange {place}" for place in range(300)), "1.5"])
    lines[101:107] = [",".join([*(f"{word} {place}" for place in range(300)), "1.5"]) for word in "abcdef"]
    written(path, ",".join([*names, "y"]), lines)
    command = ("train", path, "--target", "y", "--out", tmp_path / "run", "--epochs", 1)
    began = time.monotonic()
    refused = parity(*command)
    assert time.monotonic() - began < 60  # the whole table for each column took minutes
    assert refused.code == 1 and "300 columns cannot be read" in refused.err
    told = shlex.split(refused.err.partition("; this reads the table: ")[2])
    assert told[:2] == ["parity", "train"] and set(names) <= set(told[told.index("--drop-columns") + 1].split(","))


def test_truth_values_that_end_behind_the_first_rows_are_refused_with_a_way_out_that_was_not_given(
    tmp_path: Path,
) -> None:
    lines = [f"{row % 3 == 0},{row % 7},{row % 13}.5" for row in range(LONG)]
    lines[LONG - 9] = "maybe,1,1.5"
    path = written(tmp_path / "t.csv", "x,size,y", lines)
    for settings, way_out in (({}, "categorical=('x',)"), ({"categorical": ("x",)}, "drop_columns=('x',)")):
        with pytest.raises(InputError) as found:
            read(path, **settings)
        assert f"row {LONG - 8}: x is 'maybe', neither true nor false" in str(found.value)
        assert way_out in str(found.value)
        assert ("take the column as text" in str(found.value)) == (not settings)
