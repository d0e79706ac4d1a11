"""What may crash, hang or print, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

PYTHON = [
    sys.executable, "-P", *["-E"] * sys.flags.ignore_environment, *["-s"] * sys.flags.no_user_site,
]  # fmt: skip
"""The command of this Python that finds the modules which this process finds, but for those of a script's folder."""

MARK = "parity-found "
"""What stands before the JSON object: libraries print lines of JSON as well."""

TELL = f"""
def tell(found):
    import json
    print("\\n{MARK}" + json.dumps(found))
"""
"""The function by which a script hands over its object; the script goes behind it."""

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What keeps libraries from sending anything when they are imported."""


def found_by(command: Sequence[str], seconds: float, environment: Mapping[str, str]) -> dict[str, Any] | str:
    """Run a command and return the JSON object that it found, or what happened to the process, as a predicate.

    The object stands in a line behind `MARK`. Libraries may print lines before it, and others when they are unloaded.

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
    told = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not told:
        lines = done.stderr.strip().splitlines()
        return f"ends the process with {done.returncode}: {lines[-1] if lines else 'without a message'}"
    found: dict[str, Any] = json.loads(told[-1].removeprefix(MARK))
    return found


def failed_imports(modules: Sequence[str], seconds: float = 120.0) -> dict[str, Any] | str:
    """Import modules in a process of its own; return why by the name of each that fails, or what ended the process.

    Args:
        modules: their names, in this order.
        seconds: that they may take together; torch from a slow disk takes a minute.
    """
    return found_by([*PYTHON, "-c", TELL + _IMPORT, *modules], seconds, QUIET)


_IMPORT = """
import importlib, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
tell(failed)
"""
