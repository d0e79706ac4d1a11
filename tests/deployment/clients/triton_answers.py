"""Replay test vectors on Triton, in an environment of its own: python triton_answers.py URL PACKAGE..."""

import json
import sys
from pathlib import Path

import numpy as np
from tritonclient import http
from tritonclient.utils import InferenceServerException

TYPES = {"float32": "FP32", "int64": "INT64", "object": "BYTES"}
AT_ONCE = 8


def array_of(tensor: dict) -> np.ndarray:
    if tensor["dtype"] == "string":
        cells = np.array([text.encode() for text in tensor["data"]], object)
    else:
        cells = np.array([int(one) if isinstance(one, str) else one for one in tensor["data"]], tensor["dtype"])
    return cells.reshape(tensor["shape"])


def inputs_of(arrays: dict[str, np.ndarray]) -> list[http.InferInput]:
    made = []
    for name, array in arrays.items():
        made.append(http.InferInput(name, list(array.shape), TYPES[str(array.dtype)]))
        made[-1].set_data_from_numpy(array)
    return made


def check(found: http.InferResult, vectors: dict, rows: slice) -> None:
    for name, tensor in vectors["outputs"].items():
        expected = array_of(tensor)[rows]
        answer = found.as_numpy(name)
        assert answer.shape == expected.shape or (expected.ndim == 1 and answer.shape == (*expected.shape, 1)), name
        np.testing.assert_allclose(answer.reshape(expected.shape), expected, vectors["rtol"], vectors["atol"])


def replay(client: http.InferenceServerClient, package: Path) -> None:
    vectors = json.loads((package / "conformance.json").read_text())["ordinary"]
    arrays = {name: array_of(tensor) for name, tensor in vectors["inputs"].items()}
    check(client.infer(package.name, inputs_of(arrays)), vectors, slice(None))
    rows = [slice(row, row + 1) for row in range(AT_ONCE)]
    sent = [{name: array[row] for name, array in arrays.items()} for row in rows]
    waiting = [client.async_infer(package.name, inputs_of(one)) for one in sent]
    for row, one in zip(rows, waiting, strict=True):
        check(one.get_result(), vectors, row)


def name_classes(client: http.InferenceServerClient) -> None:
    wanted = [http.InferRequestedOutput("label"), http.InferRequestedOutput("probabilities", class_count=1)]
    found = client.infer("species", inputs_of({"features": np.eye(4, dtype=np.float32)}), outputs=wanted)
    classes = ["setosa", "versicolor", "virginica"]
    names = [text.decode().split(":")[2] for text in found.as_numpy("probabilities")[:, 0]]
    assert names == [classes[label] for label in found.as_numpy("label")[:, 0]]


def refuse_too_many(client: http.InferenceServerClient) -> None:
    try:
        client.infer("rent", inputs_of({"features": np.zeros((1025, 3), np.float32)}))
    except InferenceServerException as error:
        assert "batch-size must be <= 1024" in str(error), error
    else:
        raise AssertionError


def main(url: str, *packages: str) -> None:
    client = http.InferenceServerClient(url, concurrency=AT_ONCE)
    for package in packages:
        replay(client, Path(package))
    name_classes(client)
    refuse_too_many(client)
    client.close()


main(*sys.argv[1:])
