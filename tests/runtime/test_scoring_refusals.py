"""Tables, arrays and options that ``parity predict`` refuses, each with one line."""

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", ["empty"]),
        ("t.csv", b"\n\n", ["empty"]),
        ("t.csv", b"x1;x2;a,b\n1;2;3\n", ["no column 'x1'", "--delimiter ';'"]),
        ("t.csv", b"x1\tx2\ta,b\n1\t2\t3\n", ["--delimiter tab"]),
        ("t.csv", b'x1,x2\n"0,5",1\n', ["row 1: x1 is '0,5', a number with a decimal comma", "--decimal ,"]),
        ("t.csv", b"x1,x2\n$1,50 %\n", ["row 1: x1 is '$1'", "--currency '$' --percent (45% is then 0.45)"]),
        ("t.csv", b"0.1,0.2\n0.3,0.4\n", ["no column 'x1'", "--header"]),
        ("t.csv", b"x1,x2\n1,2\n\xe9,2\n", ["line 3", "iconv -f WINDOWS-1252 -t UTF-8 "]),
        ("t.csv", "x1,x2\n1,2\n".encode("utf-16"), ["iconv -f UTF-16 -t UTF-8 "]),
        ("t.csv", "x1,x2\n1,2\n".encode("utf-16-le"), ["UTF-16"]),
        ("t.csv", b"\x1f\x8b\x08\x00", ["gzip"]),
        ("t.csv", b"PK\x03\x04", ["spreadsheet"]),
        ("t.csv", b"x1,x2\r1,2\r", ["newline"]),
        ("t.csv", b"x1,x2\n1,2\r3,4\n", ["carriage return"]),
        ("t.csv", b'x1,x2\n1,"2\n3,4\n', ["line 2", "quote"]),
        ("t.csv", b'x1,x2\n"1"x,2\n', ["line 2", "not CSV"]),
        ("t.csv", b"x1,x2,x1\n1,2,3\n", ["'x1' twice"]),
        ("t.csv", b"x1,x2\n1,2,3\n", ["row 1: 3 cells"]),
        ("t.csv", b"x1,x2\n1,nan(3)\n", ["row 1: x2 is 'nan(3)'"]),
        ("t.jsonl", b"", ["empty"]),
        ("t.jsonl", b"1\n", ["row 1", "not a JSON object"]),
        ("t.jsonl", b'{"y": 1}\n', ["no column 'x1'"]),
        ("t.jsonl", b'{"x1": 1, "x2": 2, "probability_1": 3}\n', ["'probability_1' already"]),
        ("t.jsonl", b'{"x1": 1, "x2": 2}\n{"x1": 1, "x2": 2, "label": 3}\n', ["row 2", "'label' already"]),
        ("t.jsonl", b"[" * 100_000, ["row 1", "not a JSON object"]),
        ("t.npy", b"", [".npy"]),
        ("t.npy", b"\x93NUMPY\x01\x00", [".npy"]),
        ("t.parquet", b"PAR1", [".parquet"]),
        ("t.arrow", b"ARROW1", [".arrow"]),
    ],
)
def test_a_file_that_is_no_table_is_one_line(
    parity, xor_package: Path, tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    if name.endswith(("parquet", "arrow")):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    answer = parity("predict", xor_package, tmp_path / name, "--out", tmp_path / f"o{name[1:]}")
    assert answer.is_refused(1, name, *words), answer
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / "good.csv").write_text("x1,x2\n1,0\n")
    assert parity("evaluate", xor_package, tmp_path / name).is_refused(1, name)


@pytest.mark.parametrize(("name", "encoding"), [("t 1.csv", "cp1252"), ("t.csv.gz", "cp1252"), ("t.csv", "utf-16")])
def test_the_command_that_converts_a_file_works_as_it_stands(
    parity, xor_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, encoding: str
) -> None:
    text = "näme,x1,x2\nö,0,1\n".encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    monkeypatch.chdir(tmp_path)
    answer = parity("predict", xor_package, name)
    command = answer.err[min(found for word in ("iconv", "gunzip") if (found := answer.err.find(word)) >= 0) :]
    subprocess.run(["sh", "-c", command], check=True)
    (converted,) = tmp_path.glob("*-utf8.csv")
    assert parity("predict", xor_package, converted).out.startswith("näme,x1,x2,label")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 3), np.float32), ["[3, 3]", "x1, x2"]),
        (np.zeros(3, np.float32), ["[3]"]),
        (np.zeros((3, 2), complex), ["complex128"]),
        (np.zeros((3, 2), "U1"), ["U1"]),
        (np.array([[None, 1]], object), [".npy"]),
        (np.zeros((2, 3), np.float32).T, ["column by column"]),
        (np.zeros(2, [("x1", "f4"), ("x2", "U1")]), ["x2 holds", "not numbers"]),
        (np.zeros(2, [("x1", "f4")]), ["no column 'x2'"]),
        (np.full((2, 2), np.nan), ["row 1: x1 is missing"]),
    ],
)
def test_an_array_that_is_no_table_is_one_line(
    parity, xor_package: Path, tmp_path: Path, array: np.ndarray, words: list[str]
) -> None:
    np.save(tmp_path / "t.npy", array)
    assert parity("predict", xor_package, tmp_path / "t.npy").is_refused(1, "t.npy", *words)


@pytest.mark.parametrize(
    ("source", "out", "words"),
    [("t.csv", "o.jsonl", "predictions are JSON Lines only"), ("t.csv", "o.npy", "predictions are .npy only"),
     ("t.csv", "o.parquet", "predictions are Parquet or Arrow only"),
     ("t.npy", "o.jsonl", "predictions are JSON Lines only")],
)  # fmt: skip
def test_answers_have_the_format_of_the_table_or_are_csv(
    parity, xor_package: Path, tmp_path: Path, source: str, out: str, words: str
) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n1,0\n")
    np.save(tmp_path / "t.npy", np.zeros((1, 2), np.float32))
    assert parity("predict", xor_package, tmp_path / source, "--out", tmp_path / out).is_refused(1, words, ".csv")
    assert not (tmp_path / out).exists()


@pytest.mark.parametrize(
    "options", [["--delimiter", "ab"], ["--delimiter", '"'], ["--threads", "0"], ["--batch-size", "0"]]
)
def test_options_that_make_no_sense_are_usage_errors(
    parity, xor_package: Path, tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "points.csv").write_text("x1,x2\n0,1\n")
    assert parity("predict", xor_package, tmp_path / "points.csv", *options).code == 2


def test_binary_formats_are_not_read_from_stdin(parity, xor_package: Path) -> None:
    assert parity("predict", xor_package, "-", "--format", "npy").is_refused(1, "cannot be read from stdin")


def test_an_array_with_rows_that_have_no_answer_is_refused(parity, xor_package: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[0, np.inf], [1, 0]], np.float32))
    options = ("--out", tmp_path / "o.npy", "--errors")
    assert parity("predict", xor_package, tmp_path / "t.npy", *options, "null").is_refused(1, "--errors skip")
    assert parity("predict", xor_package, tmp_path / "t.npy", *options, "skip").code == 0
    assert np.load(tmp_path / "o.npy")["label"].tolist() == [1]
