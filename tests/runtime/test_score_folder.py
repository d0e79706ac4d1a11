"""Many tables into a folder: the bytes of `parity predict` on each alone, and a job that is cut short goes on."""

import gzip
import json
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, predict_folder
from parity_runtime.files.locks import held
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_folder import FolderWatch, score_folder
from parity_runtime.scoring.score_part import PartResult, score_part
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.table_file import ReadOptions
from parity_runtime.tables.table_parts import TablePart, table_parts
from tests.refusals import refused_at
from tests.warm_process import WarmProcess

NAMES = ("part-0", "part-1", "year=2024/part-0")


def points(seed: int, rows: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 1.5, (rows, 2)).astype(np.float32)


def csv_text(seed: int, rows: int = 50) -> str:
    return "id,x1,x2\n" + "".join(f"{seed}-{row},{a},{b}\n" for row, (a, b) in enumerate(points(seed, rows)))


def write_table(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(csv_text(seed).encode()))
    elif path.suffix == ".csv":
        path.write_text(csv_text(seed))
    elif path.suffix in (".jsonl", ".json"):
        path.write_text("".join(json.dumps({"x1": float(a), "x2": float(b)}) + "\n" for a, b in points(seed)))
    elif path.suffix == ".npy":
        np.save(path, points(seed))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import feather, parquet

        write = parquet.write_table if path.suffix == ".parquet" else feather.write_feather
        write(pyarrow.table(dict(zip(("x1", "x2"), points(seed).T, strict=True))), path)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_table(tmp_path / "tables" / f"{name}.csv", seed)
    return tmp_path / "tables"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "scored"


