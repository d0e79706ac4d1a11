"""How many cores this process may use."""

import os

from parity_runtime.cgroup import cgroup_cores


def allowed_cores() -> int:
    """Return how many cores the cpuset leaves this process, whatever its quota."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_cores() -> int:
    """Return how many cores the machine, its cpusets and the control group's quota leave this process; 1 at least."""
    quota = cgroup_cores()
    return max(1, allowed_cores() if quota is None else min(allowed_cores(), int(quota)))
