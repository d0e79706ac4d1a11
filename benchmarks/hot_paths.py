"""The paths that run most often, each called alone: what `instructions.py` runs under callgrind.

    valgrind --tool=callgrind --instr-atstart=no python benchmarks/hot_paths.py LIBRARY

``LIBRARY`` is callgrind_requests.c, compiled. Callgrind sees nothing of the imports and of the first calls, which takes
a minute off.
"""

import ctypes
import gc
import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import torch
from common import ROOT

from parity_runtime import Predictor
from parity_runtime.serving.infer_request import parse_request
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.tables.csv_file import csv_chunks
from parity_training import XORClassifier, XORDataset, data_loader
from parity_training.fitting.objectives import Objective
from parity_training.fitting.written_gradients import WrittenGradients

Job = Callable[[], object]

NOTHING = "nothing"
REPEATS = 5

_PACKAGES = ROOT / "tests" / "data"
_TILE = 2**16  # rows of XOR
_BATCHES = 40


def main() -> None:
    """Count every job, `REPEATS` times."""
    requests = ctypes.CDLL(sys.argv[1])
    jobs = {NOTHING: (lambda: None, 1)} | hot_paths()
    torch.set_num_threads(1)
    for job, _ in jobs.values():
        job()
    gc.collect()
    gc.disable()
    requests.begin_instrumentation()
    for name, (job, calls) in jobs.items():
        job()
        for _ in range(REPEATS):
            requests.begin_count()
            for _ in range(calls):
                job()
            requests.end_count(f"{calls} {name}".encode())


def hot_paths() -> dict[str, tuple[Job, int]]:
    """Return each job by name, with the calls that are counted together."""
    predictor, certified = Predictor(_PACKAGES / "xor"), Predictor(_PACKAGES / "xor_certified", certified=True)
    row, tile = (np.random.default_rng(0).random((rows, 2), np.float32) for rows in (1, _TILE))
    mixed = Predictor(_PACKAGES / "mixed")
    columns = {feature.name: mixed_cells(feature.kind) for feature in mixed.contract.features}
    request, served = _request(1), ServedModel(predictor, 2**20)
    long_request, table = _request(1000), _table()
    loader = data_loader(XORDataset(128 * _BATCHES), batch_size=128)
    return {
        "predict_proba, 1 row": (lambda: predictor.predict_proba(row), 100),
        f"predict_proba, {_TILE:,} rows": (lambda: predictor.predict_proba(tile), 1),
        "certified, 1 row": (lambda: certified.certified(row), 100),
        "predict, 1 row of columns of every kind": (lambda: mixed.predict(columns), 10),
        "answering a JSON request of 1 row": (lambda: served.infer(request), 50),
        "decoding a JSON request of 1,000 rows": (lambda: parse_request(long_request), 5),
        "reading 1,000 rows x 10 columns of CSV": (lambda: _read(table), 1),
        f"an epoch of {_BATCHES} batches of 128 rows, the batches alone": (lambda: list(loader), 1),
        "the gradients of a batch of 128 rows": (_step(loader), 20),
    }


def mixed_cells(kind: str) -> list[object]:
    """Return a column of one cell."""
    cells: dict[str, object] = {"categorical": "red", "code": 1, "datetime": "2020-01-01", "boolean": True}
    return [cells.get(kind, 1.5)]


def _request(rows: int) -> bytes:
    data = np.random.default_rng(0).random((rows, 2)).round(6).ravel().tolist()
    return orjson.dumps({"inputs": [{"name": "features", "shape": [rows, 2], "datatype": "FP32", "data": data}]})


def _table() -> bytes:
    cells = np.random.default_rng(0).random((1000, 10)).round(6).astype(str)
    header = [f"x{column}" for column in range(10)]
    return "\n".join(",".join(line) for line in [header, *cells]).encode()


def _read(table: bytes) -> None:
    for chunk in csv_chunks(io.BytesIO(table), "table.csv", None):
        chunk.numbers(chunk.columns)


def _step(loader: Any) -> Job:
    """Return a job that computes the gradients of a batch of the notebook's network, written out.

    Without torch.optim, whose first optimizer imports 800 modules.
    """
    network, objective = XORClassifier(), Objective("BCEWithLogitsLoss")
    gradients = WrittenGradients.of(network, objective)
    if gradients is None:
        raise AssertionError("the gradients are not written out")
    points, labels = next(iter(loader))
    targets = objective.prepare(labels)
    return lambda: gradients([points], targets)


if __name__ == "__main__":
    main()
