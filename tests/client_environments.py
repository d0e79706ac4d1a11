"""Environments of their own for what others wrote and wants other versions: ``make clients`` and ``make triton``."""

import os
import subprocess
from pathlib import Path

import pytest

VENV = Path(__file__).parent.parent / ".venv"
ENVIRONMENTS = {"clients": "PARITY_CLIENTS", "mlserver": "PARITY_MLSERVER", "triton": "PARITY_TRITON"}


def run(environment: str, program: str, *arguments: object, cwd: Path | None = None) -> None:
    """Run a program of an environment of its own."""
    done = subprocess.run([str(folder_of(environment) / "bin" / program), *map(str, arguments)], check=False, text=True,
                          capture_output=True, cwd=cwd, env={**os.environ, "PYTHONPATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def folder_of(environment: str) -> Path:
    return Path(os.environ.get(ENVIRONMENTS[environment], VENV / environment))


def present(environment: str) -> pytest.MarkDecorator:
    missing = not (folder_of(environment) / "bin" / "python").exists()
    command = "make triton" if environment == "triton" else "make clients"
    return pytest.mark.skipif(missing, reason=f"{folder_of(environment)} is missing; {command} makes it")
