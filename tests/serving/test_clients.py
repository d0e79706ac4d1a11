"""Clients that others wrote, at their defaults, in environments of their own: ``make clients``."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import DATA, Running, serving

HERE = Path(__file__).parent / "clients"
VENV = Path(__file__).parent.parent.parent / ".venv"
ENVIRONMENTS = {"clients": "PARITY_CLIENTS", "mlserver": "PARITY_MLSERVER"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both() -> Iterator[Running]:
    with serving(DATA / "xor", DATA / "parcels", "--no-access-log") as running:
        yield running


def run(environment: str, program: str, *arguments: object, cwd: Path = HERE) -> None:
    """Run a program of an environment of its own."""
    done = subprocess.run([str(folder_of(environment) / "bin" / program), *map(str, arguments)], check=False, text=True,
                          capture_output=True, cwd=cwd, env={**os.environ, "PYTHONPATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def folder_of(environment: str) -> Path:
    return Path(os.environ.get(ENVIRONMENTS[environment], VENV / environment))


def present(environment: str) -> pytest.MarkDecorator:
    missing = not (folder_of(environment) / "bin" / "python").exists()
    return pytest.mark.skipif(missing, reason=f"{folder_of(environment)} is missing; make clients makes it")


@present("clients")
@pytest.mark.parametrize("script", ["triton_client.py", "kserve_client.py"])
def test_clients_of_the_protocol(both: Running, script: str) -> None:
    run("clients", "python", HERE / script, both.url)


@present("mlserver")
def test_mlservers_codecs(both: Running) -> None:
    run("mlserver", "python", HERE / "mlserver_codecs.py", both.url)


@present("clients")
def test_schemathesis_finds_nothing_in_the_description(both: Running, tmp_path: Path) -> None:
    run("clients", "st", "--config-file", HERE / "schemathesis.toml", "run", f"{both.url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--no-color",
        cwd=tmp_path)  # fmt: skip
