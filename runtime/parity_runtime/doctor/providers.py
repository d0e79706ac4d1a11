"""Which of onnxruntime's execution providers really run, and answer right."""

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.machine import shows_gpu
from parity_runtime.doctor.own_process import QUIET, last_line
from parity_runtime.doctor.pip_commands import pip_install, pip_reinstall, pip_uninstall

_SECONDS = 120.0  # CUDA's first start may compile kernels
_GPU_WHEEL = "onnxruntime-gpu"
_MOST_NORMALIZATION_ERROR = 0.01
_TWO_PASSES = "onnxruntime>=1.27"  # docs/explanation/proof.md, normalization
_CUDA = "CUDAExecutionProvider"
_OURS = {"CPUExecutionProvider", _CUDA}


def check_providers() -> Iterator[Finding]:
    """Yield a finding for each provider, and for what onnxruntime's kernels are known to do otherwise.

    A session of a small package answers its test vectors, within their tolerances, in a process of its own.
    """
    on_cpu = _probe("cpu")
    yield _answered("cpu", on_cpu, "error")
    if isinstance(on_cpu, str) or "error" in on_cpu:
        return
    yield from _kernels(on_cpu)
    yield _cuda(on_cpu["built_in"])
    others = [name for name in on_cpu["built_in"] if name not in _OURS]
    if others:
        yield Finding("providers", "others", "ok", f"{', '.join(others)}: built in, and not used by Parity")


def _probe(provider: str) -> dict[str, Any] | str:
    command = [sys.executable, "-P", "-m", "parity_runtime.doctor.probe", provider]
    return last_line(command, _SECONDS, QUIET)


def _answered(provider: str, found: dict[str, Any] | str, level: Any) -> Finding:
    if isinstance(found, str):
        return Finding("providers", provider, level, f"onnxruntime {found}", _reinstall(provider))
    if "error" in found:
        cause = f" ({found['cause']})" if found["cause"] else ""
        remedy = "" if cause else _reinstall(provider)  # wheels bring neither a driver nor CUDA
        return Finding("providers", provider, level, f"{found['error']}{cause}", remedy)
    told = f"onnxruntime {found['version']} gives the {found['values']} values of the test vectors, largest deviation"
    return Finding("providers", provider, "ok", f"{told} {found['largest']:.2g}")


def _reinstall(provider: str) -> str:
    wheel = _GPU_WHEEL if provider == "cuda" or _installed(_GPU_WHEEL) else "onnxruntime"
    return pip_reinstall([f"{wheel}=={_installed(wheel)}"]) if _installed(wheel) else ""


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


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
    return requirement.replace("onnxruntime", _GPU_WHEEL) if _installed(_GPU_WHEEL) else requirement


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
    remedy = f"{pip_uninstall(['onnxruntime'])} && {pip_install([f'{_GPU_WHEEL}>=1.20'])}"
    return Finding("providers", "cuda", "absent", f"{told}; this machine has an NVIDIA GPU", remedy)
