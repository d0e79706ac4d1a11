"""A folder of Parquet through ``parity predict --engine spark`` on two workers of a standalone cluster.

Prints one JSON object: seconds, rows a second, and the peak resident memory of each worker process over a quarter of
the parts and over all of them. The answers are compared, byte for byte, with those of one machine. ``--kill`` ends a
worker with -9 in the middle. Needs Java.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, clean_environment, timed

sys.path.insert(0, str(ROOT))
from tests.engines.spark_cluster import Cluster

PACKAGE = ROOT / "tests" / "data" / "xor"
PARITY = [sys.executable, "-c", "from parity_runtime.cli.main import main; main()"]
MEMORY = "--driver-memory 512m --executor-memory 512m pyspark-shell"
GROWTH = 32  # 10^6 bytes that a worker's peak may grow by from a quarter of the parts to all


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--parts", type=int, default=40)
    parser.add_argument("--kill", action="store_true", help="end a worker with -9 in the middle")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Cluster(made(Path(folder) / "cluster")) as cluster:
        found = measured(Path(folder), cluster, asked)
    print(json.dumps({"spark": found}, indent=2))


def made(folder: Path) -> Path:
    """Return a folder that is there."""
    folder.mkdir()
    return folder


def measured(folder: Path, cluster: Cluster, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures."""
    whole, quarter = made(folder / "points"), made(folder / "quarter")
    write_parts(whole, asked.rows, asked.parts)
    for path in sorted(whole.iterdir())[: asked.parts // 4]:
        (quarter / path.name).symlink_to(path)
    alone = timed(lambda: predict(whole, folder / "one"))
    few, many = (
        Watched(cluster, folder / f"{given.name}-scored", kill=asked.kill and given is whole)
        for given in (quarter, whole)
    )
    few.run(lambda: predict(quarter, few.out, cluster))
    seconds = many.run(lambda: predict(whole, many.out, cluster))
    assert contents(many.out) == contents(folder / "one"), "the answers differ from those of one machine"
    assert asked.kill == bool(many.killed)
    growth = max(many.peaks()) - max(few.peaks())
    name = f"{asked.rows / 1e6:g}M rows in {asked.parts} parts of Parquet"
    return {
        f"{name}: growth of a worker's peak memory from a quarter of the parts": {
            "mb": round(growth, 1), "target": f"at most {GROWTH}", "a quarter": few.peaks(), "all": many.peaks(),
        },
        f"{name} on two workers, seconds, Spark's start included": round(seconds, 1),
        f"{name} on two workers, rows a second": round(asked.rows / seconds),
        f"{name} by one process without an engine, seconds": round(alone, 1),
        "workers killed in the middle": len(many.killed),
        "bytes of answers, those of one machine": sum(size for size, _ in contents(many.out).values()),
    }  # fmt: skip


def write_parts(folder: Path, rows: int, parts: int) -> None:
    """Write Parquet files in equal parts: id, x1, x2."""
    import pyarrow
    from pyarrow import parquet

    random, each = np.random.default_rng(0), rows // parts
    for part in range(parts):
        x1, x2 = random.uniform(-0.5, 1.5, (2, each)).astype(np.float32)
        table = pyarrow.table({"id": np.arange(each) + part * each, "x1": x1, "x2": x2})
        parquet.write_table(table, folder / f"part-{part:04}.parquet")


def predict(tables: Path, out: Path, cluster: Cluster | None = None) -> None:
    """Run the command, on a cluster or without an engine."""
    engine = [] if cluster is None else ["--engine", "spark", "--engine-address", cluster.url]
    environment = clean_environment() | {"OMP_NUM_THREADS": "1"}
    if cluster is not None:
        environment |= cluster.environment | {"PYSPARK_SUBMIT_ARGS": MEMORY}
    command = [*PARITY, "predict", str(PACKAGE), str(tables), "--out", str(out), *engine]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=environment)


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the size and the sha256 of each file of answers."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        with path.open("rb") as file:
            found[path.name] = (path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    return found


class Watched:
    """A job whose workers' memory is looked at while it runs, and of which one may be killed.

    Attributes:
        out: where its answers go.
        killed: processes that were ended.
    """

    def __init__(self, cluster: Cluster, out: Path, *, kill: bool) -> None:
        self.out, self.killed = out, list[int]()
        self._cluster, self._kill, self._done = cluster, kill, False
        self._highest: dict[int, float] = {}

    def run(self, job: Callable[[], object]) -> float:
        """Return the seconds that the job takes."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            return timed(job)
        finally:
            self._done = True
            thread.join()

    def peaks(self) -> list[float]:
        """Return the peak memory of each worker process, in 10^6 bytes."""
        return [round(one, 1) for one in self._highest.values()]

    def _watch(self) -> None:
        while not self._done:
            workers = list(self._cluster.holding("onnxruntime"))
            for pid in workers:
                self._highest[pid] = max(self._highest.get(pid, 0.0), peak(pid))
            if self._kill and workers and len(list(self.out.glob("*.parquet"))) > 5 and not self.killed:
                os.kill(workers[0], signal.SIGKILL)
                self.killed.append(workers[0])
            time.sleep(0.3)


def peak(pid: int) -> float:
    """Return a process's peak resident memory in 10^6 bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
