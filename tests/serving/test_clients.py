"""Clients that others wrote, at their defaults: Triton's here, KServe's, MLServer's and Schemathesis in their own
environments (``make clients``).
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.serving.conftest import DATA, Running, serving

HERE = Path(__file__).parent / "clients"
VENV = Path(__file__).parent.parent.parent / ".venv"
ENVIRONMENTS = {"clients": "PARITY_CLIENTS", "mlserver": "PARITY_MLSERVER"}
ROWS = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both() -> Iterator[Running]:
    with serving(DATA / "xor", DATA / "parcels", "--no-access-log") as running:
        yield running


def run(environment: str, program: str, *arguments: object) -> None:
    """Run a program of an environment of its own."""
    folder = Path(os.environ.get(ENVIRONMENTS[environment], VENV / environment))
    if not (folder / "bin" / program).exists():
        pytest.skip(f"{folder} is missing; make clients makes it")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(folder / "bin" / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def triton(both: Running) -> Iterator[object]:
    http = pytest.importorskip("tritonclient.http", reason="pip install tritonclient[http]")
    with http.InferenceServerClient(both.url.removeprefix("http://")) as client:
        yield client


@pytest.mark.filterwarnings("ignore")  # gevent's own
def test_tritons_client(triton: object) -> None:
    from tritonclient import http

    assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("xor")
    version = triton.get_model_metadata("xor")["versions"][0]
    assert triton.is_model_ready("xor", version)
    sent = http.InferInput("features", [2, 2], "FP32")
    for binary in (True, False):
        sent.set_data_from_numpy(ROWS, binary_data=binary)
        found = triton.infer("xor", [sent], request_id="7")
        assert found.as_numpy("label").tolist() == [1, 0] and found.get_response()["id"] == "7"
        assert found.as_numpy("class").tolist() == [b"1", b"0"] and found.as_numpy("logits").dtype == np.float32
    wanted = [http.InferRequestedOutput("class"), http.InferRequestedOutput("label", binary_data=False)]
    for coding, version_asked in (("gzip", ""), ("deflate", version)):
        packed = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        found = triton.infer("xor", [sent], version_asked, outputs=wanted, **packed)
        assert found.as_numpy("label").tolist() == [1, 0] and found.as_numpy("class").tolist() == [b"1", b"0"]
    large = http.InferInput("features", [5000, 2], "FP32")
    large.set_data_from_numpy(np.tile(ROWS, (2500, 1)))
    found = triton.infer("xor", [large], response_compression_algorithm="gzip")
    assert found.as_numpy("label").tolist() == [1, 0] * 2500


@pytest.mark.filterwarnings("ignore")
def test_tritons_client_sends_text_and_moments_and_is_told_what_is_wrong(triton: object) -> None:
    from tritonclient import http
    from tritonclient.utils import InferenceServerException

    arrays = {"features": np.array([[1.5, 1]], np.float32), "categories": np.array([["Oslo", "3"]], object),
              "timestamps": np.array([[-1]])}  # fmt: skip
    sent = []
    for (name, array), datatype in zip(arrays.items(), ("FP32", "BYTES", "INT64"), strict=True):
        sent.append(http.InferInput(name, list(array.shape), datatype))
        sent[-1].set_data_from_numpy(array)
    assert triton.infer("parcels", sent).as_numpy("class").tolist() == [b"no"]
    with pytest.raises(InferenceServerException, match="there is no input 'categories'"):
        triton.infer("xor", sent)


def test_kserves_client(both: Running) -> None:
    run("clients", "python", HERE / "kserve_client.py", both.url)


def test_mlservers_codecs(both: Running) -> None:
    run("mlserver", "python", HERE / "mlserver_codecs.py", both.url)


def test_schemathesis_finds_nothing_in_the_description(both: Running) -> None:
    run("clients", "st", "--config-file", HERE / "schemathesis.toml", "run", f"{both.url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--no-color")  # fmt: skip
