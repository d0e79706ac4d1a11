"""The Python service: every question goes to a running server."""

import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.embedding.conftest import DATA, EXAMPLES, NO_CLASS, STRANGE
from tests.embedding.parcels import FACTS, check_outputs
from tests.unmeasured import unmeasured

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")

SERVICE = EXAMPLES / "python-service"
PACKAGE = DATA / "xor_certified"


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    with Predictor(PACKAGE, certified=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with serving(PACKAGE, "--certified", "--max-rows", "100", "--max-bytes", "20000") as opened:
        yield opened


def start(package: Path, *options: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, str(SERVICE / "serve.py"), str(package), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=unmeasured())
    assert process.stdout is not None
    return process, int(process.stdout.readline().rpartition(" ")[2] or 0)


@contextmanager
def serving(package: Path, *options: str) -> Iterator[Any]:
    """A client of a server of its own; the server says nothing on stderr."""
    process, port = start(package, *options, "--drain", "0")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as opened:
        yield opened
    process.send_signal(signal.SIGTERM)
    assert (process.wait(20), process.communicate()[1]) == (0, "")


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "features", "shape": [2, 2], "datatype": "FP32", "data": [0.1, 0.9, 0.5, 0.5], **changes}


def url(predictor: Predictor) -> str:
    return f"/v2/models/{predictor.contract.name}"


def test_health_and_metadata(client: Any, predictor: Predictor) -> None:
    assert client.get("/v2").json()["name"] == "parity"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get(f"{url(predictor)}/ready").json() == {"name": predictor.contract.name, "ready": True}
    metadata = client.get(url(predictor)).json()
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 2]}]
    names = [output["name"] for output in metadata["outputs"]]
    assert names == ["label", "probabilities", "logits", "error_bound", "certified", "class"]
    assert client.get(f"{url(predictor)}/versions/{predictor.package_id}").json() == metadata


def test_answers_are_the_predictors(client: Any, predictor: Predictor) -> None:
    answer = client.post(f"{url(predictor)}/infer", json={"id": "7", "inputs": [tensor()]}).json()
    assert (answer["id"], answer["model_name"]) == ("7", predictor.contract.name)
    expected = predictor.run({"features": [[0.1, 0.9], [0.5, 0.5]]})
    for output in answer["outputs"]:
        if output["name"] == "class":
            assert output["data"] == list(predictor.predict([[0.1, 0.9], [0.5, 0.5]]).astype(str))
            continue
        array = expected[output["name"]]
        assert output["shape"] == list(array.shape)
        assert (np.array(output["data"], array.dtype) == array.reshape(-1)).all()


def test_nested_data_and_chosen_outputs(client: Any, predictor: Predictor) -> None:
    body = {"inputs": [tensor(data=[[0.1, 0.9], [0.5, 0.5]])], "outputs": [{"name": "class"}, {"name": "label"}]}
    answer = client.post(f"{url(predictor)}/infer", json=body).json()
    assert [output["name"] for output in answer["outputs"]] == ["class", "label"]
    assert "id" not in answer


