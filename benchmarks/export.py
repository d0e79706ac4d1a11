"""What an export costs: time against the bare torch.onnx.export, memory against the weights.

Prints one JSON object. Time is a ratio of medians in one process, warm, pictures excluded; memory is the peak of a
process of its own above one that has torch and onnxruntime imported.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from parity_export import ExportOptions, Meaning, export_package, source_from_module, source_from_run
from parity_export.graph import quiet
from parity_runtime import TensorSpec
from parity_training import XORClassifier, XORSettings, train_xor

_REPEATS = 9

_IDLE = "import resource, torch, onnxruntime; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--large"]:
        print(export_large())
        return
    print(json.dumps({"time": time_ratio(), "memory": memory_ratio()}, indent=2))


def time_ratio() -> dict[str, float]:
    """Return the medians in seconds of a bare export and of a whole one, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        run = train_xor(Path(folder) / "run", XORSettings(epochs=20))
        options = ExportOptions(replace=True, pictures=False)
        jobs: tuple[Callable[[], object], ...] = (
            _bare,
            lambda: export_package(source_from_run(run), Path(folder) / "package", options),
        )
        bare, whole = (statistics.median(times) for times in _in_turn(jobs))
    return {"bare_s": bare, "parity_s": whole, "ratio": whole / bare, "target": 2.0}


def memory_ratio() -> dict[str, float]:
    """Return the peak memory of exporting a 100 MB model above an idle process, in units of its weights."""
    idle = int(subprocess.run([sys.executable, "-c", _IDLE], capture_output=True, check=True).stdout)
    command = [sys.executable, __file__, "--large"]
    peak, weights = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())
    above = (peak - idle) * 1024
    return {"weights_bytes": weights, "above_idle_bytes": above, "ratio": above / weights, "target": 5.0}


def export_large() -> str:
    """Export a network of 100 MB and return the peak memory in KiB and the weights in bytes."""
    import resource  # noqa: PLC0415

    width = 2500
    layers = [layer for _ in range(4) for layer in (torch.nn.Linear(width, width), torch.nn.ReLU())]
    module = torch.nn.Sequential(*layers).eval()
    source = source_from_module(module, (TensorSpec("x", "float32", ("batch", width)),), Meaning(), "large")
    with tempfile.TemporaryDirectory() as folder:
        export_package(source, Path(folder) / "package", ExportOptions(pictures=False))
    weights = sum(tensor.nbytes for tensor in module.state_dict().values())
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} {weights}"


def _bare() -> None:
    with quiet():
        torch.onnx.export(
            XORClassifier().eval(),
            (torch.zeros(2, 2),),
            dynamo=True,
            verbose=False,
            input_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )


def _in_turn(jobs: tuple[Callable[[], object], ...]) -> list[list[float]]:
    """Time the jobs in turn, so that a drift of the machine meets all of them alike; the first round is not counted."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(_REPEATS + 1):
        for found, job in zip(times, jobs, strict=True):
            start = time.perf_counter()
            job()
            found.append(time.perf_counter() - start)
    return [found[1:] for found in times]


if __name__ == "__main__":
    main()
