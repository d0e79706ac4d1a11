"""What the benchmarks share: ratios of jobs that run in turn, whole processes, the parts of a command line."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

SIZES = ((1, 32), (1, 256), (1, 1024), (4, 256), (16, 256))
"""Depth and width of the networks by which growth is measured."""

ScoringJob = Callable[[], object]
Part = Callable[[], dict[str, Any]]


def print_parts(description: str | None, parts: dict[str, Part]) -> None:
    """Measure the parts that ``--only`` names, or all, and print them as one JSON object."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default=",".join(parts), help="which parts, separated by commas")
    chosen = parser.parse_args().only.split(",")
    print(json.dumps({name: parts[name]() for name in chosen}, indent=2))


def ratio(pair: tuple[ScoringJob, ScoringJob], repeats: int) -> dict[str, Any]:
    """Return how much longer the first job takes than the second, the two in turn; the first round is left out."""
    seconds = [(timed(pair[0]), timed(pair[1])) for _ in range(repeats + 1)][1:]
    return summary([first / second for first, second in seconds])


def timed(job: ScoringJob) -> float:
    """Return the seconds that a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def summary(ratios: list[float]) -> dict[str, Any]:
    """Return the median and the quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {"ratio": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)]}


def measured(command: list[str]) -> dict[str, float]:
    """Return the seconds (``s``) and the peak memory in 10^6 bytes (``mb``) of a whole process."""
    result: dict[str, float] = json.loads(run([sys.executable, "-S", "-c", _MEASURE, *command]))
    return result


def run(command: list[str]) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment()).stdout


def own_peak() -> int:
    """Return the bytes that this process held at most; what getrusage says begins with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def clean_environment() -> dict[str, str]:
    """Return the environment without what keeps Python from using compiled modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


# A child's peak begins with that of the process that starts it: a small one must.
_MEASURE = """
import json, os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - start
if status: sys.exit(f"{sys.argv[1:]} failed")
print(json.dumps({"s": seconds, "mb": usage.ru_maxrss * 1024 / 1e6}))
"""
