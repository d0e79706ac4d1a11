"""Rates by which operations.md says what many rows take: of one core, by columns, and the memory beside them.

Prints one JSON object. Scoring is ``parity predict`` over a folder of files, as a whole process, less one that scores a
single row; training is a pass of reading and an epoch of ``stream_table``. Everything has one thread.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import clean_environment, measured, own_peak, print_parts

CELLS = 40_000_000  # of each table, so that wide ones take no longer
COLUMNS = (10, 100, 1000)
PARTS = 4


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--train"]:
        _train(Path(sys.argv[2]))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    print_parts(__doc__, {"scoring": scoring, "training": training})


def scoring() -> dict[str, Any]:
    """Return rows a second and peak memory of scoring, by format and columns."""
    found: dict[str, Any] = {}
    for kind in ("parquet", "csv"):
        rates, peaks = {}, {}
        for columns in COLUMNS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                rows = CELLS // columns // (1 if kind == "parquet" else 4)
                _write(folder / "rows", rows, columns, kind)
                package = _package(folder, columns)
                whole = _scored(package, folder / "rows", folder / "all")
                (folder / "one").mkdir()
                _write(folder / "one" / "t", 4, columns, kind)
                start = _scored(package, folder / "one" / "t", folder / "few")
                rates[f"{columns} columns"] = round(rows / (whole["s"] - start["s"]))
                peaks[f"{columns} columns"] = round(whole["mb"])
        found |= {f"{kind}: rows a second": rates, f"{kind}: peak memory (MB)": peaks}
    return found


def training() -> dict[str, Any]:
    """Return rows a second of reading Parquet and of an epoch, by columns, and the peak memory."""
    read, epoch, peaks = {}, {}, {}
    for columns in COLUMNS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write(folder / "rows", CELLS // columns, columns, "parquet")
            command = [sys.executable, __file__, "--train", str(folder / "rows")]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
            figures = json.loads(done.stdout)
            read[f"{columns} columns"], epoch[f"{columns} columns"] = figures["read"], figures["epoch"]
            peaks[f"{columns} columns"] = figures["peak"]
    return {
        "rows read a second": read,
        "rows trained on a second": epoch,
        "peak memory, at most 256 MB of rows (MB)": peaks,
    }


def _write(folder: Path, rows: int, columns: int, kind: str) -> None:
    import pyarrow
    from pyarrow import csv, parquet

    folder.mkdir()
    for part in range(PARTS):
        cells = np.random.default_rng(part).standard_normal((rows // PARTS, columns), np.float32).round(4)
        named = {f"c{column}": cells[:, column] for column in range(columns)}
        table = pyarrow.table(named | {"target": (cells[:, 0] + cells[:, 1] > 0).astype(np.int64)})
        write = parquet.write_table if kind == "parquet" else csv.write_csv
        write(table, folder / f"part-{part}.{kind}")


def _package(folder: Path, columns: int) -> Path:
    """Return a package of a network of one hidden layer of 64."""
    import pyarrow

    from parity_export import ExportOptions, export_package, source_from_run
    from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model

    random = np.random.default_rng(9)
    cells = random.standard_normal((2000, columns), np.float32)
    table = pyarrow.table({f"c{column}": cells[:, column] for column in range(columns)} | {"target": cells[:, 0] > 0})
    settings = TableSettings("target")
    problem = table_data(TableDataset(table, settings), settings, "scale")
    run = train_model(problem, NetworkChoice("MLP", {"hidden": [64]}), TrainSettings(epochs=1), folder / "run")
    export_package(source_from_run(run), folder / "package", ExportOptions(effort="quick"))
    return folder / "package"


def _scored(package: Path, tables: Path, out: Path) -> dict[str, float]:
    parity = str(Path(sys.executable).parent / "parity")
    return measured([parity, "predict", str(package), str(tables), "--out", str(out), "--columns", "label"])


def _train(folder: Path) -> None:
    """Train an epoch, and print rates and peak memory."""
    from parity_training import NetworkChoice, TableSettings, TrainSettings, stream_table, train_model

    with tempfile.TemporaryDirectory() as scratch:
        begin = time.perf_counter()
        problem = stream_table(folder, TableSettings("target"), "scale", memory=256_000_000, folder=scratch).data
        read = time.perf_counter() - begin
        ends = [time.perf_counter()]
        chosen = replace(TrainSettings(epochs=3, batch_size=4096), patience=None)
        network = NetworkChoice("MLP", {"hidden": [64]})
        train_model(
            problem, network, chosen, Path(scratch) / "run", on_epoch=lambda _: ends.append(time.perf_counter())
        )
        rates = {"read": problem.all_rows / read, "epoch": problem.num_rows("train") / (ends[3] - ends[2])}
        print(json.dumps({name: round(rate) for name, rate in rates.items()} | {"peak": round(own_peak() / 1e6)}))


if __name__ == "__main__":
    main()
