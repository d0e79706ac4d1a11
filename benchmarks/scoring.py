"""``parity predict`` on files beside scripts of pandas, polars and pyarrow that do the same.

Prints one JSON object. Every time is that of a whole process, imports included, as a nightly job pays it; a ratio is
the script's time over ours, of pairs that run in turn: the median, with the quartiles beside it. The results of all
are compared before they are timed. Where nothing else is said, Parity and polars work on as many cores as there are.
``--only csv,parquet,jsonl,memory,pipe`` measures a part.
"""

import hashlib
import subprocess
import sys
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, clean_environment, measured, print_parts, run, summary

PACKAGE = ROOT / "tests" / "data" / "xor"
MILLION = 1_000_000
PAIRS = 11
FOLDER = tempfile.TemporaryDirectory()

PREDICT = "import sys; from parity_runtime.cli.main import main; main(['predict', *sys.argv[1:]])"
WITHOUT_PYARROW = f"import sys; sys.modules['pyarrow'] = None; {PREDICT}"
MODEL = """
import sys
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
source, out = sys.argv[2:]
def answers(columns):
    features = np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
    label, probabilities, _ = session.run(None, {"features": features})
    return {"label": label, "probability_0": probabilities[:, 0], "probability_1": probabilities[:, 1]}
"""
PANDAS = f"""{MODEL}
import pandas
table = pandas.read_csv(source)
table.assign(**answers([table["x1"], table["x2"]])).to_csv(out, index=False)
"""
POLARS = f"""{MODEL}
import polars
table = polars.read_csv(source)
table.with_columns(polars.Series(k, v) for k, v in answers([table["x1"], table["x2"]]).items()).write_csv(out)
"""
PANDAS_JSON = f"""{MODEL}
import pandas
table = pandas.read_json(source, lines=True)
table.assign(**answers([table["x1"], table["x2"]])).to_json(out, orient="records", lines=True)
"""
PYARROW = f"""{MODEL}
import pyarrow, pyarrow.csv, pyarrow.parquet
parquet = source.endswith("parquet")
table = pyarrow.parquet.read_table(source) if parquet else pyarrow.csv.read_csv(source)
for name, values in answers([table["x1"], table["x2"]]).items():
    table = table.append_column(name, pyarrow.array(values))
pyarrow.parquet.write_table(table, out) if parquet else pyarrow.csv.write_csv(table, out)
"""


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"csv": csv, "parquet": parquet, "jsonl": jsonl, "memory": memory, "pipe": pipe})


def csv() -> dict[str, Any]:
    """Return pandas', polars' and pyarrow's time over ours, for a million rows from CSV to CSV."""
    source, out = csv_file(MILLION), path("ours.csv")
    bare, fast = ours(source, out, WITHOUT_PYARROW), ours(source, out)
    cases = {
        "CSV: pandas over parity": (PANDAS, bare, "at least 2.5"),
        "CSV: pyarrow over parity[tables]": (PYARROW, fast, "at least 1"),
        "CSV: polars over parity[tables]": (POLARS, fast, "at least 0.9"),
        "CSV: polars over parity[tables], 1 thread": (POLARS, [*fast, "--threads", "1"], "reported"),
    }
    return {name: compared(script, command, source, "csv") | {"target": target}
            for name, (script, command, target) in cases.items()}  # fmt: skip


def parquet() -> dict[str, Any]:
    """Return our time over that of pyarrow's read, one raw run and pyarrow's write, for a million rows."""
    source = path("table.parquet")
    import pyarrow.csv as arrow_csv
    from pyarrow import parquet as arrow_parquet

    arrow_parquet.write_table(arrow_csv.read_csv(csv_file(MILLION)), source)
    found = compared(PYARROW, ours(source, path("ours.parquet")), source, "parquet")
    low, high = (round(1 / quartile, 3) for quartile in reversed(found["quartiles"]))
    figures = {"ratio": round(1 / found["ratio"], 3), "quartiles": [low, high], "target": "at most 1.1"}
    return {"Parquet: parity[tables] over pyarrow": figures}


