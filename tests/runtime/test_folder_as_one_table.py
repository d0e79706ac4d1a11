"""What is counted and measured over many tables is what one table of all their rows gives."""

import json
import shutil
from pathlib import Path

import pytest

from parity_runtime import Package
from parity_runtime.drift.profile import read_profile
from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.errors import FormatError
from tests.runtime.conftest import DATA
from tests.runtime.test_drift import add_profile, profile_of
from tests.runtime.test_drift_commands import HEADER, MOVED, SAME

LIMIT = ("--fail-on", "outside:size=60%")


@pytest.fixture
def profiled(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA / "mixed", tmp_path / "profiled"))
    return add_profile(folder, profile_of(Package.open(folder)).dump())


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Forty rows that have moved and forty that have not, in four tables of which one has no rows."""
    moved, same = (text.removeprefix(HEADER).splitlines(keepends=True) for text in (MOVED, SAME))
    for number, lines in enumerate((moved[:11], moved[11:], [], same), 1):
        path = tmp_path / "tables" / f"{number % 2}" / f"part-{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "".join(lines))
    (tmp_path / "one.csv").write_text(HEADER + "".join(moved + same))
    return tmp_path / "tables"


def summary(text: str) -> list[str]:
    """The report's lines, without what is said of files."""
    return [
        line
        for line in text.splitlines()
        if "part-" not in line and "one.csv" not in line and "predicted in" not in line
    ]


@pytest.mark.parametrize("more", [[], ["--threads", "3", "--batch-size", "7"]])
def test_the_summary_is_that_of_all_rows_also_of_tables_that_were_there(
    parity, profiled: Path, tables: Path, tmp_path: Path, more: list[str]
) -> None:
    one = parity("predict", profiled, tmp_path / "one.csv", "--out", tmp_path / "one-scored.csv", "--summary")
    command = ["predict", profiled, tables, "--out", tmp_path / "scored", "--summary", *more]
    many = parity(*command)
    assert many.code == one.code == 0 and "80 rows beside 100 rows of training" in one.err
    assert summary(many.err) == summary(one.err)
    (tmp_path / "scored" / "_SUCCESS").unlink()
    (tmp_path / "scored" / "0" / "part-2.csv").unlink()
    again = parity(*command)
    assert "of which 3 were there already" in again.err and summary(again.err) == summary(one.err)
    done = parity(*command)
    assert "complete already" in done.err and summary(done.err) == summary(one.err)


def test_a_limit_holds_for_all_rows_and_keeps_the_folder_from_being_complete(
    parity, profiled: Path, tables: Path, tmp_path: Path
) -> None:
    scored = tmp_path / "scored"
    command = ["predict", profiled, tables, "--out", scored]
    refused = parity(*command, "--fail-on", "outside:size=40%")
    assert refused.code == 3 and "outside:size is 48.75%, not at most 40%" in refused.err
    assert not (scored / "_SUCCESS").exists() and len(list(scored.rglob("*.csv"))) == 4
    before = {path: path.stat().st_mtime_ns for path in scored.rglob("*.csv")}
    assert parity(*command, "--fail-on", "outside:size=40%").code == 3
    done = parity(*command, *LIMIT)
    assert done.code == 0 and "of which 4 were there already" in done.err and (scored / "_SUCCESS").exists()
    assert {path: path.stat().st_mtime_ns for path in scored.rglob("*.csv")} == before
    assert parity(*command, "--fail-on", "outside:size=40%").code == 3
    assert not (scored / "_SUCCESS").exists()  # it was complete, and is not what is asked for now
    assert parity(*command).code == 0 and (scored / "_SUCCESS").exists()


def test_counts_of_another_model_or_none_are_refused(profiled: Path) -> None:
    counts = TableCounts(Package.open(profiled).contract, read_profile(profiled))
    told = counts.to_json()
    for broken in (None, {}, {**told, "columns": {}}, {**told, "predicted": [1]}, {**told, "predicted": [-1, 0]},
                   {**told, "columns": {**told["columns"], "size": {"bins": [1]}}}):  # fmt: skip
        with pytest.raises(FormatError, match="part 3"):
            counts.merge_json(broken, "part 3")


def test_what_holds_for_many_tables_is_said_of_the_first(parity, mixed_package: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name in "ab":
        (tmp_path / "tables" / f"{name}.csv").write_text(
            "color;size;when;new;code;sold\n" + "RED;1,5;2020-01-01;true;1;no\n" * 30
        )
    done = parity("predict", mixed_package, tmp_path / "tables", "--out", tmp_path / "scored")
    first = tmp_path / "tables" / "a.csv"
    assert done.code == 0 and "b.csv" not in done.err
    told = [line for line in done.err.splitlines() if str(first) in line]
    assert ["semicolons" in told[0], "unknown to the model" in told[1]] == [True, True], done


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_metrics_are_the_bits_of_one_table(
    parity, xor_package: Path, xor_test: Path, tmp_path: Path, suffix: str
) -> None:
    header, *lines = xor_test.read_text().splitlines(keepends=True)
    rows = [dict(zip(header.strip().split(","), map(float, line.split(",")), strict=True)) for line in lines]
    (tmp_path / "tables" / "more").mkdir(parents=True)
    for number, (start, end) in enumerate([(0, 1), (1, 70), (70, len(lines))]):
        path = tmp_path / "tables" / ("more" if number else ".") / f"{number}{suffix}"
        if suffix == ".csv":
            path.write_text(header + "".join(lines[start:end]))
        elif suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows[start:end]))
        else:
            pyarrow = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist(rows[start:end]), path)
    one = parity("evaluate", xor_package, xor_test, "--json")
    for given in ([tmp_path / "tables"], [tmp_path / "tables" / "**" / f"*{suffix}"],
                  [tmp_path / "tables" / f"0{suffix}", tmp_path / "tables" / "more"]):  # fmt: skip
        many = parity("evaluate", xor_package, *given, "--json")
        assert (many.code, many.out) == (0, one.out), many
    gate = parity("evaluate", xor_package, tmp_path / "tables", "--at-least", "accuracy=1.01")
    assert gate.code == 3 and "accuracy is" in gate.err


def test_a_table_that_cannot_be_evaluated_is_named_before_the_first_is_read(
    parity, xor_package: Path, xor_test: Path, tmp_path: Path
) -> None:
    (tmp_path / "tables").mkdir()
    shutil.copy(xor_test, tmp_path / "tables" / "a.csv")
    last = tmp_path / "tables" / "b.csv"
    last.write_text("x1,x2\n0,1\n")
    assert parity("evaluate", xor_package, tmp_path / "tables").is_refused(1, f"{last} has no column 'label'")
    last.write_text("x1,label\n0,1\n")
    assert parity("evaluate", xor_package, tmp_path / "tables").is_refused(1, f"{last} has no column 'x2'")
    last.write_text("x1,x2,label\n0,1,1\n0,1,7\n")
    assert parity("evaluate", xor_package, tmp_path / "tables").is_refused(1, f"{last}, row 2: label is '7'")
    answer = parity("evaluate", xor_package, tmp_path / "tables", "--explain-row", "1")
    assert answer.code == 2 and "--explain-row" in answer.err
    for path in (tmp_path / "tables").iterdir():
        path.write_text("x1,x2,label\n0,1,\n")
    assert parity("evaluate", xor_package, tmp_path / "tables").is_refused(1, "a.csv to ", "b.csv", "all 2 rows")
