"""``parity predict`` and ``parity evaluate`` on files of every format."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.tables.float_text import float32_text

PARITY = Path(sys.executable).parent / "parity"
ROWS = 1000
POINTS = np.random.default_rng(3).uniform(-0.5, 1.5, (ROWS, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def answers(xor_package: Path) -> list[list[str]]:
    """The added cells of each point, one call for all of them."""
    predictor = Predictor(xor_package)
    columns = [predictor.predict(POINTS), *predictor.predict_proba(POINTS).T]
    return [[str(label), *map(float32_text, numbers)] for label, *numbers in zip(*columns, strict=True)]


def csv_text(rows: list[list[str]], newline: str = "\n") -> str:
    return "".join(",".join(row) + newline for row in rows)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [["id", "x2", "x1"]] + [[f"r{i}", float32_text(b), float32_text(a)] for i, (a, b) in enumerate(POINTS)]
    (tmp_path / "points.csv").write_text(csv_text(rows))
    return tmp_path / "points.csv"


def expected(answers: list[list[str]], table: Path) -> str:
    """The table's own lines with the answers behind them."""
    lines = table.read_text().splitlines()
    added = ["label,probability_0,probability_1", *map(",".join, answers)]
    return "".join(f"{line},{ending}\n" for line, ending in zip(lines, added, strict=True))


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (7, 3), (333, 2), (1000, 1), (10_000, 4), (None, 1)])
def test_csv_has_the_same_bytes_whatever_the_batch_and_the_threads(
    parity, xor_package: Path, table: Path, answers: list[list[str]], batch: int | None, threads: int
) -> None:
    options = ["--threads", threads, *(["--batch-size", batch] if batch else [])]
    assert parity("predict", xor_package, table, *options).out == expected(answers, table)
    done = parity("predict", xor_package, table, *options, "--out", table.parent / "out.csv")
    assert done.err.endswith(f"{ROWS} rows predicted in {table.parent / 'out.csv'}\n")
    assert (table.parent / "out.csv").read_text() == expected(answers, table)


def test_a_pipe_has_the_same_bytes_as_a_file(xor_package: Path, table: Path, answers: list[list[str]]) -> None:
    command = [PARITY, "predict", str(xor_package), "-", "--batch-size", "64"]
    done = subprocess.run(command, input=table.read_bytes(), capture_output=True, check=True)
    assert done.stdout.decode() == expected(answers, table)


def test_other_cells_keep_their_bytes(parity, xor_package: Path, tmp_path: Path) -> None:
    rows = [
        b'"a ""quoted"" name","x1",x2 ,other\n',
        b'"two\nlines",1,0,"1,5"\n',
        b'"=1+1",0,1,  spaced \n',
        '"é",1,1,"\u2028"\n'.encode(),
        b'5" pipe,0,0,\n',
        b'"",1,0,""',
    ]
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + b"".join(rows))
    out = tmp_path / "o.csv"
    assert parity("predict", xor_package, tmp_path / "t.csv", "--out", out, "--columns", "").code == 0
    found = out.read_bytes()
    for row in rows:
        assert row.removesuffix(b"\n") + b"," in found
    assert [row[4] for row in csv.reader(io.StringIO(found.decode(), newline=""))] == ["label", "1", "1", "0", "0", "1"]


def test_line_ends_and_delimiters_stay(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"id;x1;x2\r\na,b;1;0\r\n\r\nc;0;0\r\n")
    done = parity("predict", xor_package, tmp_path / "t.csv", "--delimiter", ";", "--out", tmp_path / "o.csv")
    assert done.code == 0, done
    lines = (tmp_path / "o.csv").read_bytes().split(b"\r\n")
    assert [line.split(b";")[:4] for line in lines[:-1]] == [
        [b"id", b"x1", b"x2", b"label"],
        [b"a,b", b"1", b"0", b"1"],
        [b"c", b"0", b"0", b"0"],
    ]
    (tmp_path / "t.tsv").write_text("x1\tx2\n1\t0\n")
    assert parity("predict", xor_package, tmp_path / "t.tsv").out.splitlines()[1].startswith("1\t0\t1\t")


