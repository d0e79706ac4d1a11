"""Tables that are hard to read: the same cell means the same in every reader, chunk and format."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime import Predictor, predict_batches
from parity_runtime.tables import plain_numbers
from parity_runtime.tables.csv_file import csv_chunks, csv_line
from tests.refusals import refused_at
from tests.unmeasured import unmeasured

PARITY = str(Path(sys.executable).parent / "parity")
ODD = ["0\u00a0", "\u00a00", "\u20030", "0\u2028", "0\x85", "0\x1f", "\ufeff0", "1_0", "\u0663", "0x1p3", "nan(3)",
       "+1", ".5", "1.", " 1 ", "\t1", "1e5", "1e999", "-inf", "NaN", "-nan", "", " ", "1d5", "1 2", "true",
       "1,5", "NA", "N/A", "-", "?", ".", "None "]  # fmt: skip


def answer_of(parity, package: Path, path: Path, *options: object) -> str:  # type: ignore[no-untyped-def]
    """The label of the row that is marked, or why it has none."""
    done = parity("predict", package, path, "--errors", "skip", *options)
    found = [line for line in done.out.splitlines() if line.startswith("odd,")]
    return found[0] if found else done.err.partition(": ")[2].splitlines()[0].partition(" is ")[2]


@pytest.mark.parametrize("cell", ODD)
def test_a_cell_means_the_same_in_every_reader(
    parity, xor_package: Path, tmp_path: Path, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = f'"{cell}"' if "," in cell else cell
    row = f"odd,{quoted},1\n"
    (tmp_path / "small.csv").write_text("id,x1,x2\n" + row)
    (tmp_path / "large.csv").write_text("id,x1,x2\n" + row + "r,0,1\n" * 5000)
    (tmp_path / "beside.csv").write_text("id,x1,x2\n" + row + '"r",0,1\n')
    found = {name: answer_of(parity, xor_package, tmp_path / f"{name}.csv") for name in ("small", "large", "beside")}
    monkeypatch.setattr(plain_numbers, "has_pyarrow", lambda: False)
    found["without"] = answer_of(parity, xor_package, tmp_path / "large.csv")
    assert len(set(found.values())) == 1, found


TEXTS = st.text(st.sampled_from(list('ab01,;"\n\r\u00e9 =-')), max_size=6)


@given(
    rows=st.lists(st.tuples(TEXTS, st.sampled_from(["0", "1", "x", ""]), TEXTS), max_size=9),
    size=st.integers(1, 10), newline=st.sampled_from(["\n", "\r\n"]), bom=st.booleans(), blank=st.booleans(),
)  # fmt: skip
def test_chunks_hold_what_the_csv_module_reads(
    rows: list[tuple[str, str, str]], size: int, newline: str, bom: bool, blank: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline)
    rows = [(a.replace("\r", ""), b, c.replace("\r", "")) for a, b, c in rows]
    writer.writerows([("a", "b", "c"), *rows])
    data = ("\ufeff" * bom + (newline * blank) + text.getvalue()).encode()
    chunks = list(csv_chunks(io.BytesIO(data), "t", size))
    assert [tuple(cells) for chunk in chunks for cells in chunk.cells] == rows
    assert [tuple(next(csv.reader([record.decode()]))) for chunk in chunks for record in chunk.records if
            b"\n" not in record] == [row for row in rows if "\n" not in row[0] + row[2]]  # fmt: skip
    first = 1
    for chunk in chunks:
        assert chunk.first_row == first and len(chunk) <= size
        first += len(chunk)
        _, refused = chunk.read(["b"])
        assert sorted(refused) == [row for row, cells in enumerate(chunk.cells) if cells[1] == "x"]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_line_of_cells_reads_back(cells: list[str]) -> None:
    cells = [cell.encode(errors="replace").decode() for cell in cells]
    line = csv_line(cells).decode()
    assert next(csv.reader(io.StringIO(line, newline=""), strict=True), []) == cells or cells == [""]


def test_cells_with_line_ends_are_quoted(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'note,x1,x2\n"a\nb",0,1\n"c\rd",0,1\n')
    for options in (["--columns", "note,label"], ["--spreadsheet-safe"]):
        found = list(
            csv.DictReader(io.StringIO(parity("predict", xor_package, tmp_path / "t.csv", *options).out, newline=""))
        )
        assert [(row["note"], row["label"]) for row in found] == [("a\nb", "1"), ("c\rd", "1")]
    (tmp_path / "t.jsonl").write_text('{"note": "a\\nb", "x1": 0, "x2": 1}\n')
    parity("predict", xor_package, tmp_path / "t.jsonl", "--out", tmp_path / "o.csv")
    written = (tmp_path / "o.csv").read_text().splitlines()
    assert written[1] == '"a' and written[2].startswith('b",0,1,1,0.0')


def test_chosen_keys_of_json_keep_their_values(parity, xor_package: Path, tmp_path: Path) -> None:
    lines = ['{"x1":0,"b" : 5e-324,"c":1.10,"d":"\\ud800","e":{"\u00e9": [1.0]},"id":77777777777777777777,"x2":1}',
             '{"x1":0,"x2":1}']  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = parity("predict", xor_package, tmp_path / "t.jsonl", "--columns", "id,b,c,d,e,label")
    assert done.out.splitlines() == [
        '{"b": 5e-324, "c": 1.1, "d": "\\ud800", "e": {"\u00e9": [1.0]}, "id": 77777777777777777777, "label": 1}',
        '{"label": 1}',
    ]
    out = tmp_path / "o.csv"
    assert parity("predict", xor_package, tmp_path / "t.jsonl", "--out", out, "--columns", "b,c,e,label").code == 0
    assert out.read_text(encoding="utf-8").splitlines()[1] == '5e-324,1.1,"{""\u00e9"": [1.0]}",1'


def test_a_number_that_cannot_be_written_again_is_refused_unless_its_line_stays(
    parity, xor_package: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.jsonl").write_text('{"x1":0,"x2":1,"id":{"n":1e400},"m":1}\n')
    for options in (["--columns", "m,id,label"], ["--out", tmp_path / "o.csv"]):
        done = parity("predict", xor_package, tmp_path / "t.jsonl", *options)
        assert done.is_refused(1, "row 1: id cannot be written again", "--columns")
    assert not (tmp_path / "o.csv").exists()
    whole = parity("predict", xor_package, tmp_path / "t.jsonl").out
    assert whole.startswith('{"x1":0,"x2":1,"id":{"n":1e400},"m":1, ')
    assert parity("predict", xor_package, tmp_path / "t.jsonl", "--columns", "m,label").out == '{"m": 1, "label": 1}\n'


def test_json_lines_with_other_keys_are_no_csv(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"x1":0,"x2":1}\n{"x1":0,"x2":1,"note":"hi"}\n')
    done = parity("predict", xor_package, tmp_path / "t.jsonl", "--out", tmp_path / "o.csv")
    assert done.is_refused(1, "row 2", "'note'")
    assert parity("predict", xor_package, tmp_path / "t.jsonl").code == 0


@pytest.mark.parametrize("first", ["oops", "[" * 100_000, '{"x2": 1}'])
def test_a_first_line_that_cannot_be_answered_is_like_any_other(
    parity, xor_package: Path, tmp_path: Path, first: str
) -> None:
    (tmp_path / "t.jsonl").write_text(first + '\n{"x1":0,"x2":1}\n{"x1":0,"x2":1,"t":' + "[" * 50_000 + "}\n")
    done = parity("predict", xor_package, tmp_path / "t.jsonl", "--errors", "skip")
    assert [json.loads(line)["label"] for line in done.out.splitlines()] == [1]
    assert "row 1: " in done.err and "row 3: not a JSON object" in done.err and "2 rows were left out" in done.err


@pytest.mark.parametrize(("name", "delimiter"), [("o.json", ","), ("o.data", ","), ("O.CSV", ",")])
def test_a_name_without_a_known_suffix_has_the_tables_format(
    parity, xor_package: Path, tmp_path: Path, name: str, delimiter: str
) -> None:
    (tmp_path / "t.jsonl").write_text('{"x1":0,"x2":1}\n')
    assert parity("predict", xor_package, tmp_path / "t.jsonl", "--out", tmp_path / name).code == 0
    text = (tmp_path / name).read_text()
    assert text.startswith("x1,x2,label") if name == "O.CSV" else json.loads(text)["label"] == 1
    refused = parity("predict", xor_package, tmp_path / "t.jsonl", "--out", tmp_path / "o.csv.gz")
    assert refused.is_refused(1, "not written compressed")


def test_standard_output_by_name_is_appended_to(xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n")
    (tmp_path / "o").write_text("keep\n")
    command = f"{PARITY} predict {xor_package} t.csv --out /dev/stdout >> o"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "o").read_text().splitlines()[:2] == ["keep", "x1,x2,label,probability_0,probability_1"]


@pytest.mark.parametrize("redirect", ["2> >(true)", "2>/dev/full", "2>&-", ">&-"])
def test_a_job_with_a_file_does_not_need_anybody_to_listen(xor_package: Path, tmp_path: Path, redirect: str) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n" + "0,1\nbad,1\n" * 50)
    command = f"{PARITY} predict {xor_package} t.csv --errors skip --out o.csv {redirect}"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "o.csv").read_text().count("\n") == 51


def test_a_stray_carriage_return_is_refused_whatever_stands_beside_it(
    parity, xor_package: Path, tmp_path: Path
) -> None:
    for quoted in ("q", '"q"'):
        (tmp_path / "t.csv").write_bytes(f"x1,x2,note\n0,1,{quoted}\n0,1,b\r\r\n1,1,c\n".encode())
        for batch in (1, 100):
            done = parity(
                "predict", xor_package, tmp_path / "t.csv", "--batch-size", batch, "--out", tmp_path / "o.csv"
            )
            assert done.is_refused(1, "carriage return"), done


def test_long_cells_pass_and_an_open_quote_does_not_take_the_file(parity, xor_package: Path, tmp_path: Path) -> None:
    for cell in ("a" * 200_000, '"' + "a" * 200_000 + '"'):
        (tmp_path / "t.csv").write_text(f"note,x1,x2\n{cell},0,1\n")
        assert parity("predict", xor_package, tmp_path / "t.csv", "--columns", "label").out == "label\n1\n"
    (tmp_path / "t.csv").write_text('note,x1,x2\n"open,0,1\n' + "a,0,1\n" * 3_000_000)
    done = parity("predict", xor_package, tmp_path / "t.csv", "--batch-size", 100)
    assert done.is_refused(1, "line 2", "quote"), done


@pytest.mark.parametrize("delimiter", ["\x01", "|", "tab"])
def test_any_delimiter_that_can_separate(parity, xor_package: Path, tmp_path: Path, delimiter: str) -> None:
    between = "\t" if delimiter == "tab" else delimiter
    (tmp_path / "t.csv").write_text(f"x1{between}x2\n0{between}1\n")
    done = parity("predict", xor_package, tmp_path / "t.csv", "--delimiter", delimiter)
    assert done.out.splitlines()[1].split(between)[:3] == ["0", "1", "1"]


@pytest.mark.parametrize("header", ["PKID", "PAR1", "x1x"])
def test_a_header_that_begins_like_another_format_is_a_header(
    parity, xor_package: Path, tmp_path: Path, header: str
) -> None:
    (tmp_path / "t.csv").write_text(f"\n{header},x1,x2,,\n7,0,1,,\n")
    assert parity("predict", xor_package, tmp_path / "t.csv").out.splitlines()[1].startswith("7,0,1,,,1,")


def test_what_the_model_cannot_compute_is_no_answer(parity, species_package: Path, tmp_path: Path) -> None:
    names = [feature.name for feature in Predictor(species_package).contract.columns]
    (tmp_path / "t.csv").write_text(f"{','.join(names)},kind\n3e38,-3e38,3e38,-3e38,setosa\n")
    for command in (["predict"], ["evaluate", "--target", "kind"]):
        done = parity(command[0], species_package, tmp_path / "t.csv", *command[1:])
        assert done.is_refused(1, "row 1: the model computes no finite output")


def test_one_column_of_no_answers_keeps_its_rows(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n0,abc\n1,1\n")
    done = parity("predict", xor_package, tmp_path / "t.csv", "--errors", "null", "--columns", "label")
    assert done.out == 'label\n1\n""\n0\n'


def test_reasons_cost_no_more_for_many_rows(parity, xor_package: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.full((60_000, 2), np.nan))
    started = time.monotonic()
    assert parity("predict", xor_package, tmp_path / "t.npy").is_refused(1, "row 1: x1 is missing")
    assert parity("predict", xor_package, tmp_path / "t.npy", "--errors", "skip").code == 0
    assert time.monotonic() - started < 120  # a second; nine minutes where each row looks at all


def test_fields_of_every_kind_become_cells(parity, xor_package: Path, tmp_path: Path) -> None:
    rows = np.zeros(1, [("x1", ">f8"), ("x2", "i2"), ("t", "S10"), ("v", "f4", (2,)), ("价格", "f4")])
    rows["x2"], rows["t"], rows["v"], rows["价格"] = 1, b"caf\xc3\xa9", 0.1, 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, about the version of a file with such names
        np.save(tmp_path / "t.npy", rows, allow_pickle=False)
    cells = next(csv.DictReader(io.StringIO(parity("predict", xor_package, tmp_path / "t.npy").out)))
    assert (cells["t"], cells["价格"], cells["label"]) == ("café", "0.1", "1")
    refused = parity("predict", xor_package, tmp_path / "t.npy", "--out", tmp_path / "o.npy")
    assert refused.is_refused(1, "Latin-1")


def test_parquet_of_every_kind(parity, xor_package: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import decimal

    from pyarrow import feather, parquet

    exact = decimal.Decimal("0.6369617283344268798828125")
    table = pyarrow.table({
        "x1": pyarrow.array([exact, decimal.Decimal(1)], pyarrow.decimal128(38, 30)),
        "x2": pyarrow.array([1, 0], pyarrow.int8()),
        "kind": pyarrow.array(["a", "b"]).dictionary_encode(),
        "when": pyarrow.array([1, 10**18], pyarrow.timestamp("ns")),
        "flag": pyarrow.array([True, None]),
        "many": pyarrow.array([[1], None]),
    })  # fmt: skip
    source = tmp_path / "T.PARQUET"
    parquet.write_table(table, source, row_group_size=1)
    (tmp_path / "t.csv").write_text(f"x1,x2\n{exact},1\n1,0\n")
    ours = parity("predict", xor_package, tmp_path / "t.csv", "--columns", "label,probability_0").out
    assert parity("predict", xor_package, source, "--columns", "label,probability_0").out == ours
    cells = list(csv.DictReader(io.StringIO(parity("predict", xor_package, source, "--columns", "when,flag,kind").out)))
    assert [cell["flag"] for cell in cells] == ["true", ""] and cells[0]["when"].endswith("000001")
    assert parity("predict", xor_package, source).is_refused(1, "many holds list", "no cells")
    assert parity("predict", xor_package, source, "--batch-size", 1, "--out", tmp_path / "o.arrow").code == 0
    assert feather.read_table(tmp_path / "o.arrow")["kind"].to_pylist() == ["a", "b"]
    source.rename(tmp_path / "t.pq")
    done = parity("predict", xor_package, tmp_path / "t.pq", "--format", "parquet", "--columns", "label")
    assert done.out.splitlines()[0] == "label"
    parquet.write_table(pyarrow.table({"x1": [True], "x2": [1]}), tmp_path / "b.parquet")
    assert parity("predict", xor_package, tmp_path / "b.parquet").is_refused(1, "x1 holds bool, not numbers")


def test_answers_before_a_source_that_fails_are_given(xor_package: Path) -> None:
    def source():  # type: ignore[no-untyped-def]
        for _ in range(5):
            yield [[0, 1]]
        raise OSError("the disk is gone")

    for threads in (1, 2, 4):
        found = []
        with pytest.raises(OSError, match="gone"):
            for outputs in predict_batches(Predictor(xor_package), source(), threads=threads):
                found.append(outputs["label"][0])  # noqa: PERF401 -- what came before the error is looked at
        assert found == [1] * 5
        with refused_at(path="batch 2", row=2, column="x2"):
            list(predict_batches(Predictor(xor_package), [[[0, 1]], [[0, float("nan")]]], threads=threads))


def test_a_labelled_table_is_answered_where_its_label_is_left_out(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,x1,x2,label\n7,0,1,0\n")
    done = parity("predict", xor_package, tmp_path / "t.csv")
    added = "predicted_label,predicted_probability_0,predicted_probability_1"
    assert done.out.splitlines()[0] == f"id,x1,x2,label,{added}" and done.out.splitlines()[1].startswith("7,0,1,0,1,")
    assert done.err.splitlines() == [
        f"{tmp_path / 't.csv'} has the target's own column; the predictions are named predicted_label, ..."
    ]
    assert parity("predict", xor_package, tmp_path / "t.csv", "--columns", "label").is_refused(1, "'label' already")
    assert parity("predict", xor_package, tmp_path / "t.csv", "--prefix", "").is_refused(1, "'label' already")
    done = parity("predict", xor_package, tmp_path / "t.csv", "--columns", "label,predicted_label")
    assert done.out == "label,predicted_label\n0,1\n"
    done = parity("predict", xor_package, tmp_path / "t.csv", "--columns", "id,probability_1")
    assert done.out.splitlines()[0] == "id,probability_1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["t.jsonl", "--delimiter", ";"], "for CSV"), (["--row", "0,1", "--header", "a,b"], "not for --row"),
        (["t.csv", "--delimiter", "e"], "separate cells"), (["t.csv", "--columns", "a\nb"], "list of names"),
    ],
)  # fmt: skip
def test_options_that_would_do_nothing_are_refused(
    parity, xor_package: Path, tmp_path: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n")
    done = parity("predict", xor_package, *options)
    assert done.code == 2 and words in done.err


def test_a_file_keeps_its_permissions_and_is_never_the_table(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n0,1\n")
    (tmp_path / "o.csv").touch(mode=0o600)
    assert parity("predict", xor_package, tmp_path / "t.csv", "--out", tmp_path / "o.csv").code == 0
    assert (tmp_path / "o.csv").stat().st_mode & 0o777 == 0o600
    own = parity("predict", xor_package, tmp_path / "t.csv", "--out", tmp_path / "t.csv")
    assert own.is_refused(1, "the table itself")
    (tmp_path / "m.onnx").write_bytes((xor_package / "model.onnx").read_bytes())
    model = parity("predict", tmp_path / "m.onnx", tmp_path / "t.csv", "--out", tmp_path / "m.onnx")
    assert model.code == 1 and "must not change" in model.err
    assert parity("predict", xor_package, tmp_path / "t.csv", "--out", tmp_path).is_refused(1, "a folder")
    (tmp_path / "loop").symlink_to("loop")
    assert parity("predict", xor_package, tmp_path / "t.csv", "--out", tmp_path / "loop").is_refused(1, "loop")


def test_a_terminated_job_leaves_nothing(xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2\n" + "0,1\n" * 2_000_000)
    command = [
        PARITY,
        "predict",
        str(xor_package),
        str(tmp_path / "t.csv"),
        "--out",
        str(tmp_path / "o.csv"),
        "--batch-size",
        "64",
    ]
    process = subprocess.Popen(command, env=unmeasured())
    while not list(tmp_path.glob(".o.csv.*")):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
