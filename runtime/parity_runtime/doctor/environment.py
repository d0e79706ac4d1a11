"""Environment variables that change what Parity, or a library below it, does."""

import os
from collections.abc import Iterator
from pathlib import Path

from parity_runtime.available_cores import allowed_cores
from parity_runtime.doctor.finding import Finding
from parity_runtime.printable import shown

_SHOWN = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE",
    "ORT_DISABLE_TELEMETRY", "KMP_DUPLICATE_LIB_OK", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "JAVA_HOME",
    "SPARK_HOME", "RAY_ADDRESS", "TMPDIR", "NO_COLOR",
)  # fmt: skip
_ON = ("1", "true", "yes", "on")  # as onnxruntime and OpenMP read them


def check_environment() -> Iterator[Finding]:
    """Yield a finding for each variable that is set and matters."""
    for name in _SHOWN:
        value = os.environ.get(name)
        if value is not None:
            told, remedy = _PROBLEMS.get(name, _none)(value)
            yield Finding(
                "environment", name, "warning" if told else "ok", f"{shown(value)}{told and '; '}{told}", remedy
            )


Problem = tuple[str, str]
"""What follows from a value, and the command that mends it; both empty where nothing has to be mended."""


def _none(_: str) -> Problem:
    return "", ""


def _threads(value: str) -> Problem:
    cores = allowed_cores()
    first = value.partition(",")[0].strip()  # OpenMP takes a list, a number for each level of nesting
    if not first.isdecimal() or not int(first):
        return "not a number of threads, and is ignored", f"export OMP_NUM_THREADS={cores}"
    if int(first) > cores:
        return f"more threads than the {cores} cores that may be used", f"export OMP_NUM_THREADS={cores}"
    return "", ""


def _telemetry(value: str) -> Problem:
    if value.lower() in _ON:
        return "", ""
    return "lets onnxruntime 1.29 and later send usage data to Microsoft", "export ORT_DISABLE_TELEMETRY=1"


def _duplicates(value: str) -> Problem:
    if value.lower() not in _ON:
        return "", ""
    return (
        "lets two copies of OpenMP run in one process, which may crash or compute wrongly",
        "unset KMP_DUPLICATE_LIB_OK",
    )


def _temporary(value: str) -> Problem:
    if Path(value).is_dir() and os.access(value, os.W_OK | os.X_OK):
        return "", ""
    return "no folder that can be written to", "unset TMPDIR"


_PROBLEMS = {
    "OMP_NUM_THREADS": _threads,
    "ORT_DISABLE_TELEMETRY": _telemetry,
    "KMP_DUPLICATE_LIB_OK": _duplicates,
    "TMPDIR": _temporary,
}
