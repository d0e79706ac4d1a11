"""Nothing opens a network socket, from training to prediction."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engines.spark_cluster import JAVA_OPTIONS, absent
from tests.python_path import python_path
from tests.soak import sampled

pytestmark = pytest.mark.slow

XOR = Path(__file__).resolve().parents[1] / "data" / "xor"
PARITY = Path(sys.executable).parent / "parity"
GUARD = """
import os, sys

def refuse(event, arguments):
    local = event == "socket.__new__" and arguments[1] == 1  # AF_UNIX, by which the processes of --num-workers talk
    if event in ("socket.__new__", "socket.getaddrinfo") and not local:
        os.write(2, f"{event} {arguments}\\n".encode())
        os._exit(77)

sys.addaudithook(refuse)
"""
NO_CONNECTION = """
import os, sys

def refuse(event, arguments):
    local = event == "socket.connect" and isinstance(arguments[1], (str, bytes))  # of a Unix socket
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo") and not local:
        os.write(2, f"{event} {arguments}\\n".encode())
        os._exit(77)

sys.addaudithook(refuse)
"""
LINE = (
    "train xor --out run --epochs 20",
    "train xor --out workers --epochs 1 --num-workers 1",
    "plot run",
    "report run",
    "export run package --certified",
    "report package",
    "info package",
    "verify package",
    "certify package",
    "predict package run/test.csv --columns x1,x2",
    "evaluate package run/test.csv",
    "bench package --seconds 0.02",
    "doctor",
)
SOON = {"PYSPARK_SUBMIT_ARGS": f"--driver-java-options '{JAVA_OPTIONS}' pyspark-shell"}
ONE_BY_ONE = """
from parity_runtime.cli.main import main

for command in LINE:
    print(command, flush=True)
    try:
        main(command.split())
    except SystemExit as stop:
        if stop.code:
            raise
"""
"""Runs them in one process: torch is imported once, and what any command imports or calls meets the guard."""


def guarded(folder: Path, guard: str = GUARD) -> dict[str, str]:
    """The environment of a Python that ends at its first socket, or connection."""
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(guard)
    return os.environ | {"PYTHONPATH": python_path(str(folder / "guard")), "HOME": str(folder)}


def test_the_guard_ends_a_process_that_opens_a_socket(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import socket; socket.socket()"]
    assert subprocess.run(command, env=guarded(tmp_path), check=False).returncode == 77


def without_a_network() -> list[str]:
    """What takes a command's network away, where this system lets a test do so."""
    unshare = shutil.which("unshare")
    prefix = [str(unshare), "--net"]
    refused = unshare is None or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    return [] if refused else prefix


def with_loopback_alone() -> list[str]:
    """What leaves a command the loopback interface, where this system lets a test do so."""
    prefix = without_a_network()
    return [*prefix, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"] if prefix and shutil.which("ip") else []


def test_processes_that_train_together_need_the_loopback_interface_alone(tmp_path: Path) -> None:
    """That no socket of theirs is bound to another address is tested where they are killed: test_processes.py."""
    command = "train xor --out run --size 200 --epochs 1 --processes 2"
    done = subprocess.run([*with_loopback_alone(), str(PARITY), *command.split()], cwd=tmp_path,
                          env=guarded(tmp_path), capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_log_in_mlflow_connects_to_nothing_unless_it_is_given_an_address(tmp_path: Path) -> None:
    """On importing a library of MLflow's asks whether it may bind to ::1, and no more."""
    pytest.importorskip("mlflow", reason="mlflow wants another pyarrow than the tests' environment: make mlflow")
    environment = guarded(tmp_path, NO_CONNECTION)
    asked = {"CI", "DO_NOT_TRACK", "PYTEST_CURRENT_TEST"}  # by which MLflow tells that it is to say nothing
    environment = {
        name: value for name, value in environment.items() if name not in asked and not name.startswith("MLFLOW_")
    }
    command = "train xor --out run --size 200 --epochs 1 --log mlflow"
    done = subprocess.run([*without_a_network(), str(PARITY), *command.split()], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlflow.db").exists()
    command = "import socket; socket.create_connection(('127.0.0.1', 9))"
    refused = subprocess.run([sys.executable, "-c", command], env=environment, check=False, capture_output=True)
    assert refused.returncode == 77


@pytest.mark.parametrize("engine", sampled(["spark", "ray"], {"spark"}))
def test_an_engine_without_an_address_talks_through_the_loopback_interface_alone(engine: str, tmp_path: Path) -> None:
    """Where the system lets a test do so, all sockets of the processes that it starts are looked up."""
    pytest.importorskip("ray" if engine == "ray" else "pyspark")
    if engine == "spark" and (reason := absent()):
        pytest.skip(reason)
    prefix = with_loopback_alone()
    if not prefix:
        pytest.skip("this system gives a test no network of its own")
    (tmp_path / "points.csv").write_text("x1,x2\n" + "0,1\n" * 2000)
    command = [*prefix, str(PARITY), "predict", str(XOR), "points.csv", "--out", "scored", "--engine", engine]
    process = subprocess.Popen([*command, "--batch-size", "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"PYTHONPATH": python_path()} | SOON)  # fmt: skip
    found: set[str] = set()
    while process.poll() is None:
        found |= listening(process.pid)
        time.sleep(0.05)
    _, told = process.communicate()
    assert process.returncode == 0 and told == "2000 rows predicted in scored: 1 file\n", told
    assert found and found <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listening(number: int) -> set[str]:
    """Return the addresses, in hexadecimal, that something listens at in a network of a process's own."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        if Path(f"/proc/{number}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
            return found  # it has none of its own yet
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            lines = [line.split() for line in Path(f"/proc/{number}/net/{name}").read_text().splitlines()[1:]]
            found |= {words[1].partition(":")[0] for words in lines if words[3] == "0A"}
    return found


def test_the_whole_line_needs_no_network_and_opens_no_socket(tmp_path: Path) -> None:
    prefix, environment = without_a_network(), guarded(tmp_path)
    command = [*prefix, sys.executable, "-c", f"LINE = {LINE!r}\n{ONE_BY_ONE}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout[-500:], done.stderr)
    assert [line for line in done.stdout.splitlines() if line in LINE] == [*LINE]
    assert not (tmp_path / ".cache" / "Microsoft").exists()
