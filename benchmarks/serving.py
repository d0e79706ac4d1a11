"""What a request of ``parity serve`` takes, beside a bare recipe of the same model and beside the model itself.

Prints one JSON object. The recipe is what a tutorial writes: FastAPI, a pydantic model of the body, onnxruntime,
lists. Both run in uvicorn with httptools and are asked over as many connections, in turn; what is compared is the
processor's time of the server's process alone. The model's own time is that of ``session.run`` for the same rows, in a
loop that does nothing else. What HTTP takes by itself is told beside it: a handler of ASGI in uvicorn that reads a
request and sends an answer of as many bytes, and a protocol of asyncio that does not even look at them, in turn with
the service. Clients ask again as soon as they have their answer; they share the cores with the server, so that they
wait for themselves as well.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import orjson
from common import ROOT, print_parts, summary

from parity_runtime import Package
from parity_runtime.inference.session import create_session

XOR = ROOT / "tests" / "data" / "xor"
ROWS, CLIENTS = 1000, 200
ROUNDS, SECONDS = 7, 3.0
LONG_SECONDS = 30.0

RECIPE = """
import sys, onnxruntime, numpy, uvicorn, socket
from fastapi import FastAPI
from pydantic import BaseModel
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", options, providers=["CPUExecutionProvider"])
app = FastAPI()

class Rows(BaseModel):
    rows: list[list[float]]

class Predictions(BaseModel):
    label: list[int]
    probabilities: list[list[float]]

@app.post("/predict")
async def predict(asked: Rows) -> Predictions:
    label, probabilities = session.run(["label", "probabilities"], {"features": numpy.array(asked.rows, numpy.float32)})
    return Predictions(label=label.tolist(), probabilities=probabilities.tolist())

listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("recipe on port", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, http="httptools", log_level="warning", access_log=ACCESS)).run(sockets=[listener])
"""

NOTHING = """
import socket, sys, uvicorn
answer = bytes(int(sys.argv[1]))
headers = [(b"content-type", b"application/json"), (b"content-length", sys.argv[1].encode())]

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print("nothing on port", listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, http="httptools", log_level="error", access_log=False, lifespan="off", ws="none")
uvicorn.Server(config).run(sockets=[listener])
"""
"""Reads a request and sends an answer of so many bytes."""

WIRE = """
import asyncio, socket, sys
size, request = map(int, sys.argv[1:])
answer = b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % size + bytes(size)

class Wire(asyncio.Protocol):
    read = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.read += len(data)
        if self.read == request:
            self.read = 0
            self.transport.write(answer)

async def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print("wire on port", listener.getsockname()[1], flush=True)
    await (await asyncio.get_running_loop().create_server(Wire, sock=listener)).serve_forever()

asyncio.run(main())
"""
"""Sends so many bytes of an answer for so many of a request."""


@dataclass
class Load:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"recipe": recipe, "rows": rows, "waiting": waiting})


def recipe() -> dict[str, Any]:
    """Return what one row takes of the processor over what it takes in the recipe."""
    features = random_rows(1, 2)
    requests = (
        http(_path(XOR), written(features, outputs=True)),
        http("/predict", orjson.dumps({"rows": features.tolist()})),
    )
    with ExitStack() as servers:
        pair = [servers.enter_context(running(command)) for command in (serve(XOR), bare(XOR))]
        costs = [
            [cost(server, request, CLIENTS) for server, request in zip(pair, requests, strict=True)]
            for _ in range(ROUNDS + 1)
        ][1:]
    ratios = summary([ours / theirs for ours, theirs in costs])
    return {f"one row of XOR, {CLIENTS} connections: parity over the recipe": ratios | {"target": "at most 1.15"}}


def rows() -> dict[str, Any]:
    """Return what 1,000 rows a request take over the model's own time, of a small model and of a middling one."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, package in (("XOR", XOR), ("digits, 64-256-256-10", _digits(Path(folder)))):
            features = random_rows(ROWS, len(Package.open(package).contract.features))
            own = own_seconds(package, features)
            for form, limit, request in (
                ("binary", 3, binary(_path(package), features)),
                ("JSON", 15, http(_path(package), written(features))),
            ):
                taken = beside_nothing(package, request)
                found[f"1,000 rows, {form}, over the model's own time, {name}"] = summary(
                    [one / own for one in taken["service"]]
                ) | {
                    "target": f"at most {limit}",
                    "a handler that does nothing": round(median(taken["nothing"]) / own, 1),
                    "the wire alone": round(median(taken["wire"]) / own, 1),
                    "model's own microseconds": round(1e6 * own),
                }
    return found


