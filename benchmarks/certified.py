"""What a certified graph costs: the time of a batch of 1024 rows against the plain graph's, one thread, in turn.

Prints one JSON object; each figure is the median of the ratios of neighbouring measurements, with its quartiles.
"""

import statistics
import time
from typing import Any

import numpy as np
import torch
from common import print_parts, summary
from torch import nn

from parity_export import Meaning, ModelSource, source_from_module
from parity_export.certify import certify
from parity_export.export import build_graph, serialize
from parity_export.options import ExportOptions
from parity_runtime import TensorSpec
from parity_runtime.session import create_session
from parity_training import MLP, XORClassifier

_ROWS, _ROUNDS, _CALLS = 1024, 101, 20
_MEANING = Meaning("binary", "logits", ("no", "yes"))


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    print_parts(__doc__, {"cost": cost})


def cost() -> dict[str, Any]:
    """Return the time of a certified answer over that of a plain one."""
    deep = {"num_inputs": 30, "num_outputs": 1, "hidden": (128, 128, 128)}
    return {
        "XOR, 2-4-1 tanh": _ratio(XORClassifier(), 2) | {"target": "at most 3"},
        "30-128-128-128-1 tanh": _ratio(MLP(**deep, activation="Tanh"), 30) | {"target": "at most 3.5"},
        "30-128-128-128-1 ReLU": _ratio(MLP(**deep), 30) | {"target": "at most 3.5"},
    }


def _ratio(module: nn.Module, columns: int) -> dict[str, Any]:
    source = source_from_module(module, [TensorSpec("features", "float32", ("batch", columns))], _MEANING, "model")
    rows = np.random.default_rng(0).standard_normal((_ROWS, columns)).astype(np.float32)
    sessions = [create_session(graph) for graph in _graphs(source)]
    times = [[_time(session, rows) for session in sessions] for _ in range(_ROUNDS)]
    plain = statistics.median(plain for plain, _ in times)
    return {"plain_us": round(1e6 * plain, 1)} | summary([certified / plain for plain, certified in times])


def _graphs(source: ModelSource) -> tuple[bytes, bytes]:
    plain = serialize(build_graph(source, ExportOptions())[0])
    return plain, certify(plain, source.contract)


def _time(session: Any, rows: Any) -> float:
    start = time.perf_counter()
    for _ in range(_CALLS):
        session.run(None, {"features": rows})
    return (time.perf_counter() - start) / _CALLS


if __name__ == "__main__":
    main()
