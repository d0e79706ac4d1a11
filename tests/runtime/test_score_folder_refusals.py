"""Many tables into a folder: what is wrong with one of them is said before the first is answered."""

import gzip
import shutil
from pathlib import Path

import pytest

from tests.runtime.folder_tables import answers, everything, is_refused, write_table


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
        ("unknown", ["notes.md", "does not tell its format", "--format csv", "*.csv"]),
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
        (["tables", "-"], ["stdin cannot be one of several tables"]),
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
    assert parity("predict", xor_package, tables, "--out", out).is_refused(1, "pipe.csv", "not a regular file")


def test_where_answers_cannot_go_is_said(parity, xor_package: Path, tables: Path, tmp_path: Path) -> None:
    inside = tables / "year=2024" / "scored"
    assert parity("predict", xor_package, tables, "--out", inside).is_refused(1, "whose tables are read", "--out")
    assert parity("predict", xor_package, tables, "--out", tables).is_refused(1, "whose tables are read")
    for given in ("**", "*", "*/*.csv", "year=*"):
        place = tables / ("scored.csv" if given == "*/*.csv" else "year=2025")
        answer = parity("predict", xor_package, tables / given, "--out", place / "x.csv" if given[-1] == "v" else place)
        assert answer.is_refused(1, "whose tables are read"), given
    assert parity("predict", xor_package, tables, "--out", tables.parent).is_refused(
        1, "where the predictions are written"
    )
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
