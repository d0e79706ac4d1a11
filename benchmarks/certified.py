"""What a certified graph costs: the time of a batch of 1024 rows against the plain graph's, one thread, in turn.

Prints one JSON object; each figure is the median of the ratios of neighbouring measurements, with its quartiles.
"""

import statistics
from typing import Any

import numpy as np
import torch
from common import SIZES, ScoringJob, print_parts, ratio, timed
from torch import nn

from parity_export import OutputSpec, source_from_module
from parity_export.error_bounds import propagate_error_bounds
from parity_export.export_options import ExportOptions
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import TensorSpec
from parity_runtime.inference.session import create_session
from parity_training import MLP, XORClassifier

_ROWS, _ROUNDS, _CALLS = 1024, 101, 20
_MEANING = OutputSpec("binary", "logits", ("no", "yes"))


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    print_parts(__doc__, {"cost": cost, "growth": growth})


def cost() -> dict[str, Any]:
    """Return the time of a certified answer over that of a plain one."""
    deep = {"num_inputs": 30, "num_outputs": 1, "hidden": (128, 128, 128)}
    return {
        "certified over plain, XOR, 2-4-1 tanh": _cost(XORClassifier(), 2) | {"target": "at most 3"},
        "certified over plain, 30-128-128-128-1 tanh": _cost(MLP(**deep, activation="Tanh"), 30)
        | {"target": "at most 3.5"},
        "certified over plain, 30-128-128-128-1 ReLU": _cost(MLP(**deep), 30) | {"target": "at most 3.5"},
    }


def growth() -> dict[str, Any]:
    """Return the nanoseconds a row of plain and certified answers, by rows and by depth x width of the network."""
    found: dict[str, Any] = {}
    sessions = _sessions(XORClassifier(), 2)
    by_rows = {str(rows): _nanoseconds(sessions, rows, 2) for rows in (1, 10, 100, 1000, 10_000, 100_000)}
    by_size = {}
    for depth, width in SIZES:
        module = MLP(16, 1, hidden=(width,) * depth, activation="Tanh")
        by_size[f"{depth} x {width}"] = _nanoseconds(_sessions(module, 16), _ROWS, 16)
    for subject, table in (("rows, XOR", by_rows), (f"depth x width, {_ROWS} rows", by_size)):
        for index, name in enumerate(("plain", "certified")):
            found[f"ns a row by {subject}, {name}"] = {key: values[index] for key, values in table.items()}
    return found


def _cost(module: nn.Module, columns: int) -> dict[str, Any]:
    rows = _random(_ROWS, columns)
    jobs = [_asked(session, rows, _CALLS) for session in _sessions(module, columns)]
    return ratio((jobs[1], jobs[0]), _ROUNDS)


def _nanoseconds(sessions: list[Any], count: int, columns: int) -> list[float]:
    rows, calls = _random(count, columns), max(1, _ROWS // count)
    jobs = [_asked(session, rows, calls) for session in sessions]
    times = [[timed(job) for job in jobs] for _ in range(_ROUNDS // 4)]
    return [round(1e9 * statistics.median(column) / calls / count, 1) for column in zip(*times, strict=True)]


def _sessions(module: nn.Module, columns: int) -> list[Any]:
    source = source_from_module(module, [TensorSpec("features", "float32", ("batch", columns))], _MEANING, "model")
    plain = attach_head(trace(source, ExportOptions())).data
    return [create_session(plain), create_session(propagate_error_bounds(OnnxGraph(plain), source.contract).data)]


def _asked(session: Any, rows: Any, calls: int) -> ScoringJob:
    def ask() -> None:
        for _ in range(calls):
            session.run(None, {"features": rows})

    return ask


def _random(count: int, columns: int) -> Any:
    return np.random.default_rng(0).standard_normal((count, columns)).astype(np.float32)


if __name__ == "__main__":
    main()
