"""``parity predict``, ``evaluate``, ``bench``, ``info`` on tables of text, dates and truth values, also compressed."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor

LINES = [
    "id,sold,color,size,when,new,code",
    "1,yes,red,1.5,2020-01-01,true,3.0",
    "2,no,,,NA,,",
    "3,yes,crème brûlée,2,1969-12-31 23:59:59.5,0,10",
    "4,no,Unknown,3,2000-02-29T00:00:00+02:00,FALSE,007",
]
ROWS = [["red", 1.5, "2020-01-01", True, 3], [None] * 5, ["crème brûlée", 2, "1969-12-31T23:59:59", 0, 10],
        ["Unknown", 3, "2000-02-28T22:00:00", False, "007"]]  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sold.csv"
    path.write_text("\n".join(LINES) + "\n")
    return path


@pytest.fixture(scope="module")
def labels(mixed_package: Path) -> list[str]:
    return Predictor(mixed_package).predict(ROWS).tolist()


def test_every_format_has_the_same_answers(parity, mixed_package: Path, table: Path, labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    written = parity("predict", mixed_package, table).out.splitlines()
    assert [line.split(",")[-3] for line in written[1:]] == labels
    assert all(line.startswith(original) for line, original in zip(written, LINES, strict=True))
    quoted = table.with_name("quoted.csv")
    quoted.write_text(table.read_text().replace("crème brûlée", '"crème brûlée"'))
    objects = table.with_name("sold.jsonl")
    names = LINES[0].split(",")
    objects.write_text(
        "".join(
            json.dumps(dict(zip(names[2:], row, strict=True)) | {"id": i}, ensure_ascii=False) + "\n"
            for i, row in enumerate(ROWS, 1)
        )
    )
    for path in (quoted, objects):
        found = parity("predict", mixed_package, path, "--columns", "label", "--out", table.with_name("out.csv"))
        assert found.code == 0, found
        assert table.with_name("out.csv").read_text().splitlines() == ["label", *labels]


def test_parquet_has_the_same_answers(parity, mixed_package: Path, table: Path, labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    pandas, parquet = pytest.importorskip("pandas"), pytest.importorskip("pyarrow.parquet")
    frame = pandas.DataFrame(ROWS, columns=LINES[0].split(",")[2:]).astype({"color": "category"})
    frame["new"] = frame["new"].map({True: True, False: False}).astype("boolean")
    frame["when"] = pandas.to_datetime(frame["when"], format="ISO8601").dt.tz_localize("UTC")
    frame["code"] = frame["code"].astype("string")
    frame.to_parquet(table.with_name("sold.parquet"))
    out = table.with_name("out.parquet")
    assert parity("predict", mixed_package, table.with_name("sold.parquet"), "--out", out).code == 0
    assert parquet.read_table(out)["label"].to_pylist() == labels


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv.gz", "t.CSV.GZ", "t.tsv", "t.jsonl.gz"])
def test_compressed_tables_and_tabs(parity, mixed_package: Path, tmp_path: Path, name: str, labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    text = "\ufeff" + "\n".join(LINES) + "\n"
    if "tsv" in name:
        text = text.replace(",", "\t")
    if "jsonl" in name:
        keys = LINES[0].split(",")[2:]
        text = "".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in ROWS)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode())
    found = parity("predict", mixed_package, tmp_path / name, "--columns", "label", "--out", tmp_path / "out.csv")
    assert found.code == 0, found
    assert (tmp_path / "out.csv").read_text().splitlines() == ["label", *labels]


def test_a_damaged_compressed_table_is_one_line(parity, mixed_package: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = gzip.compress(("\n".join(LINES) + "\n").encode())
    flipped = bytearray(whole)
    flipped[30] ^= 0xFF
    for data in (whole[:60], b"id,sold\n", bytes(flipped), whole[:-4] + b"\0\0\0\0"):
        (tmp_path / "t.csv.gz").write_bytes(data)
        found = parity("predict", mixed_package, tmp_path / "t.csv.gz", "--out", tmp_path / "out.csv")
        assert found.code == 1 and "t.csv.gz cannot be decompressed" in found.err and found.err.count("\n") == 1
        assert not (tmp_path / "out.csv").exists()
    (tmp_path / "t.parquet.gz").write_bytes(whole)
    found = parity("predict", mixed_package, tmp_path / "t.parquet.gz")
    assert found.code == 2 and "decompress it first: gunzip " in found.err
    (tmp_path / "t.csv").write_bytes(whole)
    assert "give it a name that ends in .gz" in parity("predict", mixed_package, tmp_path / "t.csv").err


def test_a_compressed_table_takes_constant_memory(tmp_path: Path) -> None:
    """Half a megabyte of gzip may be half a gigabyte of text: it is read as it is decompressed."""
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"a,b\n")
        for _ in range(400):
            file.write((b"x" * 1021 + b",1\n") * 1024)
    script = (
        "import sys; from parity_runtime.tables.table_file import TableFile;"
        "print(sum(len(chunk) for chunk in TableFile.named(sys.argv[1]).chunks(4096)));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "t.csv.gz")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == 400 * 1024 and peak < 150_000  # kB, of 400 MB of text


def test_own_test_table_is_answered_behind_a_prefix(parity, mixed_package: Path, table: Path) -> None:  # type: ignore[no-untyped-def]
    table.write_text(table.read_text().replace("sold", "label"))
    found = parity("predict", mixed_package, table)
    assert found.code == 1
    assert "has a column 'label' already; rename it, or add --prefix predicted_, so that neither is lost" in found.err
    out = parity("predict", mixed_package, table, "--prefix", "predicted_", "--out-of-range", "mark").out
    added = ["predicted_label", "predicted_probability_no", "predicted_probability_yes", "predicted_out_of_range"]
    assert out.splitlines()[0].split(",")[-4:] == added
    chosen = parity("predict", mixed_package, table, "--prefix", "predicted_", "--columns", "label,predicted_label").out
    assert chosen.splitlines()[:2] == ["label,predicted_label", "yes,yes"]
    lines = table.with_name("t.jsonl")
    lines.write_text('{"color": "red", "size": 1, "when": null, "new": true, "code": 3, "label": "x"}\n')
    assert "add --prefix predicted_" in parity("predict", mixed_package, lines).err
    found = json.loads(parity("predict", mixed_package, lines, "--prefix", "p_").out)
    assert found["label"] == "x" and found["p_label"] in ("yes", "no")


def test_rows_on_the_command_line(parity, mixed_package: Path, labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    found = parity(
        "predict",
        mixed_package,
        "--row",
        "red, 1.5, 2020-01-01, true, 3",
        "--row",
        '"crème brûlée",2,1969-12-31T23:59:59,0,10',
    )
    assert [line.split(",")[-3] for line in found.out.splitlines()[1:]] == [labels[0], labels[2]]
    assert parity("predict", mixed_package, "--row", '"a, b",,,,').out.splitlines()[1].startswith('"a, b",,,,,')
    for row, problem in (
        ('red, "1.5', 'is not a row of CSV (unexpected end of data); quote a cell as "a, b"'),
        ("red, 1.5", "--row red, 1.5 has 2 cells; it takes color, size, when, new, code"),
        (
            "red,1,noon,1,3",
            "row 1: when is 'noon', not a date of the years 1 to 9999 in ISO 8601; write it as 2024-12-31",
        ),
        ("red,1,,maybe,3", "row 1: new is 'maybe', neither true nor false (nor 1 or 0)"),
        ("red,x,,1,3", "row 1: size is 'x', not a number"),
    ):
        found = parity("predict", mixed_package, "--row", row)
        assert found.code == 1 and problem in found.err, found


def test_rows_that_cannot_be_answered(parity, mixed_package: Path, table: Path) -> None:  # type: ignore[no-untyped-def]
    table.write_text(table.read_text() + "5,no,red,1,31.12.2020,1,1\n6,no,red,1,,maybe,1\n7,no,red,1\n")
    found = parity("predict", mixed_package, table, "--errors", "null")
    assert found.code == 0 and found.out.splitlines()[5] == "5,no,red,1,31.12.2020,1,1,,,"
    assert [line.split(": ")[1].rpartition(" ")[0] for line in found.err.splitlines()[:3]] == [f"{table}, row"] * 3
    skipped = parity("predict", mixed_package, table, "--errors", "skip")
    assert len(skipped.out.splitlines()) == 5 and "3 rows were left out" in skipped.err
    stopped = parity("predict", mixed_package, table)
    assert stopped.code == 1 and "row 5: when is '31.12.2020', not a date" in stopped.err


def test_dates_outside_what_training_saw(parity, mixed_package: Path, table: Path) -> None:  # type: ignore[no-untyped-def]
    table.write_text("color,size,when,new,code\nzz,1,2050-01-01,1,77\nzz,,,1,77\nzz,1,2020-01-01,1,77\n")
    found = parity("predict", mixed_package, table, "--out-of-range", "mark").out.splitlines()[1:]
    assert [line.split(",")[-1] for line in found] == ["true", "false", "false"]
    found = parity("predict", mixed_package, table, "--out-of-range", "refuse")
    seen = "outside what the model has seen in training, 1969-12-31T00:00:00Z to 2020-09-13T12:26:40Z"
    assert f"when is '2050-01-01', {seen}" in found.err


def test_evaluate_bench_and_info(parity, mixed_package: Path, table: Path) -> None:  # type: ignore[no-untyped-def]
    found = json.loads(parity("evaluate", mixed_package, table, "--json").out)
    assert found["rows"] == 4 and found["accuracy"] in (0.25, 0.5, 0.75, 1)
    figures = json.loads(parity("bench", mixed_package, "--seconds", "0.01", "--json").out)
    assert figures["latency"]["parity"]["p50_us"] > 0 and len(figures["throughput"]) > 3
    told = parity("info", mixed_package).out
    assert "feature     color (categorical; 3 values in training: red, green, crème brûlée)" in told
    assert "feature     when (datetime; missing: impute; 1969-12-31 to 2020-09-13 in training)" in told
    assert (
        "feature     size (missing: impute; 0 to 10 in training)" in told and "new (boolean; missing: impute)" in told
    )


def test_a_missing_column_is_told_with_the_nearest(parity, mixed_package: Path, table: Path) -> None:  # type: ignore[no-untyped-def]
    table.write_text(table.read_text().replace("color", "colour"))
    found = parity("predict", mixed_package, table)
    assert (
        found.code == 1
        and "has no column 'color'; it has id, sold, colour, size, when, new, code; did you mean 'colour'?" in found.err
    )


def test_decimal_commas_beside_text(parity, mixed_package: Path, table: Path, labels: list[str]) -> None:  # type: ignore[no-untyped-def]
    text = table.read_text().replace(",", ";").replace("1.5", "1,5").replace("3.0", "3,0").replace("59.5", "59,5")
    table.write_text(text)
    found = parity("predict", mixed_package, table, "--columns", "label")
    assert (
        found.out.splitlines() == ["label", *labels] and "semicolons between its cells and decimal commas" in found.err
    )


def test_many_rows_have_the_same_bytes_whatever_the_batch(parity, mixed_package: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    lines = [LINES[0], *(LINES[1 + place] for place in random.integers(0, 4, 9000))]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    whole = parity("predict", mixed_package, tmp_path / "t.csv").out
    assert whole.count("\n") == 9001
    assert parity("predict", mixed_package, tmp_path / "t.csv", "--batch-size", 1000, "--threads", 2).out == whole
