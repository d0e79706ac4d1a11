"""Training where torch is installed, as [export] brings it, and the rest of [train] is not."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TENSORBOARD = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "tensorboard" else found(name, package)
from parity_runtime.cli.main import main
main()
"""
WITHOUT_MLFLOW = """
import sys
sys.modules["mlflow"] = None
from parity_runtime.cli.main import main
main()
"""


@pytest.mark.slow
def test_without_tensorboard_nothing_is_begun_and_the_extra_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TENSORBOARD, "train", "xor", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done
    assert "needs tensorboard" in done.stderr and 'pip install ".[train]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_mlflow_nothing_is_begun_and_the_extra_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_MLFLOW, "train", "xor", "--out", "run", "--log", "mlflow"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done
    assert "--log mlflow needs MLflow 3" in done.stderr and 'pip install ".[cpu,train,mlflow]"' in done.stderr
    assert list(tmp_path.iterdir()) == []
