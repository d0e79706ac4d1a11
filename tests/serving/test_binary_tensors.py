"""The binary extension: bytes behind the JSON, in both directions, and sizes that lie."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel
from tests.serving.conftest import body, tensor

ROWS = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)


def binary(*parts: bytes, tensors: list[dict[str, Any]], **more: Any) -> tuple[bytes, str]:
    """The bytes of a request, and its header."""
    head = body(*tensors, **more)
    return head + b"".join(parts), str(len(head))


def sent(name: str, shape: list[int], datatype: str, size: object) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}


def texts(*cells: str) -> bytes:
    return b"".join(struct.pack("<I", len(cell.encode())) + cell.encode() for cell in cells)


def ask(model: ServedModel, request: tuple[bytes, str]) -> dict[str, Any]:
    """Return the outputs of an answer, what came in binary as bytes."""
    answer = model.infer(*request)
    length = len(answer.body) if answer.header_length is None else answer.header_length
    rest, found = answer.body[length:], {}
    for output in json.loads(answer.body[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        found[output["name"]] = output["data"] if size is None else rest[:size]
        rest = rest[size or 0 :]
    assert not rest
    return found


def test_numbers_go_and_come_as_their_bits(xor: ServedModel) -> None:
    request = binary(ROWS.tobytes(), tensors=[sent("features", [2, 2], "FP32", 16)],
                     parameters={"binary_data_output": True})  # fmt: skip
    found = ask(xor, request)
    written = ask(xor, binary(tensors=[tensor()]))
    assert found["class"] == texts("1", "0") and found["certified"] == b"\1\1"
    assert np.frombuffer(found["label"], "<i8").tolist() == written["label"]
    assert np.frombuffer(found["logits"], "<f4").tolist() == np.array(written["logits"], np.float32).tolist()


def test_each_output_says_for_itself_how_it_comes(xor: ServedModel) -> None:
    wanted = [{"name": "label", "parameters": {"binary_data": True}}, {"name": "class"}]
    found = ask(xor, binary(tensors=[tensor()], outputs=wanted))
    assert found == {"label": struct.pack("<qq", 1, 0), "class": ["1", "0"]}
    wanted = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "class"}]
    found = ask(xor, binary(tensors=[tensor()], outputs=wanted, parameters={"binary_data_output": True}))
    assert found == {"label": [1, 0], "class": texts("1", "0")}


@pytest.mark.parametrize("padding", range(4))
def test_bytes_need_not_be_aligned(xor: ServedModel, padding: int) -> None:
    tensors = [sent("features", [2, 2], "FP32", 16)]
    assert ask(xor, binary(ROWS.tobytes(), tensors=tensors, id="x" * padding))["label"] == [1, 0]


def test_text_and_moments(parcels: ServedModel) -> None:
    tensors = [sent("features", [1, 2], "FP32", 8), sent("categories", [1, 2], "BYTES", 8 + 8),
               sent("timestamps", [1, 1], "INT64", 8)]  # fmt: skip
    for city, code in (("Oslo", "3333"), ("東", "4c5éa"[:4])):
        packed = texts(city, code)
        tensors[1] = sent("categories", [1, 2], "BYTES", len(packed))
        found = ask(parcels, binary(struct.pack("<ff", 1.5, 1), packed, struct.pack("<q", -1), tensors=tensors))
        written = [tensor(shape=[1, 2], data=[1.5, 1]),
                   {"name": "categories", "shape": [1, 2], "datatype": "BYTES", "data": [city, code]},
                   {"name": "timestamps", "shape": [1, 1], "datatype": "INT64", "data": [-1]}]  # fmt: skip
        assert found == ask(parcels, binary(tensors=written))


LIES: list[tuple[bytes, str]] = [
    binary(ROWS.tobytes(), tensors=[sent("features", [2, 2], "FP32", size)])
    for size in (0, 15, 17, -16, 2**70, 16.0, "16", True)
] + [
    binary(ROWS.tobytes()[:-1], tensors=[sent("features", [2, 2], "FP32", 16)]),
    binary(ROWS.tobytes() + b"x", tensors=[sent("features", [2, 2], "FP32", 16)]),
    binary(ROWS.tobytes(), tensors=[sent("features", [4, 2], "FP32", 16)]),
    binary(ROWS.tobytes(), tensors=[sent("features", [2, 2**31], "FP32", 16)]),
    binary(ROWS.tobytes(), tensors=[sent("features", [2, 2], "FP64", 16)]),
    binary(b"\2" * 4, tensors=[sent("features", [2, 2], "BOOL", 4)]),
    binary(ROWS.tobytes(), tensors=[{**sent("features", [2, 2], "FP32", 16), "data": [1, 2, 3, 4]}]),
    *((binary(ROWS.tobytes(), tensors=[sent("features", [2, 2], "FP32", 16)])[0], length)
      for length in ("", "x", "-1", "1e2", "0", "5", "9" * 400, "²", "+10")),
]  # fmt: skip


@pytest.mark.parametrize("request_", LIES)
def test_sizes_that_lie_are_refused(xor: ServedModel, request_: tuple[bytes, str]) -> None:
    with pytest.raises(RequestError) as refused:
        xor.infer(*request_)
    assert refused.value.status == 400 and len(str(refused.value)) <= 300


@pytest.mark.parametrize("packed", [
    b"", b"\0" * 7, texts("a"), texts("a", "b", "c"), texts("a", "b") + b"\0", texts("a") + b"\xff\xff\xff\xff",
    texts("a") + b"\1\0\0\0\xff", texts("a") + struct.pack("<I", 2) + b"b",
])  # fmt: skip
def test_texts_whose_lengths_lie_are_refused(parcels: ServedModel, packed: bytes) -> None:
    tensors = [tensor(shape=[1, 2], data=[1.5, 1]), sent("categories", [1, 2], "BYTES", len(packed)),
               {"name": "timestamps", "shape": [1, 1], "datatype": "INT64", "data": [-1]}]  # fmt: skip
    with pytest.raises(RequestError, match="2 texts of UTF-8"):
        parcels.infer(*binary(packed, tensors=tensors))


def test_two_inputs_cannot_share_their_bytes(parcels: ServedModel) -> None:
    tensors = [sent("features", [1, 2], "FP32", 8), sent("timestamps", [1, 1], "INT64", 8)]
    with pytest.raises(RequestError, match="0 bytes follow"):
        parcels.infer(*binary(b"\0" * 8, tensors=tensors))
