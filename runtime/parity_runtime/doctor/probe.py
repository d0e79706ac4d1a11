"""``python -m parity_runtime.doctor.probe PROVIDER``: answer the sample's test vectors, and print what was found."""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from parity_runtime.doctor.kernels import int8_saturates, normalization_error
from parity_runtime.doctor.own_process import MARK
from parity_runtime.errors import ParityError, first_line
from parity_runtime.inference.session import Provider, import_onnxruntime
from parity_runtime.package.manifest import Package
from parity_runtime.verification.verify import verify

SAMPLE = Path(__file__).parent / "sample"
"""A package of the network that learned XOR."""


def probe(provider: Provider) -> dict[str, Any]:
    """Return what one provider does: its deviations, or its ``error``; of the CPU's what its kernels do otherwise.

    ``own_files`` is whether the error is one of the files that Parity brings.
    """
    try:
        _check_sample()
    except ParityError as error:
        return _damaged(error)
    onnxruntime = import_onnxruntime()
    found: dict[str, Any] = {"version": onnxruntime.__version__, "built_in": onnxruntime.get_available_providers()}
    try:
        deviations = verify(SAMPLE, provider=provider).deviations
    except ParityError as error:
        return found | _failed(error, _cuda_cause() if provider == "cuda" else "")
    found["values"] = sum(each.compared for each in deviations)
    found["largest"] = max(each.largest for each in deviations)
    if provider == "cpu":
        try:
            found |= {"int8_saturates": int8_saturates(), "normalization_error": normalization_error()}
        except (ParityError, OSError) as error:  # the sample's graph was loaded: it is the file
            return _damaged(error)
    return found


def _check_sample() -> None:
    package = Package.open(SAMPLE)
    for name in package.entries:
        for _ in package.blocks(name):
            pass


def _damaged(error: Exception) -> dict[str, Any]:
    found = _failed(error)
    told = f"a file of Parity itself is damaged ({found['error']}); install Parity again"
    return found | {"error": told, "own_files": True}


def _failed(error: Exception, cause: str = "") -> dict[str, Any]:
    return {"error": str(error).partition("; copy the")[0], "cause": cause, "own_files": False}


def _cuda_cause() -> str:
    """Return why the loader finds no CUDA: onnxruntime's own words for it go to a log."""
    try:
        ctypes.CDLL("libcuda.so.1" if sys.platform == "linux" else "nvcuda.dll")
    except OSError as error:
        return f"no NVIDIA driver: {first_line(error)}"
    library = Path(import_onnxruntime().__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
    try:
        if library.is_file():
            ctypes.CDLL(str(library))
    except OSError as error:
        return first_line(error)
    return ""


if __name__ == "__main__":
    try:
        found = probe(sys.argv[1])  # type: ignore[arg-type]  # checked by `verify`
    except ParityError as error:
        found = _failed(error)
    print(f"\n{MARK}{json.dumps(found)}")  # noqa: T201 -- to the process that started it
