"""Many tables into a folder: the bytes of `parity predict` on each alone."""

import json
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from parity_runtime import InputError, Predictor, predict_folder
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.scoring.score_folder import FolderWatch, score_folder
from parity_runtime.scoring.score_part import PartResult, score_part
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import TablePart, table_parts
from tests.refusals import refused_at
from tests.runtime.folder_tables import NAMES, answers, everything, write_table


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


def test_tables_beside_the_folder_of_answers_are_no_danger(
    parity, xor_package: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    for _ in range(2):
        done = parity("predict", xor_package.absolute(), "part-0.csv", "part-1.csv", "--out", "scored")
        assert done.code == 0, done


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
    with pytest.raises(InputError, match="written with errors null, not with raise; choose another folder with out,"):
        predict_folder(predictor, [tables / "part-0.csv", tables / "part-1.csv"], out)
    (tables / "part-0.csv").write_text("x1,x2\n0,1\n0,b\n")
    with refused_at(path=str(tables / "part-0.csv"), row=2, column="x2"):
        predict_folder(predictor, tables, out.with_name("other"))
    record = PartRecord.read(out / "_parity" / "000001.json")
    assert record is not None and record.name == "part-0.csv" and record.rows == 50
