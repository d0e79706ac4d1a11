"""What large models cost: the memory of an export and of a predictor over their weights, and how fast one opens.

Prints one JSON object. Memory is the peak of a process of its own above one that does the same with a network of 72
numbers, which loads the same libraries, in units of the weights; the module that is exported is in it. Beside it stand
the peak of the whole process and what it is above torch's, onnxruntime's and Parity's imports. Times are ratios of
neighbouring runs in one process.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import own_peak, print_parts, ratio, timed

_WIDTH, _ROWS = 5120, 4
_GIGABYTE = 2**30
_TARGETS = {"small": "at most 5.5", "large": "at most 4.5"}


def main() -> None:
    """Measure and print; with arguments, do one job in this process and print what it took."""
    if sys.argv[1:] and sys.argv[1] in _JOBS:
        print(json.dumps(_JOBS[sys.argv[1]](*sys.argv[2:])))
        return
    print_parts(__doc__, {"exports": exports, "3 GB": three_gigabytes, "1 GB": opening})


def exports() -> dict[str, Any]:
    """Return the peak memory of exports with their gates, over the weights."""
    found = {}
    for what, target in (("linear 2500 4", "small"), ("convolutions 768 5", "small"), ("words 512 4", "small"),
                         ("linear 5120 10", "large")):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            took = _own_process("export", what, "plain", folder)
        found[f"peak memory of an export over the weights: {_named(what, took)}"] = _over(took, _TARGETS[target])
    with tempfile.TemporaryDirectory() as folder:
        took = _own_process("export", "classes 2500 4", "certified", folder)
    return found | {
        f"the same, certified, which keeps the sizes of weights: {_named('classes', took)}": _over(took, "reported")
    }


def three_gigabytes() -> dict[str, Any]:
    """Return what a model of 3 GB takes to export, to verify and to answer."""
    with tempfile.TemporaryDirectory() as folder:
        took = _own_process("export", f"linear {_WIDTH} 30", "plain", folder)
        verified, answered = _own_process("verify", folder), _own_process("answer", folder)
    weights = took["weights"]
    largest = max(one["peak"] for one in (took, verified, answered)) / 1e6
    return {
        "peak memory of an export over the weights: 3 GB": _over(took, _TARGETS["large"]),
        "largest peak of its export, verify and answer": {"mb": round(largest), "target": "at most 21475"},
        "peak memory of verify over the weights: 3 GB": _over(verified | {"weights": weights}, "reported"),
        "peak memory of a predictor over the weights: 3 GB": _over(answered | {"weights": weights}, "at most 2.7"),
        "memory of a predictor that is ready over the weights: 3 GB": {
            "ratio": round((answered["ready"] - answered["idle"]) / weights, 2), "target": "at most 1.15"},
        "also: seconds of the export, 3 GB": round(took["seconds"], 1),
        "also: seconds of verify, 3 GB": round(verified["seconds"], 1),
    }  # fmt: skip


def opening() -> dict[str, Any]:
    """Return the time until the first answer of a package of 1 GB over a bare session's, and the speed of digests."""
    with tempfile.TemporaryDirectory() as folder:
        _own_process("export", f"linear {_WIDTH} 10", "external", folder)
        return _own_process("open", folder)


def _export(what: str, how: str, folder: str) -> dict[str, Any]:
    import onnxruntime  # noqa: F401
    import torch  # noqa: F401

    from parity_export import ExportOptions, export_package

    imported = own_peak()
    source = _source(*what.split())
    weights = sum({one.data_ptr(): one.nbytes for one in source.module.state_dict().values()}.values())
    options = ExportOptions(plots=False, certified=how == "certified", external_weights=how == "external")
    seconds = timed(lambda: export_package(source, Path(folder) / "package", options))
    return {"peak": own_peak(), "weights": weights, "seconds": seconds, "imported": imported}