def beside_nothing(package: Path, request: bytes) -> dict[str, list[float]]:
    """Return the processor's seconds of a request: of the service, of a handler that does nothing, of the wire."""
    with ExitStack() as servers:
        service = servers.enter_context(running(serve(package)))
        size = str(asyncio.run(answer_bytes(service.port, request)))
        commands = {"nothing": [NOTHING, size], "wire": [WIRE, size, str(len(request))]}
        asked = {"service": service} | {
            name: servers.enter_context(running([sys.executable, "-c", *command])) for name, command in commands.items()
        }
        rounds = [{name: cost(server, request, 1) for name, server in asked.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: [one[name] for one in rounds] for name in asked}


def waiting() -> dict[str, Any]:
    """Return how long clients wait, at three loads; the largest goes on for 30 s."""
    request, found = http(_path(XOR), written(random_rows(1, 2))), {}
    with running(serve(XOR)) as server:
        for clients in (1, 20, CLIENTS):
            load, seconds = Load(), LONG_SECONDS if clients == CLIENTS else 10.0
            asyncio.run(run_clients(server.port, request, clients, seconds, load))
            middle, most = 1e3 * np.percentile(load.seconds, [50, 99])
            found[f"one row of XOR, {clients} at once"] = {
                "p50 (ms)": round(float(middle), 2),
                "p99 (ms)": round(float(most), 2),
                "answers a second": round(len(load.seconds) / seconds),
                "errors": load.problems.total(),
            }
    return found


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: int
    port: int


def serve(package: Path) -> list[str]:
    """Return the command of the service, with its log."""
    return [str(Path(sys.executable).parent / "parity"), "serve", str(package), "--port", "0", "--drain", "0"]


def bare(package: Path) -> list[str]:
    """Return the command of the recipe, with its log."""
    return [sys.executable, "-c", RECIPE.replace("ACCESS", "True"), str(package)]


@contextmanager
def running(command: list[str]) -> Iterator[Server]:
    """Start a server, and stop it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        try:
            yield Server(process.pid, int(told.strip().rpartition(" ")[2]))
        finally:
            process.send_signal(signal.SIGTERM)


def cost(server: Server, request: bytes, clients: int) -> float:
    """Return the processor's seconds that a request takes of the server.

    Raises:
        RuntimeError: a request failed.
    """
    load, before = Load(), _processor_seconds(server.process)
    asyncio.run(run_clients(server.port, request, clients, SECONDS, load))
    if load.problems:
        raise RuntimeError(f"requests failed: {dict(load.problems)}")
    return (_processor_seconds(server.process) - before) / len(load.seconds)


def own_seconds(package: Path, features: "np.ndarray") -> float:
    """Return the processor's seconds of ``session.run``, every output of it."""
    session, times = create_session((package / "model.onnx").read_bytes()), []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(500):
            session.run(None, {"features": features})
        times.append((time.process_time() - start) / 500)
    return sorted(times)[ROUNDS // 2]


def random_rows(count: int, columns: int) -> "np.ndarray":
    """Return rows of numbers, float32 ``[count, columns]``."""
    return np.random.default_rng(0).random((count, columns), np.float32)


def _path(package: Path) -> str:
    return f"/v2/models/{Package.open(package).contract.name}/infer"


def _digits(folder: Path) -> Path:
    """Export a network as digits have, of random weights."""
    from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
    from parity_training import MLP

    meaning = OutputSpec("multiclass", "logits", tuple("0123456789"))
    source = source_from_module(MLP(64, 10, hidden=(256, 256)), ["features: float32[batch, 64]"], meaning, "digits")
    return export_package(source, folder / "digits", ExportOptions(plots=False)).path


def written(rows: "np.ndarray", *, outputs: bool = False) -> bytes:
    """Return a body of JSON."""
    tensor = {"name": "features", "shape": rows.shape, "datatype": "FP32", "data": rows.ravel()}
    wanted = {"outputs": [{"name": "label"}, {"name": "probabilities"}]} if outputs else {}
    return orjson.dumps({"inputs": [tensor], **wanted}, option=orjson.OPT_SERIALIZE_NUMPY)


def binary(path: str, rows: "np.ndarray") -> bytes:
    """Return a request with binary tensors in both directions."""
    tensor = {
        "name": "features",
        "shape": rows.shape,
        "datatype": "FP32",
        "parameters": {"binary_data_size": rows.nbytes},
    }
    head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    return http(path, head + rows.tobytes(), f"Inference-Header-Content-Length: {len(head)}\r\n")


def http(path: str, body: bytes, more: str = "") -> bytes:
    """Return a whole HTTP request."""
    lines = f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}"
    return f"{lines}\r\n\r\n".encode() + body


async def run_clients(port: int, request: bytes, clients: int, seconds: float, load: Load) -> None:
    """Let every client ask again and again until the time is over."""
    until = perf_counter() + seconds
    await asyncio.gather(*(_client(port, request, until, load) for _ in range(clients)))


async def answer_bytes(port: int, request: bytes) -> int:
    """Return how long the body of the answer to a request is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    length = _length(await reader.readuntil(b"\r\n\r\n"))
    writer.close()
    return length


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while perf_counter() < until:
            start = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            load.seconds.append(perf_counter() - start)
            if not head.startswith(b"HTTP/1.1 200 "):
                load.problems[head.partition(b"\r\n")[0].decode()] += 1
        writer.close()
    except (OSError, EOFError, ValueError) as error:
        load.problems[repr(error)] += 1


def _processor_seconds(process: int) -> float:
    """Return what a process has taken so far; Linux tells it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
