"""What may crash, hang or print, in a process of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What keeps libraries from sending anything when they are imported."""


def last_line(command: Sequence[str], seconds: float, environment: Mapping[str, str]) -> dict[str, Any] | str:
    """Run a command and return the JSON object in its last line, or what happened to the process, as a predicate.

    Args:
        command: with its arguments.
        seconds: that it may take.
        environment: set beside this process's.
    """
    try:
        done = subprocess.run(  # noqa: S603 -- our own scripts
            command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds,
            env=os.environ | environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"takes more than {seconds:.0f} s"
    if done.returncode < 0:
        return f"ends the process: {signal.strsignal(-done.returncode) or f'signal {-done.returncode}'}"
    try:
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines()
        return f"ends the process with {done.returncode}: {lines[-1] if lines else 'without a message'}"
    return found
