"""What a package costs on the machine at hand, beside bare onnxruntime in the same process."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import PROBABILITIES, VALUE, ModelContract, batch_name
from parity_runtime.dimension_rule import with_derived
from parity_runtime.errors import InputError
from parity_runtime.feature import MISSING_CATEGORY
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import EXECUTION_PROVIDERS, Provider, create_session
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import MODEL

BATCHES = (1, 16, 256, 4096, 65536)
PERCENTILES = (50, 90, 99, 99.9)
SEED = 20260101

_OTHER_SIZE = 8  # of dynamic dimensions other than the batch
_LARGEST_INPUT = 2**28  # bytes; larger batches are left out
_STARTS = 5

Job = Callable[[], object]


@dataclass(frozen=True)
class Benchmark:
    """What is measured: a package, on a provider.

    Attributes:
        path: the package.
        provider: ``cpu``, ``cuda`` or ``auto``.
        threads: numbers of threads within an operator that are tried.
        seconds: that each figure may take, about.
        digest: the package id that is expected, of a bare ``.onnx`` file its sha256; None takes any.
        allow_operators: as in `Predictor`.
    """

    path: Path
    provider: Provider = "cpu"
    threads: tuple[int, ...] = (1,)
    seconds: float = 0.5
    digest: str | None = None
    allow_operators: tuple[str, ...] = ()

    def latency(self) -> dict[str, Any]:
        """Return percentiles of single rows in microseconds, of the predictor and of bare onnxruntime."""
        contract, jobs = self._load(1)
        times = _in_turn(jobs(random_inputs(contract, 1)), self.seconds)
        return {
            name: {f"p{percent:g}_us": 1e6 * float(np.percentile(found, percent)) for percent in PERCENTILES}
            for name, found in zip(("parity", "onnxruntime"), times, strict=True)
        }

    def throughput(self) -> Iterator[dict[str, Any]]:
        """Yield rows a second for each number of threads and batch size, of both."""
        for threads in self.threads:
            contract, jobs = self._load(threads)
            for batch in _batches(contract):
                times = _in_turn(jobs(random_inputs(contract, batch)), self.seconds)
                ours, bare = map(statistics.median, times)
                yield {"threads": threads, "batch": batch, "parity_rows_per_s": batch / ours,
                       "onnxruntime_rows_per_s": batch / bare, "ratio": bare / ours}  # fmt: skip

    def start(self) -> dict[str, dict[str, float]]:
        """Return what a new process takes to its first answer: seconds, and its peak memory in MB."""
        model = self.path / MODEL if self.path.is_dir() else self.path
        predictor = self._predictor()
        inputs = random_inputs(predictor.contract, 1)
        zeros = {name: (array.dtype.name, array.shape) for name, array in inputs.items()}
        provider = EXECUTION_PROVIDERS[predictor.provider]
        return {
            "parity": _started(
                _PARITY + _PEAK, str(self.path), self.provider, self.digest or "", *self.allow_operators
            ),
            "onnxruntime": _started(_ONNXRUNTIME + _PEAK, str(model), provider, json.dumps(zeros)),
        }

    def _load(self, threads: int) -> tuple[ModelContract, Callable[[Arrays], tuple[Job, Job]]]:
        """Return what makes, of inputs, the two jobs: the same output of the predictor and of a bare session."""
        predictor = self._predictor(threads)
        contract, session = predictor.contract, self._session(threads)
        plain = contract.is_classifier or contract.task == "regression"
        if not plain or len(contract.inputs) > 1 or contract.inputs[0].dtype == "string":
            return contract, lambda inputs: (lambda: predictor.run(inputs), lambda: session.run(None, inputs))
        answer = predictor.predict_proba if contract.is_classifier else predictor.predict
        names, only = [PROBABILITIES if contract.is_classifier else VALUE], contract.inputs[0].name
        return contract, lambda inputs: (lambda: answer(inputs[only]), lambda: session.run(names, inputs))

    def _predictor(self, threads: int = 1) -> Predictor:
        options: dict[str, Any] = {"digest": self.digest, "allow_operators": self.allow_operators}
        return Predictor(self.path, provider=self.provider, threads=threads, **options)

    def _session(self, threads: int) -> Any:
        model = load_model(self.path, self.digest, allow_operators=self.allow_operators)
        weights = None if model.weights is None else model.weights.arrays()
        return create_session(model.data, self.provider, threads, weights=weights)


def random_inputs(contract: ModelContract, batch: int) -> Arrays:
    """Return one batch of inputs: features within their ranges as seen in training, other floats normal, integers 0.

    Text is one of the column's categories; of a column without, and of an input of no table, it is empty.

    Args:
        contract: of the model.
        batch: its rows; other dynamic dimensions have a size of their own.
    """
    random, rows = np.random.default_rng(SEED), batch_name(contract)
    inputs: Arrays = {}
    sizes = _sizes(contract) | ({} if rows is None else {rows: batch})
    for spec in contract.inputs:
        shape = [size if isinstance(size, int) else sizes[size] for size in spec.shape]
        drawn: NDArray[Any] = random.standard_normal(shape) if spec.dtype.startswith("float") else np.zeros(shape)
        if spec.dtype == "string":
            drawn = np.full(shape, MISSING_CATEGORY, object)
        for feature in contract.features_of(spec.name):
            if feature.is_text and feature.categories:
                drawn[..., feature.index] = random.choice(np.array(feature.categories, object), drawn.shape[:-1])
            elif feature.range is not None:
                drawn[..., feature.index] = random.uniform(*feature.range, drawn.shape[:-1])
            if feature.kind == "boolean":
                drawn[..., feature.index] = random.integers(0, 2, drawn.shape[:-1])
        inputs[spec.name] = drawn.astype(spec.numpy_dtype)
    return inputs


def _sizes(contract: ModelContract) -> dict[str, int]:
    """Return sizes of the dynamic dimensions as the contract allows them."""
    names = {size for spec in contract.inputs for size in spec.shape if isinstance(size, str)}
    bounded = {rule.name: rule.nearest(_OTHER_SIZE) for rule in contract.dimension_rules if not rule.terms}
    return with_derived(contract.dimension_rules, {name: bounded.get(name) or _OTHER_SIZE for name in names})


def _batches(contract: ModelContract) -> list[int]:
    if batch_name(contract) is None:
        return [1]
    row = sum(array.nbytes for array in random_inputs(contract, 1).values())
    return [batch for batch in BATCHES if batch * row <= _LARGEST_INPUT]


def _in_turn(jobs: tuple[Job, Job], seconds: float) -> list[list[float]]:
    """Time two jobs in turn, so that a drift of the machine meets both alike; the first calls are not counted."""
    for job in jobs:
        job()
    times: list[list[float]] = [[] for _ in jobs]
    end = time.perf_counter() + seconds
    while len(times[0]) < 3 or time.perf_counter() < end:
        for job, found in zip(jobs, times, strict=True):
            start = time.perf_counter()
            job()
            found.append(time.perf_counter() - start)
    return times


_PARITY = """
import sys
from parity_runtime import Predictor
from parity_runtime.evaluation.benchmark import random_inputs
predictor = Predictor(sys.argv[1], provider=sys.argv[2], digest=sys.argv[3] or None, allow_operators=sys.argv[4:])
predictor.run(random_inputs(predictor.contract, 1))
"""

_ONNXRUNTIME = """
import json, os, sys
import numpy
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=[sys.argv[2]])
session.run(None, {name: numpy.full(shape, "" if dtype == "object" else 0, dtype)
                   for name, (dtype, shape) in json.loads(sys.argv[3]).items()})
"""

_PEAK = """
try:
    with open("/proc/self/status") as file:
        print(next(line.split()[1] for line in file if line.startswith("VmHWM")))
except OSError:  # no Linux
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _started(script: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-c", script, *arguments]
    seconds, peaks = [], []
    for _ in range(_STARTS):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- our own scripts
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            raise InputError(f"a new process cannot predict: {done.stderr.strip().splitlines()[-1]}")
        peaks.append(int(done.stdout) / 1000)
    return {"seconds": statistics.median(seconds), "peak_mb": statistics.median(peaks)}
