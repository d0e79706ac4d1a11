"""Triton itself, as nvidia-pytriton has it, on the repository: ``make triton``.

The wheel has Triton's core and its backend for Python alone: that one, with onnxruntime in it, takes the place of the
backend for onnxruntime. What the core makes of the configuration is Triton's own: dims, reshape, text, warm-up,
batches, classification.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client_environments import folder_of, present, run
from tests.deployment.conftest import DATA

HERE = Path(__file__).parent / "clients"
DELAY = "dynamic_batching { max_queue_delay_microseconds: 200000 }"
pytestmark = [pytest.mark.slow, present("triton")]


def site_packages() -> Path:
    return next(folder_of("triton").glob("lib/python3.*/site-packages"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def stand_in(repository: Path, folder: Path) -> None:
    """Copy a repository and let Python's backend answer it; requests wait for one another for a moment."""
    shutil.copytree(repository, folder)
    for config in folder.glob("*/config.pbtxt"):
        text = config.read_text()
        assert 'backend: "onnxruntime"' in text and "dynamic_batching { }" in text
        text = text.replace('backend: "onnxruntime"', 'backend: "python"').replace("dynamic_batching { }", DELAY)
        config.write_text(text)
        path = f"import sys; sys.path.insert(0, {str(site_packages())!r})\n"
        (config.parent / "1" / "model.py").write_text(path + (HERE / "triton_model.py").read_text())


@pytest.fixture
def server(repository: Path, tmp_path: Path) -> Iterator[str]:
    """Start Triton, and give its address once every model is ready."""
    triton = site_packages() / "pytriton" / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    backend = shutil.copytree(triton / "backends", tmp_path / "backends") / "python"
    stub = Path(shutil.copy(triton / "python_backend_stubs" / version / "triton_python_backend_stub", backend))
    program = Path(shutil.copy(triton / "bin" / "tritonserver", tmp_path))
    for one in (stub, program):
        one.chmod(0o755)
    libraries = str(site_packages() / "nvidia_pytriton.libs")
    environment = os.environ | {"LD_LIBRARY_PATH": libraries, "CALLS": str(tmp_path)}
    linked = subprocess.run(["ldd", stub], check=True, capture_output=True, text=True, env=environment).stdout
    if "not found" in linked:
        pytest.skip("Triton's backend needs a shared libpython of this version")
    stand_in(repository, tmp_path / "models")
    port = free_port()
    command = [program, f"--model-repository={tmp_path / 'models'}", f"--backend-directory={tmp_path / 'backends'}"]
    command += ["--http-address=127.0.0.1", f"--http-port={port}", "--allow-grpc=false", "--allow-metrics=false"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_until_ready(process, port, tmp_path / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-8000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-8000:])


def test_triton_warms_up_and_answers_the_test_vectors(server: str, repository: Path, tmp_path: Path) -> None:
    packages = [DATA / path.parent.name for path in repository.glob("*/config.pbtxt")]
    warmed = {package.name: (tmp_path / package.name).read_text() for package in packages}
    assert set(warmed.values()) == {"1\n"}
    run("triton", "python", HERE / "triton_answers.py", server, *packages)
    for package in packages:
        merged = [int(line) for line in (tmp_path / package.name).read_text().splitlines()]
        assert max(merged) > 1, merged
