"""What this machine gives the process: instructions of the processor, cores, memory."""

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from parity_runtime.available_cores import allowed_cores
from parity_runtime.cgroup import cgroup_cores, cgroup_memory
from parity_runtime.doctor.finding import Finding

_INSTRUCTIONS = {
    "avx2": "AVX2", "avx512f": "AVX512", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16", "amx_int8": "AMX-INT8",
    "asimd": "NEON", "asimddp": "dot products", "i8mm": "int8 matrix products", "bf16": "BF16", "sve": "SVE",
}  # fmt: skip
"""Names of Linux for those that onnxruntime and torch have kernels for."""


def check_machine() -> Iterator[Finding]:
    """Yield what the processor, the cores and the memory are that the process may use."""
    yield processor_finding(platform.machine(), _flags())
    yield cores_finding(allowed_cores(), cgroup_cores())
    yield _memory()


def shows_gpu() -> bool:
    """Whether the machine shows a GPU of NVIDIA's to this process."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def processor_finding(machine: str, flags: set[str] | None) -> Finding:
    """Return what a processor has.

    Args:
        machine: its architecture, as ``platform.machine`` names it.
        flags: its instructions, by Linux's names; None where they are not known.
    """
    if flags is None:
        return Finding("machine", "processor", "ok", f"{machine}; its instructions are unknown")
    there = [name for flag, name in _INSTRUCTIONS.items() if flag in flags]
    told = f"{machine}: {', '.join(there) or 'none of the instructions that kernels are written for'}"
    if machine in ("x86_64", "AMD64") and "avx2" not in flags:
        return Finding("machine", "processor", "warning", f"{told}; without AVX2 onnxruntime uses its slowest kernels")
    return Finding("machine", "processor", "ok", told)


def _flags() -> set[str] | None:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return None
    lines = (line.partition(":") for line in text.splitlines())
    return next((set(value.split()) for key, _, value in lines if key.strip() in ("flags", "Features")), None)


def cores_finding(cores: int, quota: float | None) -> Finding:
    """Return what cores there are.

    Args:
        cores: that the process may run on.
        quota: of processor time, in cores; None without one.
    """
    told = f"{cores} of {os.cpu_count() or cores} may be used"
    if quota is None:
        return Finding("machine", "cores", "ok", told)
    told += f", with a quota of {quota:.3g} (cgroup)"
    if quota < cores and "OMP_NUM_THREADS" not in os.environ:
        told += "; torch starts a thread for each core, which then wait for the quota"
        return Finding("machine", "cores", "warning", told, f"export OMP_NUM_THREADS={max(1, int(quota))}")
    return Finding("machine", "cores", "ok", told)


def _memory() -> Finding:
    limit, found = cgroup_memory(), _meminfo()
    told = [f"{found[name] / 2**30:.1f} GiB {word}" for name, word in _MEMORY.items() if name in found]
    if limit is not None and limit < found.get("MemTotal", limit + 1):
        told.append(f"a limit of {limit / 2**30:.3g} GiB (cgroup)")
    address = _address_limit()
    if address is not None:
        told.append(f"a limit of {address / 2**30:.3g} GiB of addresses (ulimit -v)")
    return Finding("machine", "memory", "ok", ", ".join(told) or "unknown on this system")


_MEMORY = {"MemTotal": "in all", "MemAvailable": "available"}


def _meminfo() -> dict[str, int]:
    """Return numbers of bytes by the kernel's names."""
    try:
        lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    except OSError:
        return {}
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if words[2:] == ["kB"]}


def _address_limit() -> int | None:
    try:
        import resource  # noqa: PLC0415 -- not on Windows
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
