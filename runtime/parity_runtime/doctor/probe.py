"""``python -m parity_runtime.doctor.probe PROVIDER``: answer the sample's test vectors, and print what was found."""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from parity_runtime.doctor.kernels import int8_saturates, normalization_error
from parity_runtime.errors import ParityError, first_line
from parity_runtime.inference.session import Provider, import_onnxruntime
from parity_runtime.verification.verify import verify

SAMPLE = Path(__file__).parent / "sample"
"""A package of the network that learned XOR."""


def probe(provider: Provider) -> dict[str, Any]:
    """Return what one provider does: its deviations, or its ``error``; of the CPU's what its kernels do otherwise."""
    onnxruntime = import_onnxruntime()
    found: dict[str, Any] = {"version": onnxruntime.__version__, "built_in": onnxruntime.get_available_providers()}
    try:
        deviations = verify(SAMPLE, provider=provider).deviations
    except ParityError as error:
        return found | {"error": str(error), "cause": _cuda_cause() if provider == "cuda" else ""}
    found["values"] = sum(each.compared for each in deviations)
    found["largest"] = max(each.largest for each in deviations)
    if provider == "cpu":
        found |= {"int8_saturates": int8_saturates(), "normalization_error": normalization_error()}
    return found


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
        found = {"error": str(error), "cause": ""}
    print("\n" + json.dumps(found))  # noqa: T201 -- to the process that started it