def answers(folder: Path) -> dict[str, bytes]:
    """What readers of a folder see."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not any(part.startswith(("_", ".")) for part in name.split("/"))
    }


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_refused(answer, out: Path, *words: str) -> bool:
    """One line that holds the words and the two ways out."""
    return answer.is_refused(1, *words, "--out", f"rm -r {out}")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".npy", ".snappy.parquet", ".c000.arrow"])
def test_each_table_has_the_bytes_that_predict_writes_for_it_alone(
    parity, xor_package: Path, tmp_path: Path, out: Path, suffix: str
) -> None:
    for seed, name in enumerate(NAMES):
        write_table(tmp_path / "tables" / (name + suffix), seed)
    done = parity("predict", xor_package, tmp_path / "tables", "--out", out)
    assert (done.code, done.out, done.err) == (0, "", f"150 rows predicted in {out}: 3 files\n")
    found = answers(out)
    assert sorted(found) == [name + suffix.removesuffix(".gz") for name in NAMES]
    for name in NAMES:
        alone = tmp_path / f"alone{suffix.removesuffix('.gz')}"
        assert parity("predict", xor_package, tmp_path / "tables" / (name + suffix), "--out", alone).code == 0
        assert found[name + suffix.removesuffix(".gz")] == alone.read_bytes()


@pytest.mark.parametrize(
    ("package", "options"),
    [
        ("xor", ["--columns", "id,label", "--threads", "3", "--batch-size", "7"]),
        ("xor", ["--errors", "null", "--prefix", "p_", "--spreadsheet-safe"]),
        ("xor_certified", ["--certified", "--threads", "2"]),
        ("xor", ["--out-of-range", "mark"]),
        ("xor", ["--out-of-range", "refuse", "--errors", "skip"]),
    ],
)
def test_options_mean_what_they_mean_for_one_table(
    parity, xor_package: Path, tables: Path, tmp_path: Path, out: Path, package: str, options: list[str]
) -> None:
    (tables / "part-1.csv").write_text("id,x1,x2\n=1,0,1\na,1e30,0\n" + ("b,no,1\n" if "--errors" in options else ""))
    folder = parity("predict", xor_package.parent / package, tables, "--out", out, *options)
    assert folder.code == 0, folder
    reasons = []
    for name, found in sorted(answers(out).items()):
        alone = parity("predict", xor_package.parent / package, tables / name, "--out", tmp_path / "a.csv", *options)
        assert found == (tmp_path / "a.csv").read_bytes()
        reasons += [line for line in alone.err.splitlines() if ", row " in line]
    assert [line for line in folder.err.splitlines() if ", row " in line] == reasons[:20]
    assert ("b,no,1" in str(answers(out))) == ("null" in options)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["tables/part-*.csv"], ["part-0.csv", "part-1.csv"]),
        (["tables/**/*.csv"], ["part-0.csv", "part-1.csv", "year=2024/part-0.csv"]),
        (["tables/year=*"], ["year=2024/part-0.csv"]),
        (["tables/part-1.csv", "tables/part-0.csv"], ["part-0.csv", "part-1.csv"]),
        (["tables/year=2024", "tables/part-1.csv"], ["part-0.csv", "part-1.csv"]),
        (["./tables/year=2024/"], ["part-0.csv"]),
    ],
)
def test_globs_and_several_files_name_what_they_find(
    parity, xor_package: Path, tables: Path, out: Path, monkeypatch: pytest.MonkeyPatch, given: list[str],
    names: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tables.parent)
    assert parity("predict", xor_package.absolute(), *given, "--out", "scored").code == 0
    assert sorted(answers(out)) == names and (out / "_SUCCESS").read_bytes() == b""


def test_hidden_files_and_marks_are_passed_over(parity, xor_package: Path, tables: Path, out: Path) -> None:
    for name in ("_SUCCESS", ".part-0.csv.crc", "_log/x.csv", ".git/x.csv", "year=2024/_started", "year=2024/.x.csv"):
        (tables / name).parent.mkdir(exist_ok=True)
        (tables / name).write_text("no table")
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    assert sorted(answers(out)) == [f"{name}.csv" for name in NAMES]
    assert parity("predict", xor_package, tables / "**", "--out", out, "--columns", "").code == 0


def test_json_of_spark_needs_its_format_said(parity, xor_package: Path, tmp_path: Path, out: Path) -> None:
    write_table(tmp_path / "tables" / "part-00000-0a1b-c000.json", 0)
    refused = parity("predict", xor_package, tmp_path / "tables", "--out", out)
    assert refused.is_refused(1, "part-00000-0a1b-c000.json", "--format jsonl")
    assert parity("predict", xor_package, tmp_path / "tables", "--out", out, "--format", "jsonl").code == 0
    assert json.loads(answers(out)["part-00000-0a1b-c000.json"].splitlines()[0])["label"] in (0, 1)


def two_names(tables: Path) -> None:
    shutil.move(tables / "part-0.csv", tables / "x.csv")
    write_table(tables / "part-0.csv.gz", 1)
    write_table(tables / "part-0.csv" / "x.csv", 1)


SPOILED = {
    "mixed": lambda tables: (tables / "x.jsonl").write_text("{}\n"),
    "unknown": lambda tables: (tables / "notes.md").write_text("# notes\n"),
    "doubled": lambda tables: write_table(tables / "part-0.csv.gz", 1),
    "loop": lambda tables: (tables / "again").symlink_to(tables),
    "broken": lambda tables: (tables / "gone.csv").symlink_to(tables / "nowhere"),
    "folder": two_names,
    "empty": lambda tables: (tables / "part-9.csv").touch(),
    "column": lambda tables: (tables / "year=2024/part-9.csv").write_text("id,x1\n1,0\n"),
    "added": lambda tables: (tables / "part-9.csv").write_text("x1,x2,probability_0\n1,0,1\n"),
    "target": lambda tables: (tables / "part-9.csv").write_text("x1,x2,label\n1,0,1\n"),
}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("mixed", ["several formats", "csv (", "jsonl (", "x.jsonl", "*.csv"]),
        ("unknown", ["notes.md", "says no format", "--format csv", "*.csv"]),
        ("doubled", ["part-0.csv and", "part-0.csv.gz", "in one file"]),
        ("loop", ["again", "is a link to a folder that it lies in"]),
        ("broken", ["gone.csv", "No such file"]),
        ("folder", ["part-0.csv", "would be a folder"]),
        ("empty", ["part-9.csv is empty", "remove it"]),
        ("column", ["part-9.csv has no column 'x2'"]),
        ("added", ["part-9.csv has a column 'probability_0' already", "--prefix predicted_"]),
        ("target", ["part-9.csv has the target's own column", "--prefix predicted_"]),
    ],
)
def test_what_is_wrong_with_any_table_is_said_before_the_first_is_answered(
    parity, xor_package: Path, tables: Path, out: Path, how: str, words: list[str]
) -> None:
    SPOILED[how](tables)
    assert parity("predict", xor_package, tables, "--out", out).is_refused(1, *words)
    assert not out.exists()


def test_a_column_of_parquet_without_numbers_is_told_before_the_first_is_answered(
    parity, xor_package: Path, tmp_path: Path, out: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write_table(tmp_path / "tables" / "a.parquet", 0)
    parquet.write_table(pyarrow.table({"x1": ["a"], "x2": [0.5]}).slice(0, 0), tmp_path / "tables" / "b.parquet")
    write_table(tmp_path / "tables" / "c.parquet", 0)
    assert parity("predict", xor_package, tmp_path / "tables", "--out", out).code == 0  # no row that is none
    parquet.write_table(pyarrow.table({"x1": [[1.0]], "x2": [0.5]}), tmp_path / "tables" / "b.parquet")
    again = parity("predict", xor_package, tmp_path / "tables", "--out", out.with_name("other"))
    assert again.is_refused(1, "b.parquet: x1 holds list<", "not numbers") and not out.with_name("other").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["tables/*.parquet"], ["no file matches 'tables/*.parquet'"]),
        (["empty"], ["no table in empty"]),
        (["tables/part-0.csv", "gone.csv"], ["gone.csv", "No such file"]),
        (["tables/part-0.csv", "tables/year=2024/part-0.csv"], ["in one file, part-0.csv", "the folder"]),
        (["tables/part-0.csv", "tables/part-0.csv"], ["in one file"]),
        (["tables/part-0.csv", "tables/_x.csv"], ["_x.csv", "begin with . or _", "rename"]),
        (["tables", "-"], ["stdin is one table"]),
    ],
)
def test_tables_that_are_none_are_refused(
    parity, xor_package: Path, tables: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tables.parent)
    Path("empty").mkdir()
    (tables / "_x.csv").write_text("x1,x2\n")
    assert parity("predict", xor_package.absolute(), *given, "--out", "scored").is_refused(1, *words)
    assert not Path("scored").exists()


def test_the_glob_that_a_refusal_names_works_as_it_is_pasted(
    parity, xor_package: Path, tables: Path, out: Path
) -> None:
    (tables / "part-2.csv.gz").write_bytes(gzip.compress(b"x1,x2\n0,1\n"))
    (tables / "part-3.jsonl.gz").write_bytes(b"")
    for path in tables.glob("part-*.csv"):
        path.unlink()
    shutil.rmtree(tables / "year=2024")
    refused = parity("predict", xor_package, tables, "--out", out)
    pattern = refused.err.rpartition("such as ")[2].strip().strip("'")
    assert pattern == str(tables / "*.csv.gz")
    assert parity("predict", xor_package, pattern, "--out", out).code == 0 and list(answers(out)) == ["part-2.csv"]


def test_a_pipe_is_no_part(parity, xor_package: Path, tables: Path, out: Path) -> None:
    import os

    os.mkfifo(tables / "pipe.csv")
    assert parity("predict", xor_package, tables, "--out", out).is_refused(1, "pipe.csv", "no regular file")


def test_where_answers_cannot_go_is_said(parity, xor_package: Path, tables: Path, tmp_path: Path) -> None:
    inside = tables / "year=2024" / "scored"
    assert parity("predict", xor_package, tables, "--out", inside).is_refused(1, "whose tables are read", "--out")
    assert parity("predict", xor_package, tables, "--out", tables).is_refused(1, "whose tables are read")
    for given in ("**", "*", "*/*.csv", "year=*"):
        place = tables / ("scored.csv" if given == "*/*.csv" else "year=2025")
        answer = parity("predict", xor_package, tables / given, "--out", place / "x.csv" if given[-1] == "v" else place)
        assert answer.is_refused(1, "whose tables are read"), given
    assert parity("predict", xor_package, tables, "--out", tables.parent).is_refused(1, "where the answers go")
    assert parity("predict", xor_package, tables, "--out", tables / "part-0.csv").is_refused(1, "part-0.csv")
    assert parity("predict", xor_package, tables, "--out", xor_package / "x").is_refused(1, "inside the package")
    for arguments in ([tables], [tables, "--out", "-"], [tables / "part-0.csv", tables / "part-1.csv"]):
        answer = parity("predict", xor_package, *arguments)
        assert answer.code == 2 and "--out FOLDER" in answer.err
    answer = parity("predict", xor_package, tables, "--explain-row", "1")
    assert answer.code == 2 and "--explain-row" in answer.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    refused = parity("predict", xor_package, tables, "--out", tmp_path / "mine")
    assert is_refused(refused, tmp_path / "mine", "diary.txt")
    assert everything(tmp_path / "mine") == {"diary.txt": b"dear"}


def test_tables_beside_the_folder_of_answers_are_no_danger(
    parity, xor_package: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    for _ in range(2):
        done = parity("predict", xor_package.absolute(), "part-0.csv", "part-1.csv", "--out", "scored")
        assert done.code == 0, done


def test_a_complete_folder_says_so_and_nothing_is_written(parity, xor_package: Path, tables: Path, out: Path) -> None:
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "lock"}
    again = parity("predict", xor_package, tables, "--out", out, "--threads", "2")
    assert (again.code, again.out) == (0, "") and "complete already" in again.err and "150 rows" in again.err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != "lock"} == before


def test_the_folder_says_what_it_was_made_of(parity, xor_package: Path, tables: Path, out: Path) -> None:
    import hashlib

    assert parity("predict", xor_package, tables, "--out", out, "--errors", "skip").code == 0
    told = json.loads((out / "_parity.json").read_text())
    assert told["package"] == Predictor(xor_package).package_id and told["options"]["errors"] == "skip"
    for part in told["parts"]:
        for key, folder in (("input", tables), ("output", out)):
            data = (folder / part["name"]).read_bytes()
            assert part[key] == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert part["rows"] == 50


def remake(tables: Path, out: Path, how: str) -> list[str]:
    """Change a thing of a folder that is complete; return more options of the next command."""
    if how == "input":
        path = tables / "part-1.csv"
        path.write_text(path.read_text().replace("1-7,", "1-8,"))
    elif how == "size":
        (tables / "part-1.csv").write_text("x1,x2\n")
    elif how == "added":
        write_table(tables / "part-7.csv", 7)
    elif how == "removed":
        (tables / "part-1.csv").unlink()
    elif how == "stranger":
        (out / "notes.txt").write_text("mine")
    elif how == "version":
        path = out / "_parity.json"
        path.write_text(path.read_text().replace('"parity": "', '"parity": "9.'))
    elif how == "job":
        (out / "_parity.json").write_text("{}")
    return {
        "columns": ["--columns", "id,label"], "range": ["--out-of-range", "mark"], "cells": ["--missing-values", "x"],
        "counts": ["--summary"],
    }.get(how, [])  # fmt: skip


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("input", ["part-1.csv was changed since it was answered"]),
        ("size", ["part-1.csv was changed since it was answered"]),
        ("added", ["holds the answers of other tables", "part-7.csv was none of them"]),
        ("removed", ["holds the answers of other tables", "part-1.csv is no more there"]),
        ("stranger", ["notes.txt"]),
        ("version", ["was answered with parity 9."]),
        ("job", ["_parity.json does not say"]),
        ("columns", ["was answered with --columns the default, not with id,label"]),
        ("range", ["was answered with --out-of-range ignore, not with mark"]),
        ("cells", ["was answered with --missing-values the default, not with x"]),
        ("counts", ["without counting its rows", "--summary"]),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_of_another_job_is_refused_and_stays_as_it_is(
    parity, xor_package: Path, tables: Path, out: Path, how: str, words: list[str], complete: bool
) -> None:
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    if not complete:
        (out / "_SUCCESS").unlink()
        (out / "part-0.csv").unlink()
        (out / "_parity" / "000001.json").unlink()
    more = remake(tables, out, how)
    before = everything(out)
    assert is_refused(parity("predict", xor_package, tables, "--out", out, *more), out, *words)
    after = everything(out)
    job = "_parity.json"  # says of an incomplete folder what shall be there, once more
    assert {**after, job: b""} == {**before, job: b""} and "part-0.csv" not in set(after) - set(before)


def test_a_folder_of_another_package_is_refused(
    parity, xor_package: Path, certified_package: Path, tables: Path, out: Path
) -> None:
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    assert is_refused(parity("predict", certified_package, tables, "--out", out), out, "by the package")


@pytest.mark.parametrize("how", ["gone", "changed", "record", "torn", "other"])
def test_answers_that_are_not_whole_are_answered_again(
    parity, xor_package: Path, tables: Path, out: Path, how: str
) -> None:
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    whole = everything(out)
    if how == "gone":
        (out / "part-1.csv").unlink()
    elif how == "changed":
        (out / "part-1.csv").write_bytes(whole["part-1.csv"].replace(b"1-7,", b"1-8,"))
    elif how == "record":
        (out / "_parity" / "000002.json").unlink()
    else:  # a disk that lost power keeps a name without its bytes
        (out / "_parity" / "000002.json").write_text("" if how == "torn" else '{"format": "parity/2"}')
    done = parity("predict", xor_package, tables, "--out", out)
    assert done.code == 0 and "of which 2 were there already" in done.err
    assert everything(out) == whole


def test_a_row_that_cannot_be_predicted_is_named_and_the_job_goes_on_when_it_is_mended(
    parity, xor_package: Path, tables: Path, out: Path
) -> None:
    path = tables / "part-1.csv"
    good = path.read_text()
    path.write_text(good.replace(good.splitlines()[10], "1-9,abc,1"))
    stopped = parity("predict", xor_package, tables, "--out", out)
    assert stopped.is_refused(1, f"{path}, row 10: x1 is 'abc'")
    assert sorted(answers(out)) == ["part-0.csv"] and not (out / "_SUCCESS").exists()
    assert not list(out.rglob(".*"))
    path.write_text(good)  # it was not answered, so that it may be another one
    done = parity("predict", xor_package, tables, "--out", out)
    assert done.code == 0 and "of which 1 were there already" in done.err and len(answers(out)) == 3


def test_a_job_that_stopped_goes_on_with_other_ways_for_bad_rows_but_not_back(
    parity, xor_package: Path, tables: Path, out: Path
) -> None:
    (tables / "part-1.csv").write_text("id,x1,x2\na,0,abc\nb,0,1\n")
    assert parity("predict", xor_package, tables, "--out", out).code == 1
    skipping = parity("predict", xor_package, tables, "--out", out, "--errors", "skip")
    assert skipping.code == 0 and "1 row was left out" in skipping.err and "part-1.csv, row 1" in skipping.err
    assert answers(out)["part-1.csv"].count(b"\n") == 2
    again = parity("predict", xor_package, tables, "--out", out, "--errors", "skip")
    assert again.code == 0 and "1 row was left out" in again.err
    back = parity("predict", xor_package, tables, "--out", out)
    assert is_refused(back, out, "answered with --errors skip, not with stop")


def test_a_table_that_is_changed_while_it_is_read_is_no_part(xor_package: Path, tables: Path, out: Path) -> None:
    class Changes(FolderWatch):
        def chunk(self, part: TablePart, scored: Scored) -> None:
            if part.name == "part-1.csv":
                Path(part.path).write_text(csv_text(len(scored.chunk)))

    with pytest.raises(InputError, match=r"part-1\.csv was changed while it was read"):
        predict_folder(Predictor(xor_package), tables, out, watch=Changes())
    assert sorted(answers(out)) == ["part-0.csv"]


def test_two_processes_do_not_write_one_folder(parity, xor_package: Path, tables: Path, out: Path) -> None:
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    (out / "_SUCCESS").unlink()
    with held(out / "_parity" / "lock", "testing"):
        refused = parity("predict", xor_package, tables, "--out", out)
    assert refused.is_refused(1, f"is writing {out}", "wait for it")
    assert parity("predict", xor_package, tables, "--out", out).code == 0


def test_tables_without_rows_have_answers_without_rows(parity, xor_package: Path, tables: Path, out: Path) -> None:
    (tables / "part-1.csv").write_text("id,x1,x2\n")
    assert parity("predict", xor_package, tables, "--out", out).code == 0
    assert answers(out)["part-1.csv"] == b"id,x1,x2,label,probability_0,probability_1\n"
    (tables / "part-1.csv").write_bytes(b"")
    headed = ["--header", "id,x1,x2", "--errors", "skip", "--out", out.with_name("headed")]
    assert parity("predict", xor_package, tables, *headed).code == 0
    assert answers(out.with_name("headed"))["part-1.csv"] == answers(out)["part-1.csv"]


def test_parquet_without_rows_has_answers_without_rows(parity, xor_package: Path, tmp_path: Path, out: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write_table(tmp_path / "tables" / "a.parquet", 0)
    parquet.write_table(parquet.read_table(tmp_path / "tables" / "a.parquet").slice(0, 0),
                        tmp_path / "tables" / "b.parquet")  # fmt: skip
    assert parity("predict", xor_package, tmp_path / "tables", "--out", out).code == 0
    whole = pyarrow.concat_tables(parquet.read_table(out / name) for name in ("a.parquet", "b.parquet"))
    assert whole.num_rows == 50 and whole.schema.names[-1] == "probability_1"


def test_a_part_is_answered_in_another_process_by_what_pickles(
    xor_package: Path, tables: Path, out: Path, tmp_path: Path
) -> None:
    """As an engine does: the driver lists, checks, locks and completes; workers call `score_part`, in any order."""
    predictor = Predictor(xor_package)
    predict_folder(predictor, tables, out.with_name("alone"))
    job = FolderJob.of(predictor, out, ScoringJob(), ReadOptions())
    code = ("import pickle, sys; from parity_runtime import Predictor; "
            "function, part = pickle.load(sys.stdin.buffer); "
            "sys.stdout.buffer.write(pickle.dumps(function(part)))")  # fmt: skip

    def elsewhere(work: object, parts: list[TablePart]) -> list[PartResult]:
        found = []
        for part in reversed(parts):
            done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps((work, part)), check=True,
                                  capture_output=True)  # fmt: skip
            found.append(pickle.loads(done.stdout))
        return found

    work = partial(score_part, predictor, job)
    result = score_folder(job, table_parts([str(tables)]), work, FolderWatch(), elsewhere)
    assert (result.parts, result.rows) == (3, 150)
    assert everything(out) == everything(out.with_name("alone"))


def test_python_takes_paths_and_names_its_own_arguments(xor_package: Path, tables: Path, out: Path) -> None:
    predictor = Predictor(xor_package)
    result = predict_folder(predictor, [tables / "part-0.csv", tables / "part-1.csv"], out, ScoringJob(errors="null"))
    assert (result.parts, result.rows, result.refused, result.reused, result.was_complete) == (2, 100, 0, 0, False)
    with pytest.raises(InputError, match="answered with errors null, not with stop; choose another folder with out,"):
        predict_folder(predictor, [tables / "part-0.csv", tables / "part-1.csv"], out)
    (tables / "part-0.csv").write_text("x1,x2\n0,1\n0,b\n")
    with refused_at(path=str(tables / "part-0.csv"), row=2, column="x2"):
        predict_folder(predictor, tables, out.with_name("other"))
    record = PartRecord.read(out / "_parity" / "000001.json")
    assert record is not None and record.name == "part-0.csv" and record.rows == 50


def test_a_bare_model_has_no_id_to_be_held_to(parity, xor_package: Path, tables: Path, out: Path) -> None:
    import hashlib

    model = xor_package / "model.onnx"
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    refused = parity("predict", model, tables, "--out", out, "--digest", digest)
    assert refused.is_refused(1, "bare model", "package folder")


def test_rows_that_influence_one_another_are_of_one_table(
    parity, xor_package: Path, tables: Path, out: Path, tmp_path: Path
) -> None:
    from parity_runtime.package.manifest import write_manifest

    package = Path(shutil.copytree(xor_package, tmp_path / "dependent"))
    for name in ("contract.json", "model.onnx"):  # the model holds its contract as well: texts of one length
        data = (package / name).read_bytes()
        assert b'"row_independent": true' in data
        (package / name).write_bytes(data.replace(b'"row_independent": true', b'"row_independent":false'))
    write_manifest(package)
    for command in (["predict", package, tables, "--out", out], ["evaluate", package, tables]):
        assert parity(*command).is_refused(1, "influence one another", "each table by itself")


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(
    warm: WarmProcess, xor_package: Path, tmp_path: Path, out: Path
) -> None:
    for seed in range(12):
        path = tmp_path / "tables" / f"{seed % 3}" / f"part-{seed}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv_text(seed, 400))
    command = ["predict", xor_package, tmp_path / "tables", "--batch-size", "16", "--out"]
    begin = time.monotonic()
    assert warm.run([*command, out.with_name("undisturbed")]).returncode == 0
    seconds = time.monotonic() - begin
    chance, killed = random.Random(21), 0
    for _ in range(12):
        shutil.rmtree(out, ignore_errors=True)
        while True:
            process = warm.start([*command, out])
            time.sleep(chance.uniform(0, 1.1 * seconds))
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            killed += 1
            assert not (out / "_SUCCESS").exists() or len(answers(out)) == 12
            whole = everything(out.with_name("undisturbed"))
            assert all(whole[name] == found for name, found in answers(out).items())
        assert everything(out) == everything(out.with_name("undisturbed"))
    assert killed >= 6, "the delays are too long for this machine"