@pytest.mark.slow
def test_labels_and_vectors_are_answered_as_they_are(task_packages: dict[str, Path]) -> None:
    for name, asked in (("multilabel", [1.0, 2.0, 3.0, 4.0]), ("tagging", [0.5] * 20), ("unit embedding", [1.0] * 4)):
        (spec,) = Predictor(task_packages[name]).contract.inputs
        shape = [1, *spec.shape[1:]]
        wanted = Predictor(task_packages[name]).run({"x": np.array(asked, np.float32).reshape(shape)})
        body = {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": asked}]}
        with serving(task_packages[name]) as opened:
            answer = opened.post("/v2/models/m/infer", json=body).json()
        found = {output["name"]: output["data"] for output in answer["outputs"]}
        assert list(found) == list(wanted)
        for output, array in wanted.items():
            np.testing.assert_allclose(np.array(found[output], array.dtype), array.reshape(-1), rtol=1e-6)


BAD: list[Any] = [
    "",
    "{",
    "[]",
    "[" * 10_000,
    "null",
    b"\xff",
    {},
    {"inputs": []},
    {"inputs": {}},
    {"inputs": [1]},
    {"inputs": [{"name": 1}]},
    {"inputs": [tensor(), tensor()]},
    {"inputs": [tensor(name="other")]},
    {"inputs": [tensor(name="x" * 5000)]},
    {"inputs": [tensor(datatype="FP64")]},
    {"inputs": [tensor(datatype=None)]},
    {"inputs": [tensor(shape=[2, 3])]},
    {"inputs": [tensor(shape=[4])]},
    {"inputs": [tensor(shape=[-2, -2])]},
    {"inputs": [tensor(shape=[2.0, 2])]},
    {"inputs": [tensor(shape=[True, 4])]},
    {"inputs": [tensor(shape=[0, 2**70], data=[])]},
    {"inputs": [tensor(shape=[2**70, 2])]},
    {"inputs": [tensor(shape="x")]},
    {"inputs": [tensor(shape=[1] * 100, data=[1])]},
    {"inputs": [tensor(shape=[], data=[1])]},
    {"inputs": [tensor(data="0.1")]},
    {"inputs": [tensor(data=[0.1, "0.9", 0.5, 0.5])]},
    {"inputs": [tensor(data=[0.1, True, 0.5, 0.5])]},
    {"inputs": [tensor(data=[[0.1, 0.9], [0.5]])]},
    {"inputs": [tensor(data=[[0.1, 0.9], 0.5])]},
    {"inputs": [tensor(data=[0.5, [0.1, 0.9], 1, 1])]},
    {"inputs": [tensor(data=[[[0.1, 0.9]], [[0.5, 0.5]]])]},
    {"inputs": [tensor(data=[10**400, 1, 1, 1])]},
    {"inputs": [tensor(data=[1e39, 1, 1, 1])]},
    {"inputs": [tensor()], "outputs": [{"name": "other"}]},
    {"inputs": [tensor()], "outputs": "label"},
    {"inputs": [tensor()], "outputs": []},
    {"inputs": [tensor()], "id": 7},
    {"inputs": [tensor()], "parameters": []},
    {"inputs": [tensor(parameters=1)]},
]


@pytest.mark.parametrize("body", BAD)
def test_bad_requests(client: Any, predictor: Predictor, body: Any) -> None:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = client.post(f"{url(predictor)}/infer", content=content)
    assert answer.status_code in (400, 413)
    assert list(answer.json()) == ["error"]
    assert 0 < len(answer.json()["error"]) <= 300


@pytest.mark.parametrize("literal", ["NaN", "-Infinity"])
def test_what_is_no_json_is_no_number(client: Any, predictor: Predictor, literal: str) -> None:
    content = json.dumps({"inputs": [tensor(data=[0.1, 0.9, 0.5, 77])]}).replace("77", literal)
    answer = client.post(f"{url(predictor)}/infer", content=content)
    assert answer.status_code == 400 and literal in answer.json()["error"]


@pytest.mark.parametrize("shape", [[9] * 400_000, [10**4000, 10**4000], [10**4000], [2, 10**400]])
def test_a_hostile_shape_is_refused_at_once(client: Any, predictor: Predictor, shape: list[int]) -> None:
    content = json.dumps({"inputs": [tensor(shape=shape[:3_000])]})
    started = time.monotonic()
    answer = client.post(f"{url(predictor)}/infer", content=content)
    assert answer.status_code == 400 and time.monotonic() - started < 30
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(("cell", "text"), [("null", "missing"), ("1e999", "inf")])
def test_cells_that_are_no_numbers(client: Any, predictor: Predictor, cell: str, text: str) -> None:
    content = json.dumps({"inputs": [tensor(data=[0.1, 0.9, 0.5, 77])]}).replace("77", cell)
    answer = client.post(f"{url(predictor)}/infer", content=content)
    assert answer.status_code == 400
    assert f"row 2: x2 is {text}" in answer.json()["error"]


def test_a_row_without_a_finite_answer_is_refused() -> None:
    with serving(DATA / "species") as opened:
        rows = tensor(shape=[2, 4], data=[0, 0, 0, 0, 3e38, -3e38, 3e38, -3e38])
        answer = opened.post("/v2/models/species/infer", json={"inputs": [rows]})
    error = "row 2: the model computes no finite output for these numbers"
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize(("row", "label"), STRANGE)
def test_a_label_that_is_no_class_is_a_clear_error(strange_package: Path, row: str, label: int) -> None:
    with serving(strange_package) as opened:
        good = opened.post("/v2/models/xor/infer", json={"inputs": [tensor()]})
        assert good.status_code == 200
        rows = tensor(shape=[1, 2], data=[float(cell) for cell in row.split(",")])
        answer = opened.post("/v2/models/xor/infer", json={"inputs": [rows]})
    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert answer.json()["error"].startswith(NO_CLASS.format(label))


def test_what_is_not_finite_is_null(client: Any, predictor: Predictor) -> None:
    body = {"inputs": [tensor(data=[3e38, -3e38, 0, 0])], "outputs": [{"name": "error_bound"}, {"name": "certified"}]}
    bound, certified = client.post(f"{url(predictor)}/infer", json=body).json()["outputs"]
    assert bound["data"][0] is None
    assert certified["data"][0] is False
    assert math.isfinite(bound["data"][1])


def test_no_rows(client: Any, predictor: Predictor) -> None:
    answer = client.post(f"{url(predictor)}/infer", json={"inputs": [tensor(shape=[0, 2], data=[])]})
    assert [output["data"] for output in answer.json()["outputs"]] == [[]] * 6


def test_limits(client: Any, predictor: Predictor) -> None:
    rows = {"inputs": [tensor(shape=[101, 2], data=[0] * 202)]}
    assert client.post(f"{url(predictor)}/infer", json=rows).status_code == 413
    assert client.post(f"{url(predictor)}/infer", content=b" " * 20_001).status_code == 413
    pieces = (b" " * 1001 for _ in range(20))  # without Content-Length
    assert client.post(f"{url(predictor)}/infer", content=pieces).status_code == 413


def test_unknown_paths(client: Any, predictor: Predictor) -> None:
    for method, path, status in [
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", f"{url(predictor)}/versions/1", 404),
        ("GET", "/", 404),
        ("GET", f"{url(predictor)}/infer", 405),
    ]:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]