def _source(kind: str, width: str, depth: str) -> Any:
    """Return a model of random weights."""
    import torch
    from torch import nn

    from parity_export import OutputSpec, source_from_module

    torch.manual_seed(0)
    size, spec = int(width), OutputSpec()
    inputs = [f"x: float32[batch, {size}]"]
    layers: list[nn.Module] = [part for _ in range(int(depth)) for part in (nn.Linear(size, size), nn.ReLU())]
    if kind == "convolutions":
        layers = [part for _ in range(int(depth)) for part in (nn.Conv2d(size, size, 3, padding=1), nn.ReLU())]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        inputs = [f"x: float32[batch, {size}, 6, 6]"]
    elif kind == "words":
        layer = nn.TransformerEncoderLayer(size, 8, 4 * size, batch_first=True, activation="gelu", norm_first=True)
        layers = [nn.Embedding(32_000, size), nn.TransformerEncoder(layer, int(depth), enable_nested_tensor=False)]
        inputs = ["x: int64[batch, time]"]
    elif kind == "classes":
        layers, spec = [*layers, nn.Linear(size, 4)], OutputSpec("multiclass", "logits", tuple("abcd"))
    return source_from_module(nn.Sequential(*layers).eval(), inputs, spec, "large")


def _verify(folder: str) -> dict[str, Any]:
    from parity_runtime import verify

    seconds = timed(lambda: verify(Path(folder) / "package"))
    return {"peak": own_peak(), "seconds": seconds}


def _answer(folder: str) -> dict[str, Any]:
    from parity_runtime import Predictor

    predictor = Predictor(Path(folder) / "package")
    predictor.run(_rows(predictor))
    lines = Path("/proc/self/status").read_text().splitlines()
    ready = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return {"peak": own_peak(), "ready": ready * 1024}


def _open(folder: str) -> dict[str, Any]:
    from parity_runtime import Package, Predictor
    from parity_runtime.inference.session import import_onnxruntime

    package, onnxruntime = Path(folder) / "package", import_onnxruntime()

    def ours() -> None:
        predictor = Predictor(package)
        predictor.run(_rows(predictor))

    def bare() -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(package / "model.onnx", options, providers=["CPUExecutionProvider"])
        session.run(None, rows)

    with Predictor(package) as predictor:
        rows = _rows(predictor)
    opened = Package.open(package)
    size = opened.entries["weights.bin"].size

    def digests() -> None:
        for _ in opened.blocks("weights.bin"):
            pass

    def sha256() -> None:
        with (package / "weights.bin").open("rb") as file:
            hashlib.file_digest(file, "sha256")

    speed = size / min(timed(digests) for _ in range(3)) / 1e9
    return {
        "opening and first answer of 1 GB over a bare session on the same file": ratio((ours, bare), 5)
        | {"target": "at most 1.5"},
        "digests of verify, GB/s on one core": {"ratio": round(speed, 2), "target": "at least 1"},
        "also: GB/s of hashlib's sha256 here": round(size / min(timed(sha256) for _ in range(3)) / 1e9, 2),
    }


def _rows(predictor: Any) -> dict[str, Any]:
    width = predictor.contract.inputs[0].shape[1]
    return {"x": np.random.default_rng(0).standard_normal((_ROWS, width)).astype(np.float32)}


_JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "export": _export,
    "verify": _verify,
    "answer": _answer,
    "open": _open,
}


def _own_process(*arguments: str) -> dict[str, Any]:
    found = _measured(*arguments)
    return found | {"idle": _idle(arguments[0])} if "peak" in found else found


def _measured(*arguments: str) -> dict[str, Any]:
    """Return what a job of `_JOBS` finds in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


@cache
def _idle(job: str) -> int:
    """Return the peak of a process that does a job with a network of 72 numbers, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        took = _measured("export", "linear 8 1", "plain", folder)
        peak: int = took["peak"] if job == "export" else _measured(job, folder)["peak"]
        return peak


def _over(took: dict[str, Any], target: str) -> dict[str, Any]:
    found = {
        "ratio": round((took["peak"] - took["idle"]) / took["weights"], 2),
        "target": target,
        "whole_process": round(took["peak"] / took["weights"], 2),
    }
    if "imported" in took:
        found["above_the_imports"] = round((took["peak"] - took["imported"]) / took["weights"], 2)
    return found


def _named(what: str, took: dict[str, Any]) -> str:
    return f"{took['weights'] / 1e6:.0f} MB of {what.split(maxsplit=1)[0]}"


if __name__ == "__main__":
    main()
