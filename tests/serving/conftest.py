"""A service that every test of the room asks, and models that need none."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import Predictor
from tests.unmeasured import unmeasured

pytest.importorskip("fastapi", reason="parity serve needs [serve]")
pytest.importorskip("orjson", reason="parity serve needs [serve]")
pytest.importorskip("prometheus_client", reason="parity serve needs [serve]")
pytest.importorskip("uvicorn", reason="parity serve needs [serve]")
pytest.importorskip("httpx")

import httpx

from parity_runtime.serving.served_model import ServedModel

DATA = Path(__file__).parent.parent / "data"
PARITY = Path(sys.executable).parent / "parity"


@dataclass
class Running:
    """A service in a process of its own.

    Attributes:
        process: ``parity serve``.
        port: that it listens at.
        client: of httpx.
        told: what it said on stderr, once it has stopped.
    """

    process: "subprocess.Popen[str]"
    port: int
    client: Any
    told: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Start a service, and stop it: it exits with 0 and has told nothing but its answers."""
    command = [str(PARITY), "serve", *map(str, arguments), "--port", "0"]
    command += [] if "--drain" in arguments else ["--drain", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment or unmeasured())  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    port = int(line.rpartition(" ")[2])
    running = Running(process, port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))
    try:
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        running.told = process.communicate(timeout=40)[1]
        running.client.close()
    assert process.returncode == 0
    for told in running.told.splitlines():
        assert json.loads(told)["status"]


@pytest.fixture(scope="session")
def service() -> Iterator[Running]:
    """XOR and parcels, with small limits, certified where that is possible."""
    options = ("--certified", "--max-rows", "5000", "--max-bytes", "200000")
    with serving(DATA / "xor_certified", *options) as running:
        yield running


@pytest.fixture(scope="session")
def xor() -> ServedModel:
    return ServedModel(Predictor(DATA / "xor_certified", certified=True), 100)


@pytest.fixture(scope="session")
def parcels() -> ServedModel:
    return ServedModel(Predictor(DATA / "parcels"), 100)


def tensor(**changes: Any) -> dict[str, Any]:
    """Two rows of XOR."""
    return {"name": "features", "shape": [2, 2], "datatype": "FP32", "data": [0.1, 0.9, 0.5, 0.5], **changes}


def body(*tensors: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(tensors or [tensor()]), **more}).encode()
