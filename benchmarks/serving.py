"""python benchmarks/serving.py: what a request of ``parity serve`` takes, beside a bare recipe of the same model.

The recipe is what a tutorial writes: FastAPI, a pydantic model of the body, onnxruntime, lists. Both run in uvicorn,
asked over as many connections. Figures are of the processor, of the server's process alone.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import click
import numpy as np
import orjson

from parity_runtime import Package, Predictor

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
uvicorn.Server(uvicorn.Config(app, http="h11", log_level="warning", access_log=ACCESS)).run(sockets=[listener])
"""


@dataclass
class Load:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)


@click.command(context_settings={"show_default": True})
@click.option("--package", default="tests/data/xor", help="Of a model with one input of numbers.")
@click.option("--clients", default=200, type=click.IntRange(1), help="At once, each on a connection of its own.")
@click.option("--seconds", default=10.0, type=click.FloatRange(0.5), help="For each figure.")
def main(package: str, clients: int, seconds: float) -> None:
    """Measure; exits with 3 where a request failed."""
    rows = np.random.default_rng(0).random((1000, len(Package.open(package).contract.features)), np.float32)
    own = _own_seconds(package, rows)
    click.echo(f"the model's own time: {1e6 * own:.0f} us of the processor for 1,000 rows")
    service = [str(Path(sys.executable).parent / "parity"), "serve", package, "--port", "0", "--drain", "0"]
    recipe = [sys.executable, "-c", RECIPE.replace("ACCESS", "True"), package]
    path = f"/v2/models/{Package.open(package).contract.name}/infer"
    failed = 0
    costs = {}
    for name, command, request, at_once in (
        ("recipe, 1 row", recipe, http("/predict", orjson.dumps({"rows": rows[:1].tolist()})), clients),
        ("parity, 1 row", service, http(path, written(rows[:1], outputs=True)), clients),
        ("parity, 1,000 rows, JSON", service, http(path, written(rows)), 1),
        ("parity, 1,000 rows, binary", service, binary(path, rows), 1),
    ):
        load, cost = measure(command, request, at_once, seconds)
        costs[name] = cost
        failed += sum(load.problems.values())
        times = 1e3 * np.percentile(load.seconds or [0.0], [50, 99])
        click.echo(
            f"{name}: {1e6 * cost:.0f} us of the processor a request, {len(load.seconds)} answers, "
            f"50 % within {times[0]:.1f} ms, 99 % {times[1]:.1f}; {dict(load.problems) or 'no error'}"
        )
    click.echo(f"beside the recipe {costs['parity, 1 row'] / costs['recipe, 1 row']:.2f}")
    for name in ("JSON", "binary"):
        click.echo(f"{name}: {costs[f'parity, 1,000 rows, {name}'] / own:.1f} times the model")
    raise SystemExit(3 if failed else 0)


def _own_seconds(package: str, rows: "np.ndarray") -> float:
    """Return what a predictor takes for the rows, every output of it."""
    with Predictor(package) as predictor:
        inputs = {predictor.contract.inputs[0].name: rows}
        for _ in range(100):
            predictor.run(inputs)
        start = time.process_time()
        for _ in range(2000):
            predictor.run(inputs)
        return (time.process_time() - start) / 2000


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


def measure(command: list[str], request: bytes, clients: int, seconds: float) -> tuple[Load, float]:
    """Start a server, load it, stop it; return what the clients saw and its processor time a request."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        port = line.strip().rpartition(" ")[2]
        if not port:
            raise click.ClickException("the server did not start")
        load = Load()
        asyncio.run(run_clients(int(port), request, clients, min(1.0, seconds / 4), Load()))
        before = _processor_seconds(process.pid)  # its start is not counted
        asyncio.run(run_clients(int(port), request, clients, seconds, load))
        cost = (_processor_seconds(process.pid) - before) / max(1, len(load.seconds))
        process.send_signal(signal.SIGTERM)
    return load, cost


async def run_clients(port: int, request: bytes, clients: int, seconds: float, load: Load) -> None:
    """Let every client ask again and again until the time is over."""
    until = perf_counter() + seconds
    await asyncio.gather(*(_client(port, request, until, load) for _ in range(clients)))


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while perf_counter() < until:
            start = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
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
