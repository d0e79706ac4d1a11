"""How many cores this process may use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Return how many cores the machine, its cpusets and the control group's quota leave this process; 1 at least."""
    quota = _quota()
    return max(1, _allowed() if quota is None else min(_allowed(), int(quota)))


def _allowed() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota() -> float | None:
    """Return the cores' worth of time that a container gets: of version 2 of Linux's control groups, or of version 1.

    A container sees its own group at the root.
    """
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((_CGROUP / f"cpu/cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        except OSError:
            return None
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None
