"""python load.py PACKAGE: 200 clients at once against the service, and against a bare echo of the same body.

What the service takes more of the processor per request than the echo is its own cost.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import click
import numpy as np
from protocol import DATATYPES

from parity_runtime import Package

_HERE = Path(__file__).parent
_ECHO = """
import socket, uvicorn
from fastapi import FastAPI, Request, Response
app = FastAPI(openapi_url=None)
@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/json")
listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print("echo on port", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
"""


@dataclass
class Load:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    answers: set[bytes] = field(default_factory=set)


@click.command(context_settings={"show_default": True})
@click.argument("package", type=click.Path(path_type=Path))
@click.option("--clients", default=200, type=click.IntRange(1), help="At once, each on a connection of its own.")
@click.option("--seconds", default=30.0, type=click.FloatRange(1), help="For each of the two servers.")
@click.option("--rows", default=1, type=click.IntRange(1), help="Of each request.")
@click.option("--certified", is_flag=True, help="Serve the certified graph.")
def main(package: Path, clients: int, seconds: float, rows: int, certified: bool) -> None:
    """Load the service of PACKAGE, then the echo; exits with 3 where a request failed."""
    contract = Package.open(package).contract
    body = example_body(package, rows)
    service = [sys.executable, str(_HERE / "serve.py"), str(package), "--port", "0", "--drain", "0"]
    service += ["--certified"] if certified else []
    served = measure(service, request_bytes(f"/v2/models/{contract.name}/infer", body), clients, seconds)
    echoed = measure([sys.executable, "-c", _ECHO], request_bytes("/echo", body), clients, seconds)
    click.echo(f"the service's own cost: {served[1] - echoed[1]:.0f} us of the processor per request")
    if served[0].problems or len(served[0].answers) != 1:
        raise SystemExit(3)


def example_body(package: Path, rows: int) -> bytes:
    """Return the body of an inference: zeros, and empty text."""
    contract = Package.open(package).contract
    if not all(contract.features_of(spec.name) for spec in contract.inputs):
        raise click.ClickException(f"{contract.name} is no model over a table")
    inputs = []
    for spec in contract.inputs:
        shape = [rows, len(contract.features_of(spec.name))]
        cell: float | str = "" if spec.dtype == "string" else 0
        data = [cell] * (shape[0] * shape[1])
        inputs.append({"name": spec.name, "shape": shape, "datatype": DATATYPES[spec.dtype], "data": data})
    return json.dumps({"inputs": inputs}).encode()


def request_bytes(path: str, body: bytes) -> bytes:
    """Return a whole HTTP request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(command: list[str], request: bytes, clients: int, seconds: float) -> tuple[Load, float]:
    """Start a server, load it, stop it; return what the clients saw and its processor time a request, in us."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        name, _, port = line.strip().rpartition(" ")
        if not port:
            raise click.ClickException("the server did not start")
        before = _processor_seconds(process.pid)  # its start is not counted
        load = asyncio.run(run_clients(int(port), request, clients, seconds))
        cost = 1e6 * (_processor_seconds(process.pid) - before) / max(1, len(load.seconds))
        process.send_signal(signal.SIGTERM)
    _report(name.partition(" ")[0], load, seconds, cost)
    return load, cost


async def run_clients(port: int, request: bytes, clients: int, seconds: float) -> Load:
    """Let every client ask again and again until the time is over."""
    load = Load()
    until = perf_counter() + seconds
    await asyncio.gather(*(_client(port, request, until, load) for _ in range(clients)))
    return load


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while perf_counter() < until:
            start = perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            load.answers.add(await reader.readexactly(length))
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


def _report(name: str, load: Load, seconds: float, cost: float) -> None:
    times = 1e3 * np.percentile(load.seconds or [0.0], [50, 95, 99, 100])
    click.echo(
        f"{name}: {len(load.seconds)} answers ({len(load.seconds) / seconds:.0f} a second), "
        f"{sum(load.problems.values())} errors, {len(load.answers)} different; "
        f"50 % within {times[0]:.1f} ms, 95 % {times[1]:.1f}, 99 % {times[2]:.1f}, all {times[3]:.1f}; "
        f"{cost:.0f} us of the processor per request, with {os.cpu_count()} cores shared by clients and server"
    )
    for problem, count in load.problems.items():
        click.echo(f"  {count} x {problem}")


if __name__ == "__main__":
    main()
