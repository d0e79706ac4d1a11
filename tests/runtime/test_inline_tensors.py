"""Large tensors, taken out of a serialized model, and the answers of what is left."""

from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.inference.session import OPTIMIZATIONS, create_session
from parity_runtime.package import inline_tensors
from parity_runtime.package.inline_tensors import set_aside
from parity_runtime.package.loader import load_model
from tests.runtime.protobuf import field

FLOAT, ROWS, COLUMNS = 1, 32, 40


def _tensor(name: bytes, array: np.ndarray, *more: bytes) -> bytes:
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, FLOAT) + field(8, name) + field(9, array.tobytes()) + b"".join(more)


def _value(name: bytes, columns: int) -> bytes:
    shape = field(1, field(2, b"n")) + field(1, field(1, columns))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def _model(*initializers: bytes, graphs: int = 1) -> bytes:
    product = field(1, b"x") + field(1, b"w") + field(2, b"s") + field(4, b"MatMul")
    total = field(1, b"s") + field(1, b"b") + field(2, b"y") + field(4, b"Add")
    graph = field(1, product) + field(1, total) + field(2, b"g")
    graph += b"".join(field(5, tensor) for tensor in initializers)
    graph += field(11, _value(b"x", ROWS)) + field(12, _value(b"y", COLUMNS))
    return field(1, 8) + field(8, field(1, b"") + field(2, 18)) + field(7, graph) * graphs


W = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
B = np.arange(COLUMNS, dtype=np.float32)


def test_what_is_left_answers_as_the_model_did() -> None:
    model = _model(_tensor(b"w", W), _tensor(b"b", B))
    light, arrays = set_aside(model)
    assert set(arrays) == {"w"} and (arrays["w"] == W).all() and len(light) < len(model) - W.nbytes + 64
    assert arrays["w"].flags.aligned and arrays["w"].flags.owndata
    rows = {"x": np.random.default_rng(1).standard_normal((5, ROWS)).astype(np.float32)}
    for level in OPTIMIZATIONS:
        found = create_session(light, optimization=level, weights=arrays).run(None, rows)[0]
        assert found.tobytes() == create_session(model, optimization=level).run(None, rows)[0].tobytes()


@pytest.mark.parametrize(
    "model",
    [
        _model(_tensor(b"b", B)),
        _model(_tensor(b"w", W), _tensor(b"w", W)),
        _model(_tensor(b"w", W), graphs=2),
        _model(_tensor(b"", W)),
        _model(_tensor(b"w", W[:, :-1], field(1, 7))),
        _model(_tensor(b"w", W, field(4, b"\0\0\0\0"))),
        _model(_tensor(b"w", W, field(2, 8))),
    ],
    ids=["small", "twice", "two graphs", "no name", "other dims", "two kinds of numbers", "text"],
)
def test_what_is_written_in_an_unusual_way_stays_in_the_model(model: bytes) -> None:
    assert set_aside(model) == (model, {})


def test_a_tensor_that_no_node_takes_stays_in_the_model() -> None:
    """onnxruntime drops it, and fails where it is handed over."""
    model = _model(_tensor(b"w", W), _tensor(b"b", B), _tensor(b"unused", W))
    light, arrays = set_aside(model)
    assert set(arrays) == {"w"}
    rows = {"x": np.ones((2, ROWS), np.float32)}
    found = create_session(light, weights=arrays).run(None, rows)[0]
    assert found.tobytes() == create_session(model).run(None, rows)[0].tobytes()


def test_a_large_package_is_loaded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).standard_normal((64, 2)).astype(np.float32)
    wanted = Predictor("tests/data/xor").run({"features": rows})
    monkeypatch.setattr("parity_runtime.package.weights_file.SMALLEST", 16)
    monkeypatch.setattr(inline_tensors, "LARGE", 16)
    monkeypatch.setattr("parity_runtime.package.loader.LARGE", 16)
    loaded = load_model("tests/data/xor")
    assert loaded.weights is not None
    assert len(loaded.data) != Path("tests/data/xor/model.onnx").stat().st_size
    found = Predictor("tests/data/xor").run({"features": rows})
    assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)
