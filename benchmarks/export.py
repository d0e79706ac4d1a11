"""What an export costs: time over the bare torch.onnx.export, by size, and how often it does a thing.

Prints one JSON object. Time is the median of ratios of neighbouring runs in one process, warm, without plots. What it
takes in memory is measured in large.py.
"""

import contextlib
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import torch
from common import SIZES, print_parts, ratio, timed

from parity_export import ExportOptions, ModelSource, OutputSpec, export_package, source_from_module, source_from_run
from parity_export.graph.torch_export import quiet
from parity_export.sources.example_inputs import Example
from parity_runtime import TensorSpec
from parity_runtime.inference.session import import_onnxruntime
from parity_training import MLP, Run, XORClassifier, XORSettings, train_xor

_REPEATS = 15

_COUNTED: dict[str, tuple[Any, str]] = {
    "graphs parsed": (onnx, "load_from_string"),
    "graphs read that onnxruntime wrote": (onnx, "load"),
    "sessions": (import_onnxruntime(), "InferenceSession"),
    "example inputs": (Example, "of"),
}


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"time": time_ratio, "growth": growth, "work": work})


def time_ratio() -> dict[str, Any]:
    """Return the time of a whole export of XOR, gate included, over a bare torch.onnx.export, and certified over it."""
    with tempfile.TemporaryDirectory() as folder:
        run = train_xor(Path(folder) / "run", XORSettings(epochs=20))
        plain, certified = (
            partial(_export, run, Path(folder) / "package", ExportOptions(replace=True, plots=False, certified=proven))
            for proven in (False, True)
        )
        beside_bare, beside_plain = ratio((plain, _bare), _REPEATS), ratio((certified, plain), _REPEATS)
    return {
        "an export with its gate over a bare torch.onnx.export": beside_bare | {"target": "at most 1.2"},
        "a certified export over one that is not": beside_plain | {"target": "at most 2"},
    }


def _export(run: Run, package: Path, options: ExportOptions) -> None:
    export_package(source_from_run(run), package, options)


def growth() -> dict[str, Any]:
    """Return the seconds of an export by the width and the depth of a network of 16 features, certified and not."""
    found: dict[str, dict[str, float]] = {"plain": {}, "certified": {}}
    _bare()  # what torch loads at its first export belongs to none of them
    for depth, width in SIZES:
        source = deep_source(depth, width)
        for name, seconds in found.items():
            options = ExportOptions(replace=True, plots=False, certified=name == "certified")
            with tempfile.TemporaryDirectory() as folder:
                job = partial(export_package, source, Path(folder) / "package", options)
                seconds[f"{depth} x {width}"] = round(timed(job), 2)
    return {f"seconds of an export by depth x width, {name}": seconds for name, seconds in found.items()}


def work() -> dict[str, Any]:
    """Return how often one certified export of XOR parses a graph, opens a session and looks for example inputs.

    ONNX's own shape inference, which parses what it returns, is not counted; the graphs that onnxruntime writes are.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = train_xor(Path(folder) / "run", XORSettings(epochs=20))
        options = ExportOptions(replace=True, plots=False, certified=True)

        job = partial(_export, run, Path(folder) / "package", options)
        job()
        with contextlib.ExitStack() as stack:
            counts: Counter[str] = Counter()
            for what, (owner, name) in _COUNTED.items():
                function = getattr(owner, name)
                counting = partial(_counting, counts, what, function)
                stack.enter_context(mock.patch.object(owner, name, counting))
            job()
        seconds = round(statistics.median(timed(job) for _ in range(3)), 2)
    return {"what one certified export does, XOR": dict(counts) | {"seconds": seconds}}


def _counting(counts: Counter[str], what: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    counts[what] += sys._getframe(1).f_globals["__name__"].startswith("parity_")
    return function(*given, **named)


def deep_source(depth: int, width: int) -> ModelSource:
    """Return a network of 16 features and two classes with hidden layers of tanh."""
    torch.manual_seed(0)
    module = MLP(16, 2, hidden=(width,) * depth, activation="Tanh")
    return source_from_module(
        module, (TensorSpec("x", "float32", ("batch", 16)),), OutputSpec("multiclass", "logits", ("a", "b")), "net"
    )


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


if __name__ == "__main__":
    main()
