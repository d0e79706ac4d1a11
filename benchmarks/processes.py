"""What training on two processes gains beside the ordinary loop in one, on the same machine.

Prints one JSON object. Ratios are of the seconds of an epoch, the median of the epochs but the first, of trainings
that take turns; what else ran on the machine while they did is the load beside them.
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
from common import clean_environment, print_parts, summary

ROWS, COLUMNS = 131_072, 30
BATCH, HIDDEN = 8192, [256, 256]
EPOCHS, ROUNDS = 4, 3
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--train"]:
        _train(Path(sys.argv[2]), *map(int, sys.argv[3:]))
        return
    print_parts(__doc__, {"large network": large, "small network": small})


def large() -> dict[str, Any]:
    """Return how much longer one process takes: hidden 256-256, batches of 8,192."""
    found = _ratios(BATCH, 1)
    return {
        "one process over two, hidden 256-256, batch 8,192": found["threads"] | {"target": "at least 1.4"},
        "the same, one thread in one process over two processes": found["one thread"],
        "load of the machine": found["load"],
    }


def small() -> dict[str, Any]:
    """Return the same of a network for which two processes do not pay: hidden 256-256, batches of 64."""
    found = _ratios(64, 16)
    return {"one process over two, hidden 256-256, batch 64": found["threads"] | {"target": "none: the log says so"}}


def _ratios(batch: int, fraction: int) -> dict[str, Any]:
    """Return the seconds of an epoch in one process, with torch's threads and with one, over those in two."""
    environment = {name: value for name, value in clean_environment().items() if name != "OMP_NUM_THREADS"}
    seconds: dict[str, list[float]] = {"threads": [], "one thread": [], "two": []}
    load = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        _write(path, ROWS // fraction)
        ways = {"threads": ([sys.executable], {}), "one thread": ([sys.executable], {"OMP_NUM_THREADS": "1"}),
                "two": (TORCHRUN, {"OMP_NUM_THREADS": "1"})}  # fmt: skip
        for _ in range(ROUNDS):
            load.append(os.getloadavg()[0])
            for name, (start, variables) in ways.items():
                command = [*start, __file__, "--train", str(path), str(batch)]
                done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment | variables)
                seconds[name].append(float(done.stdout.split()[-1]))
    return {
        name: summary([one / two for one, two in zip(seconds[name], seconds["two"], strict=True)])
        | {"seconds": round(statistics.median(seconds[name]), 3)}
        for name in ("threads", "one thread")
    } | {"load": [round(value, 1) for value in load]}


def _write(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    names = [f"c{column}" for column in range(COLUMNS)]
    table = np.zeros(rows, [(name, "f4") for name in names] + [("target", "i8")])
    for name in names:
        table[name] = random.standard_normal(rows)
    table["target"] = table["c0"] * table["c1"] > 0
    np.save(path, table)


def _train(path: Path, batch: int) -> None:
    """Train, and print the seconds of an epoch."""
    from parity_training import (
        NetworkChoice,
        TableDataset,
        TableSettings,
        TrainSettings,
        process_group,
        table_data,
        train_model,
    )

    ends: list[float] = []
    with process_group() as group, tempfile.TemporaryDirectory() as folder:
        settings = TableSettings("target", task="classification", validation=0.02, test=0.02)
        problem = table_data(TableDataset(path, settings), settings, "benchmark")
        chosen = TrainSettings(epochs=EPOCHS, batch_size=batch)
        network = NetworkChoice("MLP", {"hidden": HIDDEN})
        train_model(problem, network, chosen, Path(folder) / "run", on_epoch=lambda _: ends.append(time.perf_counter()))
        if group.leads:
            print(statistics.median(np.diff(ends).tolist()))


if __name__ == "__main__":
    main()