def test_stops_after_the_last_answer() -> None:
    process, port = start(PACKAGE, "--drain", "1")
    base = f"http://127.0.0.1:{port}"
    body = json.dumps({"inputs": [tensor()]}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        name = Predictor(PACKAGE).contract.name
        head = f"POST /v2/models/{name}/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:10])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        draining = httpx.get(f"{base}/v2/health/ready")
        assert (draining.status_code, draining.json()) == (503, {"ready": False})
        assert httpx.get(f"{base}/v2/health/live").status_code == 200
        threading.Timer(1.5, slow.sendall, (body[10:],)).start()  # after the socket is closed to others
        answer = b""
        while piece := slow.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"}")
    assert process.wait(20) == 0
    assert process.communicate()[1] == ""


def test_refuses_a_tampered_package(tmp_path: Path) -> None:
    copy = tmp_path / "package"
    copy.mkdir()
    for path in PACKAGE.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    model = bytearray((copy / "model.onnx").read_bytes())
    model[100] ^= 1
    (copy / "model.onnx").write_bytes(model)
    process, _ = start(copy)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert "not the file that was packaged" in errors


@pytest.fixture(scope="module")
def table() -> Iterator[Any]:
    """A client of a server of a model over columns of every kind."""
    with serving(DATA / "parcels") as opened:
        yield opened


