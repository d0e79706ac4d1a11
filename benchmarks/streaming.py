"""What training costs whose rows lie on a disk, beside rows in memory, and the memory that it takes by rows.

Prints one JSON object. A ratio is of the seconds of an epoch, the median of the epochs but the first, of trainings in
processes of their own that take turns; the rows are four times what may be in memory at
once; the network has two hidden layers of 64, and batches 1,024 rows.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import clean_environment, own_peak, print_parts, summary

ROWS, COLUMNS = 1_000_000, 30
BATCH, HIDDEN = 1024, [64, 64]
EPOCHS, ROUNDS = 4, 5
PART = 125_000  # rows of a file, of which one is read at a time
ROW_BYTES = 4 * COLUMNS + 8
MEMORY = ROWS * ROW_BYTES // 4


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--train"]:
        _train(Path(sys.argv[2]), int(sys.argv[3]))
        return
    print_parts(__doc__, {"seconds": seconds, "memory": memory})


def seconds() -> dict[str, Any]:
    """Return how much longer an epoch takes whose rows are streamed."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), ROWS)
        found = [(_trained(folder, MEMORY)["epoch"], _trained(folder, 0)["epoch"]) for _ in range(ROUNDS)]
    return {
        f"an epoch of {ROWS:,} x {COLUMNS}: streamed over in memory": summary([one / other for one, other in found])
        | {"target": "at most 1.15", "seconds": round(statistics.median(one for one, _ in found), 2)},
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def memory() -> dict[str, Any]:
    """Return the peak memory of a whole training by rows, in 10^6 bytes."""
    found: dict[str, dict[str, float]] = {"streamed, at most 64 MB of rows": {}, "in memory": {}}
    for rows in (ROWS // 4, ROWS // 2, ROWS, 2 * ROWS):
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), rows)
            for name, bound in zip(found, (64_000_000, 0), strict=True):
                found[name][f"{rows:,} rows"] = _trained(folder, bound)["peak"]
    return {f"peak memory, {name} (MB)": peaks for name, peaks in found.items()}


def _write(folder: Path, rows: int) -> None:
    import pyarrow
    from pyarrow import parquet

    for part in range(rows // PART):
        random = np.random.default_rng(part)
        cells = random.standard_normal((PART, COLUMNS), np.float32)
        columns = {f"c{column}": cells[:, column] for column in range(COLUMNS)}
        table = pyarrow.table(columns | {"target": (cells[:, 0] * cells[:, 1] > 0).astype(np.int64)})
        parquet.write_table(table, folder / f"part-{part}.parquet")


def _trained(folder: str, bound: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--train", folder, str(bound)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment())
    epoch, peak = done.stdout.split()
    return {"epoch": float(epoch), "peak": round(int(peak) / 1e6)}


def _train(path: Path, bound: int) -> None:
    """Train, and print the seconds of an epoch and the peak memory."""
    from parity_training import (
        NetworkChoice,
        TableDataset,
        TableSettings,
        TrainSettings,
        stream_table,
        table_data,
        train_model,
    )

    ends: list[float] = []
    settings = TableSettings("target", task="classification", validation=0.02, test=0.02)
    with tempfile.TemporaryDirectory() as folder:
        problem: Any
        if bound:
            problem = stream_table(path, settings, "benchmark", memory=bound, folder=folder).data
        else:
            problem = table_data(TableDataset(path, settings), settings, "benchmark")
        chosen = TrainSettings(epochs=EPOCHS, batch_size=BATCH)
        network = NetworkChoice("MLP", {"hidden": HIDDEN})
        train_model(problem, network, chosen, Path(folder) / "run", on_epoch=lambda _: ends.append(time.perf_counter()))
        print(statistics.median(np.diff(ends).tolist()), own_peak())


if __name__ == "__main__":
    main()