def jsonl() -> dict[str, Any]:
    """Return pandas' time over ours, for a million rows of JSON Lines."""
    import pandas

    source = path("table.jsonl")
    pandas.read_csv(csv_file(MILLION)).to_json(source, orient="records", lines=True)
    found = compared(PANDAS_JSON, ours(source, path("ours.jsonl")), source, "jsonl")
    return {"JSON Lines: pandas over parity[tables]": found | {"target": "at least 3"}}


def memory() -> dict[str, Any]:
    """Return the peak memory of ten million rows over that of one million."""
    out = path("ours.csv")
    peaks = {rows: measured(ours(csv_file(rows), out, WITHOUT_PYARROW))["mb"] for rows in (MILLION, 10 * MILLION)}
    fast = {rows: measured(ours(csv_file(rows), out))["mb"] for rows in (MILLION, 10 * MILLION)}
    return {
        f"peak memory, 10M rows over 1M, {name}": {
            "ratio": round(found[10 * MILLION] / found[MILLION], 3),
            "target": "at most 1.2",
            "megabytes": [round(value) for value in found.values()],
        }
        for name, found in (("parity", peaks), ("parity[tables]", fast))
    }


def pipe() -> dict[str, Any]:
    """Return whether ten million rows have the same bytes through a pipe, by name, in any batches and threads."""
    source = csv_file(10 * MILLION)
    digests = {}
    for name, table, options in (
        ("by name", source, []),
        ("pipe", "-", []),
        ("pipe, batches of 1000", "-", ["--batch-size", "1000"]),
        ("by name, 1 thread", source, ["--threads", "1"]),
        ("by name, without pyarrow", source, []),
    ):
        script = WITHOUT_PYARROW if "without" in name else PREDICT
        command = [sys.executable, "-c", script, str(PACKAGE), str(table), *options]
        with Path(source).open("rb") as rows:
            process = subprocess.Popen(command, stdin=rows, stdout=subprocess.PIPE, env=clean_environment())
            assert process.stdout is not None
            digests[name] = hashlib.file_digest(process.stdout, "sha256").hexdigest()  # type: ignore[arg-type]
            assert process.wait() == 0
    equal = [name for name, found in digests.items() if found == digests["by name"]]
    return {f"10M rows, the same bytes in {len(equal)} of {len(digests)} ways": "; ".join(equal)}


def compared(script: str, command: list[str], source: str, suffix: str) -> dict[str, Any]:
    """Return a script's time over a command's; their results must be equal."""
    theirs = [sys.executable, "-c", script, str(PACKAGE / "model.onnx"), source, path(f"theirs.{suffix}")]
    run(theirs), run(command)  # type: ignore[func-returns-value]
    _check_equal(path(f"theirs.{suffix}"), path(f"ours.{suffix}"))
    pairs = [(measured(theirs)["s"], measured(command)["s"]) for _ in range(PAIRS)]
    return summary([first / second for first, second in pairs])


def ours(source: str, out: str, script: str = PREDICT) -> list[str]:
    """Return the command that answers a table."""
    return [sys.executable, "-c", script, str(PACKAGE), source, "--out", out]


def path(name: str) -> str:
    """Return a file in this run's own folder."""
    return str(Path(FOLDER.name) / name)


@cache
def csv_file(rows: int) -> str:
    """Return a table of an id and two numbers."""
    from parity_runtime.tables.float_text import float32_cells, joined

    name = path(f"{rows}.csv")
    random = np.random.default_rng(0)
    with Path(name).open("wb") as file:
        file.write(b"id,x1,x2\n")
        for start in range(0, rows, MILLION):
            points = random.uniform(-0.5, 1.5, (MILLION, 2)).astype(np.float32)
            lines = joined([float32_cells(points[:, 0]), b",", float32_cells(points[:, 1]), b"\n"], MILLION)
            file.writelines(f"{start + row},".encode() + line for row, line in enumerate(lines))
    return name


def _check_equal(first: str, second: str) -> None:
    import pandas

    read: dict[str, Any] = {"csv": pandas.read_csv, "parquet": pandas.read_parquet,
                            "jsonl": partial(pandas.read_json, lines=True)}  # fmt: skip
    left, right = (read[name.rpartition(".")[2]](name) for name in (first, second))
    assert list(left) == list(right)
    assert len(left) == len(right) == MILLION
    for name in left:
        assert (left[name].astype(np.float32) == right[name].astype(np.float32)).all(), name


if __name__ == "__main__":
    main()