def row(**changes: Any) -> dict[str, Any]:
    """A row of `parcels`, and its inputs' data changed."""
    data = {"features": [1.5, 1], "categories": ["Oslo", "3"], "timestamps": [-1]} | changes
    types = {"features": "FP32", "categories": "BYTES", "timestamps": "INT64"}
    return {"inputs": [{"name": name, "shape": [1, len(cells)], "datatype": types[name], "data": cells}
                       for name, cells in data.items()]}  # fmt: skip


def test_text_is_bytes_and_moments_are_int64(table: Any) -> None:
    metadata = table.get("/v2/models/parcels").json()["inputs"]
    assert [(tensor["datatype"], tensor["shape"]) for tensor in metadata] == [
        ("FP32", [-1, 2]), ("BYTES", [-1, 2]), ("INT64", [-1, 1])
    ]  # fmt: skip
    predictor = Predictor(DATA / "parcels")
    for data in (
        {}, {"categories": ["Zürich", "東京"]}, {"categories": ["", ""]}, {"timestamps": [-(2**63)]},
        {"features": [None, None]},
    ):  # fmt: skip
        answer = table.post("/v2/models/parcels/infer", json=row(**data))
        asked = {tensor["name"]: [tensor["data"]] for tensor in row(**data)["inputs"]}
        asked["features"] = np.array(asked["features"], np.float32)
        logits = next(output for output in answer.json()["outputs"] if output["name"] == "logits")
        assert np.float32(logits["data"][0]) == predictor.run(asked)["logits"][0, 0]


def test_a_null_is_a_missing_cell_of_any_kind(table: Any) -> None:
    """A client whose numbers are doubles cannot write -2**63 exactly."""
    nothing = table.post("/v2/models/parcels/infer", json=row(categories=[None, None], timestamps=[None])).json()
    written = table.post("/v2/models/parcels/infer", json=row(categories=["", ""], timestamps=[-(2**63)])).json()
    assert nothing["outputs"] == written["outputs"]


def test_the_rows_of_parcels_are_answered_as_recorded(table: Any) -> None:
    types = {"float32": "FP32", "string": "BYTES", "int64": "INT64"}
    inputs = [
        {"name": name, "shape": tensor["shape"], "datatype": types[tensor["dtype"]],
         "data": list(map(int, tensor["data"])) if tensor["dtype"] == "int64" else tensor["data"]}
        for name, tensor in FACTS["inputs"].items()
    ]  # fmt: skip
    answer = table.post("/v2/models/parcels/infer", json={"inputs": inputs}).json()
    check_outputs({output["name"]: output["data"] for output in answer["outputs"]})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"categories": ["red", 3]}, "input 'categories' holds a int; it takes string"),
        ({"categories": ["red", True]}, "input 'categories' holds a bool"),
        ({"categories": ["red", "\ud800"]}, "surrogates"),
        ({"categories": ["red"]}, "has the shape [1, 1]; it takes categories: string[batch, 2]"),
        ({"timestamps": [0.5]}, "input 'timestamps' holds a float; it takes int64"),
        ({"timestamps": ["2020-01-01"]}, "input 'timestamps' holds a str"),
        ({"timestamps": [2**63]}, "does not fit int64"),
        ({"timestamps": [True]}, "input 'timestamps' holds a bool"),
    ],
)
def test_bad_cells_are_refused(table: Any, data: dict[str, Any], words: str) -> None:
    answer = table.post("/v2/models/parcels/infer", content=json.dumps(row(**data)))
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert words in answer.json()["error"]


@pytest.mark.slow
def test_the_load_generator_finds_no_error() -> None:
    command = [sys.executable, str(SERVICE / "load.py"), str(PACKAGE), "--clients", "50", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 errors" in done.stdout.splitlines()[0] and "own cost" in done.stdout.splitlines()[-1]