def test_a_table_without_a_header_takes_names(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("7,1,0\n8,0,0\n")
    refused = parity("predict", xor_package, tmp_path / "t.csv")
    assert refused.is_refused(1, "no column 'x1'", "--header")
    lines = parity("predict", xor_package, tmp_path / "t.csv", "--header", 'id,"x1",x2').out.splitlines()
    assert [line.split(",")[:4] for line in lines] == [["id", "x1", "x2", "label"], ["7", "1", "0", "1"], list("8000")]


def test_only_some_columns_are_written(parity, xor_package: Path, table: Path, answers: list[list[str]]) -> None:
    lines = parity("predict", xor_package, table, "--columns", "label,id").out.splitlines()
    assert lines == ["id,label", *(f"r{row},{answer[0]}" for row, answer in enumerate(answers))]
    lines = parity("predict", xor_package, table, "--columns", "probability_1").out.splitlines()
    assert lines == ["probability_1", *(answer[2] for answer in answers)]
    assert parity("predict", xor_package, table, "--columns", "id").out.splitlines()[:2] == ["id", "r0"]
    assert parity("predict", xor_package, table, "--columns", "idd").is_refused(1, "no column 'idd'", "probability_1")


def test_json_lines_keep_their_text(parity, xor_package: Path, tmp_path: Path, answers: list[list[str]]) -> None:
    lines = [f'{{"id": {row},  "x1":{a}, "x2": {b}, "deep": {{"é": [1, null]}}}}' for row, (a, b) in enumerate(POINTS)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for options in ([], ["--batch-size", "7", "--threads", "2"]):
        found = parity("predict", xor_package, tmp_path / "t.jsonl", *options).out.splitlines()
        for line, before, (label, *numbers) in zip(found, lines, answers, strict=True):
            assert line.startswith(before[:-1])
            assert json.loads(line) == json.loads(before) | {
                "label": int(label), "probability_0": float(numbers[0]), "probability_1": float(numbers[1])
            }  # fmt: skip
    chosen = parity("predict", xor_package, tmp_path / "t.jsonl", "--columns", "id,label").out.splitlines()
    assert [*map(json.loads, chosen)] == [{"id": row, "label": int(a[0])} for row, a in enumerate(answers)]
    (tmp_path / "in").write_text(lines[0])
    assert parity("predict", xor_package, tmp_path / "in", "--format", "jsonl").out.splitlines() == found[:1]


def test_arrays(parity, xor_package: Path, tmp_path: Path, answers: list[list[str]]) -> None:
    np.save(tmp_path / "t.npy", POINTS)
    done = parity("predict", xor_package, tmp_path / "t.npy", "--batch-size", 99, "--out", tmp_path / "o.npy")
    assert done.code == 0, done
    found = np.load(tmp_path / "o.npy")
    assert found.dtype.names == ("x1", "x2", "label", "probability_0", "probability_1")
    assert (found["x1"] == POINTS[:, 0]).all() and (found["x2"] == POINTS[:, 1]).all()
    assert [[str(row["label"]), float32_text(row["probability_0"]), float32_text(row["probability_1"])]
            for row in found] == answers  # fmt: skip
    run_cached = parity("predict", xor_package, tmp_path / "o.npy")
    assert run_cached.is_refused(1, "a column 'label' already")
    text = parity("predict", xor_package, tmp_path / "t.npy").out.splitlines()
    assert [line.split(",")[2:] for line in text[1:]] == answers


def test_an_array_of_classes_with_names(parity, species_package: Path, tmp_path: Path) -> None:
    rows = np.zeros(3, [("d", "f8"), ("a", "i4"), ("b", "f4"), ("c", "f8"), ("name", "U3")])
    rows["name"] = "abc"
    np.save(tmp_path / "t.npy", rows)
    assert parity("predict", species_package, tmp_path / "t.npy", "--out", tmp_path / "o.npy").code == 0
    found = np.load(tmp_path / "o.npy")
    assert found.dtype.names[:6] == ("d", "a", "b", "c", "name", "label")
    assert (found["label"] == Predictor(species_package).predict(np.zeros((3, 4)))).all()
    assert (found["name"] == "abc").all()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_arrow_and_parquet(parity, xor_package: Path, tmp_path: Path, answers: list[list[str]], suffix: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    table = pyarrow.table({"id": [f"r{i}" for i in range(ROWS)], "x2": POINTS[:, 1], "x1": POINTS[:, 0].astype(float)})
    source, out = tmp_path / f"t{suffix}", tmp_path / f"o{suffix}"
    if suffix == ".parquet":
        parquet.write_table(table, source, row_group_size=300)
    else:
        feather.write_feather(table, source, compression="uncompressed")
    for batch in (7, 1000):
        done = parity("predict", xor_package, source, "--batch-size", batch, "--threads", 2, "--out", out)
        assert done.code == 0, done
        found = (parquet.read_table if suffix == ".parquet" else feather.read_table)(out)
        assert found.select(["id", "x2", "x1"]).equals(table)
        assert found.schema.field("probability_1").type == pyarrow.float32()
        assert [[str(row["label"]), *(float32_text(np.float32(row[f"probability_{k}"])) for k in (0, 1))]
                for row in found.to_pylist()] == answers  # fmt: skip
    text = parity("predict", xor_package, source).out.splitlines()
    assert [line.split(",")[3:] for line in text[1:]] == answers


@pytest.mark.parametrize(("name", "content"), [("t.csv", "id,x1,x2\n"), ("t.csv", "id,x1,x2"), ("t.csv", "x1,x2\n\n")])
def test_a_header_without_rows_gives_a_header(
    parity, xor_package: Path, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    added = ",label,probability_0,probability_1\n"
    assert parity("predict", xor_package, tmp_path / name).out == content.splitlines()[0] + added


def test_an_array_without_rows_gives_one_without_rows(parity, xor_package: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.zeros((0, 2), np.float32))
    assert parity("predict", xor_package, tmp_path / "t.npy", "--out", tmp_path / "o.npy").code == 0
    assert len(np.load(tmp_path / "o.npy")) == 0
    assert np.load(tmp_path / "o.npy").dtype.names[-1] == "probability_1"


def test_a_regression_and_its_error_bounds(parity, certified_rent_package: Path, tmp_path: Path) -> None:
    predictor = Predictor(certified_rent_package, certified=True)
    names = [feature.name for feature in predictor.contract.columns]
    (tmp_path / "t.csv").write_text(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n")
    header, row = parity("predict", certified_rent_package, tmp_path / "t.csv", "--certified").out.splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    outputs = predictor.run({"features": np.ones((1, len(names)))})
    for index, target in enumerate(predictor.contract.targets):
        assert found[target] == float32_text(outputs["value"][0, index])
        assert found[f"error_bound_{target}"] == float32_text(outputs["error_bound"][0, index])


def test_an_error_bound_beyond_numbers_is_null_in_json(parity, certified_rent_package: Path, tmp_path: Path) -> None:
    names = [feature.name for feature in Predictor(certified_rent_package).contract.columns]
    (tmp_path / "t.jsonl").write_text(json.dumps(dict.fromkeys(names, 3e38)) + "\n")
    done = parity("predict", certified_rent_package, tmp_path / "t.jsonl", "--certified")
    found = json.loads(done.out)
    assert all(value is None for name, value in found.items() if name.startswith("error_bound_")), found


BAD = [["x1", "x2"], ["0", "0"], ["1", "abc"], ["1", "0"], ["1"], ["0", "1", "2"], ["inf", "1"], ["1", ""], ["0", "1"]]
REASONS = ["row 2: x2 is 'abc'", "row 4: 1 cells", "row 5: 3 cells", "row 6: x1 is 'inf'", "row 7: x2 is missing"]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_rows_that_cannot_be_answered_are_left_out(parity, xor_package: Path, tmp_path: Path, batch: int) -> None:
    (tmp_path / "t.csv").write_text(csv_text(BAD))
    done = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "skip", "--batch-size", batch)
    assert [line.split(",")[:3] for line in done.out.splitlines()[1:]] == [list("000"), list("101"), list("011")]
    for reason in [*REASONS, "5 rows were left out"]:
        assert reason in done.err
    assert done.code == 0


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_rows_that_cannot_be_answered_have_no_answer(parity, xor_package: Path, tmp_path: Path, batch: int) -> None:
    (tmp_path / "t.csv").write_text(csv_text(BAD))
    done = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "null", "--batch-size", batch)
    lines = done.out.splitlines()[1:]
    assert [lines[row] for row in (1, 3, 4, 5, 6)] == ["1,abc,,,", "1,,,,", "0,1,2,,,", "inf,1,,,", "1,,,,"]
    assert [lines[row].split(",")[2] for row in (0, 2, 7)] == ["0", "1", "1"]
    assert "5 rows were left without a prediction" in done.err
    chosen = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "null", "--columns", "x2,label")
    assert chosen.out.splitlines()[1:] == ["0,0", "abc,", "0,1", '"",', "1,", "1,", '"",', "1,1"]


def test_the_answers_beside_bad_rows_are_the_same_bits(
    parity, xor_package: Path, table: Path, answers: list[list[str]]
) -> None:
    lines = table.read_text().splitlines()
    for row in range(3, ROWS, 5):
        lines[row] = "bad,,"
    table.write_text("\n".join(lines))
    done = parity(
        "predict", xor_package, table, "--errors", "skip", "--batch-size", 11, "--columns", "label,probability_0"
    )
    kept = [answer for row, answer in enumerate(answers) if (row + 1 - 3) % 5 or row + 1 < 3]
    assert done.out.splitlines()[1:] == [",".join(answer[:2]) for answer in kept]


def test_json_lines_that_cannot_be_answered(parity, xor_package: Path, tmp_path: Path) -> None:
    lines = ['{"x1": 1, "x2": 0}', '{"x1": 1}', '{"x1": true, "x2": 0}', '{"x1": "1", "x2": 0}', "[1, 2]", "{", "",
             '{"x1": NaN, "x2": 0}', '{"x1": 1, "x1": 0, "x2": 0}', '{"x1": null, "x2": 0}',
             '{"x1": 1' + "0" * 400 + ', "x2": 0}', '{"x1": 0, "x2": 0}']  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    done = parity("predict", xor_package, tmp_path / "t.jsonl", "--errors", "skip")
    assert [json.loads(line)["label"] for line in done.out.splitlines()] == [1, 0]
    for reason in ["row 2: there is no 'x2'", "row 3: x1 is true", "row 4: x1 is \"1\"", "row 5: not a JSON object",
                   "row 7: not a JSON object: NaN", "row 8: not a JSON object: a key is there twice",
                   "row 9: x1 is missing", "9 rows were left out"]:  # fmt: skip
        assert reason in done.err
    null = parity("predict", xor_package, tmp_path / "t.jsonl", "--errors", "null").out.splitlines()
    assert len(null) == 11 and null[4] == "{"[:0] + lines[4] and null[5] == "{"
    assert json.loads(null[1]) == {"x1": 1, "label": None, "probability_0": None, "probability_1": None}
    stopped = parity("predict", xor_package, tmp_path / "t.jsonl", "--out", tmp_path / "o.jsonl")
    assert stopped.is_refused(1, "row 2: there is no 'x2'")
    assert not (tmp_path / "o.jsonl").exists()


def test_many_bad_rows_are_counted_not_listed(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n" + "a,b\n" * 500)
    done = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "skip", "--batch-size", 7)
    assert len(done.err.splitlines()) == 21 and "500 rows" in done.err


def test_formulas_pass_through_unless_a_spreadsheet_will_read_them(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('x1,x2,note\n-1,0,=1+1\n1,0,"@SUM(A1,B1)"\n0,0,-x\n1,1, +1\n')
    as_is = parity("predict", xor_package, tmp_path / "t.csv").out.splitlines()
    assert as_is[1].startswith("-1,0,=1+1,") and as_is[2].startswith('1,0,"@SUM(A1,B1)",')
    safe = parity("predict", xor_package, tmp_path / "t.csv", "--spreadsheet-safe").out
    notes = [row[2] for row in csv.reader(io.StringIO(safe))]
    assert notes == ["note", "'=1+1", "'@SUM(A1,B1)", "'-x", " +1"]
    assert safe.splitlines()[1].startswith("-1,0,")
    (tmp_path / "t.jsonl").write_text('{"x1": 1, "x2": 0}\n')
    refused = parity("predict", xor_package, tmp_path / "t.jsonl", "--spreadsheet-safe")
    assert refused.is_refused(1, "--spreadsheet-safe is for CSV")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".npy", ".parquet"])
def test_evaluate_reads_every_format_and_says_the_same(parity, xor_package: Path, tmp_path: Path, suffix: str) -> None:
    truth = np.random.default_rng(0).integers(0, 2, ROWS)
    rows = [{"x1": float(a), "x2": float(b), "label": int(t)} for (a, b), t in zip(POINTS, truth, strict=True)]
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        path.write_text(csv_text([["x1", "x2", "label"], *([str(v) for v in row.values()] for row in rows)]))
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".npy":
        columns = [("x1", "f8"), ("x2", "f8"), ("label", "i8")]
        np.save(path, np.array([tuple(row.values()) for row in rows], columns))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = json.loads(parity("evaluate", xor_package, path, "--target", "label", "--json").out)
    cells = [["x1", "x2", "label"], *([str(value) for value in row.values()] for row in rows)]
    (tmp_path / "again.csv").write_text(csv_text(cells))
    same = json.loads(parity("evaluate", xor_package, tmp_path / "again.csv", "--target", "label", "--json").out)
    assert found == same
    assert found["rows"] == ROWS and found["accuracy"] == pytest.approx(np.mean(
        Predictor(xor_package).predict(POINTS) == truth))  # fmt: skip
