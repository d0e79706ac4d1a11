"""Triton's client at its defaults, in an environment of its own: python triton_client.py URL."""

import sys

import numpy as np
from tritonclient import http
from tritonclient.utils import InferenceServerException

ROWS = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)


def tensor(name: str, datatype: str, array: "np.ndarray", **options: bool) -> http.InferInput:
    made = http.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, **options)
    return made


def ask_for_labels(client: http.InferenceServerClient) -> None:
    for options in ({}, {"binary_data": False}):  # in binary by default
        found = client.infer("xor", [tensor("features", "FP32", ROWS, **options)], request_id="7")
        assert found.as_numpy("label").tolist() == [1, 0] and found.get_response()["id"] == "7"
        assert found.as_numpy("class").tolist() == [b"1", b"0"] and found.as_numpy("logits").dtype == np.float32


def ask_in_codings(client: http.InferenceServerClient, version: str) -> None:
    wanted = [http.InferRequestedOutput("class"), http.InferRequestedOutput("label", binary_data=False)]
    for coding, asked, rows in (("gzip", "", 2), ("deflate", version, 2), ("gzip", "", 5000)):
        packed = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        sent = tensor("features", "FP32", np.tile(ROWS, (rows // 2, 1)))
        found = client.infer("xor", [sent], asked, outputs=wanted, **packed)
        assert found.as_numpy("label").tolist() == [1, 0] * (rows // 2)
        assert found.as_numpy("class").tolist() == [b"1", b"0"] * (rows // 2)


def ask_with_text(client: http.InferenceServerClient) -> None:
    sent = [tensor("features", "FP32", np.array([[1.5, 1]], np.float32)),
            tensor("categories", "BYTES", np.array([["Oslo", "3"]], object)),
            tensor("timestamps", "INT64", np.array([[-1]]))]  # fmt: skip
    assert client.infer("parcels", sent).as_numpy("class").tolist() == [b"no"]
    try:
        client.infer("xor", sent)
    except InferenceServerException as error:
        assert "there is no input 'categories'" in str(error), error
    else:
        raise AssertionError


def main(url: str) -> None:
    client = http.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("xor")
    (version,) = client.get_model_metadata("xor")["versions"]
    assert client.is_model_ready("xor", version) and client.get_server_metadata()["name"] == "parity"
    ask_for_labels(client)
    ask_in_codings(client, version)
    ask_with_text(client)
    client.close()


main(sys.argv[1])
