"""Which of onnxruntime's execution providers really run, and answer right."""

import os
from collections.abc import Iterator
from typing import Any

from parity_runtime.doctor.core import RUNTIMES, keep_one_runtime
from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.machine import shows_gpu
from parity_runtime.doctor.own_process import PYTHON, QUIET, failed_imports, found_by
from parity_runtime.doctor.pip_commands import pip_install, pip_reinstall, pip_replace
from parity_runtime.doctor.requirement import hiding_folder, installed_version

_SECONDS = 120.0  # CUDA's first start may compile kernels
_GPU_WHEEL = "onnxruntime-gpu"
_DEEP_IN_NUMPY = "numpy.typing"  # numpy alone may be a folder without files
_MOST_NORMALIZATION_ERROR = 0.01
_TWO_PASSES = "onnxruntime>=1.27"  # docs/explanation/proof.md, normalization
_CUDA = "CUDAExecutionProvider"
_OURS = {"CPUExecutionProvider", _CUDA}


def check_providers() -> Iterator[Finding]:
    """Yield a finding for each provider, and for what onnxruntime's kernels are known to do otherwise.

    A session of a small package answers its test vectors, within their tolerances, in a process of its own.
    """
    on_cpu = _probe("cpu")
    without_numpy = _numpy_failed() if isinstance(on_cpu, str) else None
    yield without_numpy or _answered("cpu", on_cpu, "error")
    if isinstance(on_cpu, str) or "error" in on_cpu:
        return
    yield from _kernels(on_cpu)
    yield _cuda(on_cpu["built_in"])
    others = [name for name in on_cpu["built_in"] if name not in _OURS]
    if others:
        yield Finding("providers", "others", "ok", f"{', '.join(others)}: built in, and not used by Parity")


def _probe(provider: str) -> dict[str, Any] | str:
    command = [*PYTHON, "-m", "parity_runtime.doctor.probe", provider]
    return found_by(command, _SECONDS, QUIET)


def _numpy_failed() -> Finding | None:
    """Return the finding of a numpy that cannot be imported, whose fault is none of onnxruntime's."""
    told = failed_imports([_DEEP_IN_NUMPY])
    if not told:
        return None
    found = f"importing numpy {told}" if isinstance(told, str) else f"numpy cannot be imported ({told[_DEEP_IN_NUMPY]})"
    return Finding("providers", "cpu", "error", f"{found}{_told_hidden('numpy')}", _mend("numpy"))


def _answered(provider: str, found: dict[str, Any] | str, level: Any) -> Finding:
    if isinstance(found, str):
        told = f"onnxruntime {found}{_told_hidden('onnxruntime')}"
        return Finding("providers", provider, level, told, _mend("onnxruntime", provider))
    if "error" in found:
        cause = f" ({found['cause']})" if found["cause"] else ""
        # Wheels of onnxruntime bring neither a driver nor CUDA, nor Parity's own files.
        if cause or found["own_files"]:
            return Finding("providers", provider, level, f"{found['error']}{cause}")
        told = f"{found['error']}{_told_hidden('onnxruntime')}"
        return Finding("providers", provider, level, told, _mend("onnxruntime", provider))
    told = f"onnxruntime {found['version']} gives the {found['values']} values of the test vectors, largest deviation"
    return Finding("providers", provider, "ok", f"{told} {found['largest']:.2g}")


def _mend(module: str, provider: str = "cpu") -> str:
    """Return the command that mends a library which cannot be imported."""
    if hiding_folder(module):
        return "unset PYTHONPATH"
    if module == "onnxruntime" and all(map(installed_version, RUNTIMES)):
        return keep_one_runtime()
    name = _wheel(provider) if module == "onnxruntime" else module
    found = installed_version(name)
    return pip_reinstall([f"{name}=={found}"]) if found else ""


def _told_hidden(module: str) -> str:
    folder = hiding_folder(module)
    return f"; {folder}, which PYTHONPATH names, hides the installed one" if folder else ""


def _wheel(provider: str) -> str:
    return _GPU_WHEEL if provider == "cuda" or installed_version(_GPU_WHEEL) else "onnxruntime"


def _kernels(found: dict[str, Any]) -> Iterator[Finding]:
    if found["int8_saturates"]:
        told = (
            "quantized models compute wrong results on this processor, which has no VNNI: products of uint8 and int8 "
            "are added in pairs of 16 bits, which saturate; quantize with weights of 7 bits (reduce_range=True)"
        )
        yield Finding("providers", "int8 products", "warning", told)
    else:
        yield Finding("providers", "int8 products", "ok", "exact on this processor")
    error = found["normalization_error"]
    if error > _MOST_NORMALIZATION_ERROR:
        told = (
            f"LayerNormalization errs by {error:.2g} where a mean is 1000 standard deviations: onnxruntime "
            f"{found['version']} computes the variance in one pass"
        )
        yield Finding("providers", "normalization", "warning", told, pip_install([_wanted(_TWO_PASSES)]))
    else:
        told = f"errs by {error:.2g} where a mean is 1000 standard deviations"
        yield Finding("providers", "normalization", "ok", told)


def _wanted(requirement: str) -> str:
    return requirement.replace("onnxruntime", _GPU_WHEEL) if installed_version(_GPU_WHEEL) else requirement


def _cuda(built_in: list[str]) -> Finding:
    if _CUDA in built_in:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        if hidden:
            told = "CUDA_VISIBLE_DEVICES hides every GPU"
            return Finding("providers", "cuda", "warning", told, "unset CUDA_VISIBLE_DEVICES")
        return _answered("cuda", _probe("cuda"), "warning")
    told = "this onnxruntime is built without CUDA"
    if not shows_gpu():
        return Finding("providers", "cuda", "absent", f"{told}, and this machine shows no NVIDIA GPU")
    remedy = pip_replace(["onnxruntime"], [f"{_GPU_WHEEL}>=1.20"])
    return Finding("providers", "cuda", "absent", f"{told}; this machine has an NVIDIA GPU", remedy)
