"""Many tables into a folder: a job that is cut short goes on, and another one's folder is refused."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from parity_runtime import InputError, Predictor, predict_folder
from parity_runtime.files.locks import held
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_folder import FolderWatch
from parity_runtime.tables.table_parts import TablePart
from tests.runtime.folder_tables import answers, csv_text, everything, is_refused, write_table
from tests.warm_process import WarmProcess


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
        ("input", ["part-1.csv was changed since its predictions went into"]),
        ("size", ["part-1.csv was changed since its predictions went into"]),
        ("added", ["holds the predictions of other tables", "part-7.csv was not one of them"]),
        ("removed", ["holds the predictions of other tables", "part-1.csv is gone"]),
        ("stranger", ["notes.txt"]),
        ("version", ["was written with parity 9."]),
        ("job", ["_parity.json does not say"]),
        ("columns", ["was written with --columns the default, not with id,label"]),
        ("range", ["was written with --out-of-range ignore, not with mark"]),
        ("cells", ["was written with --missing-values the default, not with x"]),
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
    assert done.code == 0 and "of which 1 was there already" in done.err and len(answers(out)) == 3


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
    assert is_refused(back, out, "written with --errors skip, not with raise")


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
