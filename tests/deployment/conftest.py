"""Packages, and what is written for them."""

import subprocess
import sys
from pathlib import Path

import pytest

from parity_runtime.deployment.deployed_model import DeployedModel, PackageOptions, open_models
from parity_runtime.deployment.model_config import TritonOptions
from parity_runtime.deployment.triton_repository import deploy_triton

DATA = Path(__file__).parent.parent / "data"
PARITY = Path(sys.executable).parent / "parity"
PLAIN = PackageOptions()


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository of packages of every kind of input."""
    folder = tmp_path_factory.mktemp("triton") / "models"
    names = ("xor", "parcels", "series", "rent", "species")
    deploy_triton([DATA / name for name in names], folder, PLAIN, TritonOptions())
    return folder


@pytest.fixture(scope="session")
def xor() -> DeployedModel:
    (model,) = open_models([DATA / "xor"], PLAIN)
    return model


def parity(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PARITY, *map(str, arguments)], check=False, capture_output=True, text=True)
