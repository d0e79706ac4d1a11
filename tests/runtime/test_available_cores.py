"""How many cores a process may use: what its cpuset and its control group leave it."""

import os
from pathlib import Path

import pytest

from parity_runtime import available_cores as module
from parity_runtime.available_cores import available_cores


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "150000 100000\n"}, 1),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 9),
        ({"cpu.max": "nonsense\n"}, 9),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 9),
        ({}, 9),
    ],
)
def test_a_quota_bounds_the_cores(
    tmp_path: Path, files: dict[str, str], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "_CGROUP", tmp_path)
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
