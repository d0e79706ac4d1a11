"""A service that every test of the room asks, and models that need none."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import Predictor
from tests.unmeasured import unmeasured

pytest.importorskip("fastapi", reason="parity serve needs [serve]")
pytest.importorskip("httptools", reason="parity serve needs [serve]")
pytest.importorskip("orjson", reason="parity serve needs [serve]")
pytest.importorskip("prometheus_client", reason="parity serve needs [serve]")
pytest.importorskip("uvicorn", reason="parity serve needs [serve]")
pytest.importorskip("httpx")

import httpx

from parity_runtime.serving.create_app import Service
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.serving.server import Server

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


LIMITS = Limits(bytes=2**20, seconds=0.5, held_bytes=2**20, dropped_bytes=2**21, dropped_seconds=0.5,
                waiting=20, header_seconds=0.4, stalled_seconds=0.4)  # fmt: skip
POST = b"POST /v2/models/xor/infer HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="session")
def port(xor: ServedModel) -> Iterator[int]:
    """Of a service with short limits, in this process."""
    service = Service([xor], LIMITS, 1)
    server = Server(service.app, LIMITS, 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what is not read stays with the server
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces with pauses, then read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def post(content: bytes, *lines: bytes) -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(content) + content


def answered(port: int) -> bool:
    return talk(port, post(body(), b"Connection: close")).startswith(b"HTTP/1.1 200 ")


def tensor(**changes: Any) -> dict[str, Any]:
    """Two rows of XOR."""
    return {"name": "features", "shape": [2, 2], "datatype": "FP32", "data": [0.1, 0.9, 0.5, 0.5], **changes}


def body(*tensors: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": list(tensors or [tensor()]), **more}).encode()
