"""How many cores a process may use: what its cpuset and its control group leave it."""

import os

import pytest

from parity_runtime import available_cores as module
from parity_runtime.available_cores import available_cores


@pytest.mark.parametrize(("quota", "most"), [(1.5, 1), (2.5, 2), (0.2, 1), (None, 9), (99.0, 9)])
def test_a_quota_bounds_the_cores(quota: float | None, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cgroup_cores", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    assert available_cores() == most


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no cpusets")
def test_a_cpuset_bounds_the_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
