"""Models made to hang the scan, to get past it, or to make onnxruntime run something else than what was scanned."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from parity_runtime import FormatError
from parity_runtime.package.model_scan import scan_model
from tests.runtime.protobuf import field
from tests.soak import sampled

GRAPH, NODE, ATTRIBUTE, VALUE, FUNCTION = 7, 1, 5, 11, 25
SECONDS = 60.0  # of this process: one by itself, a dozen while lines are counted; minutes where each field is walked
BYTES = 40_000_000


def shape(dimensions: bytes) -> bytes:
    return field(GRAPH, field(VALUE, field(2, field(1, field(2, dimensions)))))


HUGE: dict[str, Callable[[], bytes]] = {
    "dimensions": lambda: shape(field(1, field(1, 2**31 - 1)) * (BYTES // 8)),
    "empty dimensions": lambda: shape(b"\x0a\x00" * (BYTES // 2)),
    "sizes of one dimension": lambda: shape(field(1, b"\x08\x01" * (BYTES // 2))),
    "integers": lambda: field(GRAPH, field(NODE, field(ATTRIBUTE, b"\x40\x01" * (BYTES // 2)))),
    "floats": lambda: field(GRAPH, field(NODE, field(ATTRIBUTE, b"\x3d\0\0\0\0" * (BYTES // 5)))),
    "texts": lambda: field(GRAPH, field(NODE, field(ATTRIBUTE, b"\x4a\x01a" * (BYTES // 3)))),
    "texts and integers": lambda: field(GRAPH, field(NODE, field(ATTRIBUTE, b"\x4a\x01a\x40\x01" * (BYTES // 5)))),
    "fields of metadata": lambda: field(14, b"\x0a\x00" * (BYTES // 2)),
    "keys in more bytes than they need": lambda: field(14, b"\x8a\x00\x00" * (BYTES // 3)),
    "dimensions of a tensor": lambda: field(GRAPH, field(5, b"\x08\x01" * (BYTES // 2))),
}
FEW_HUGE = {"dimensions", "empty dimensions", "texts and integers", "keys in more bytes than they need"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(HUGE, FEW_HUGE))
def test_forty_megabytes_are_scanned_or_refused_soon(name: str) -> None:
    data = HUGE[name]()
    start = time.process_time()
    try:
        scan_model(data, "model")
    except FormatError as error:
        assert "more than" in str(error)
    assert time.process_time() - start < SECONDS


def test_a_forest_s_long_lists_of_numbers_are_no_reason_to_refuse_a_model() -> None:
    attribute = b"".join(b"\x40\x07" + b"\x3d\0\0\x80\x3f" for _ in range(3_000_000))
    assert scan_model(field(GRAPH, field(NODE, field(ATTRIBUTE, attribute))), "forest").widest_row == 1


def test_widths_multiply_to_a_bound() -> None:
    rows = [field(1, field(1, size)) for size in (1, 1000, 1000, 2)]
    assert scan_model(shape(b"".join(rows)), "model").widest_row == 2_000_000
    assert scan_model(shape(field(1, field(1, 2**31 - 1)) * 1000), "model").widest_row == 2**62


def operator(name: str, domain: str) -> bytes:
    return field(NODE, field(4, name.encode()) + field(7, domain.encode()))


def function(name: str, domain: str, body: bytes = b"") -> bytes:
    nodes = field(7, body) if body else b""
    return field(FUNCTION, field(1, name.encode()) + nodes + field(10, domain.encode()))


@pytest.mark.parametrize(
    ("name", "domain"),
    [("Gelu", "com.microsoft"), ("Relu", ""), ("Relu", "ai.onnx"), ("Binarizer", "ai.onnx.ml"),
     ("Conv", "com.ms.internal.nhwc"), ("Conv", "com.microsoft.nchwc"), ("Adam", "ai.onnx.preview.training")],
)  # fmt: skip
def test_a_function_in_a_domain_of_the_runtime_s_is_refused(name: str, domain: str) -> None:
    model = field(GRAPH, operator(name, domain)) + function(name, domain)
    with pytest.raises(FormatError, match=f"brings a function {name} .*its kernel would run in place of that body"):
        scan_model(model, "model")


@pytest.mark.parametrize("outputs", [("y", "", "z"), ("", "y"), ("y", "")])
def test_a_split_with_an_output_without_a_name_is_refused(outputs: tuple[str, ...]) -> None:
    """onnxruntime 1.32 ends the process when it runs one."""
    given = b"".join(field(2, name.encode()) for name in outputs)
    with pytest.raises(FormatError, match="Split nodes leaves an output without a name; give it one"):
        scan_model(field(GRAPH, field(NODE, given + field(4, b"Split"))), "model")
    scan_model(field(GRAPH, field(NODE, given + field(4, b"LSTM"))), "model")


def test_onnxruntime_prefers_its_own_kernel_to_a_function_of_that_name() -> None:
    """Why such a function is refused: what is scanned is not what runs."""
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    helper = onnx.helper
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    minus = helper.make_function(
        "com.microsoft", "Gelu", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], opsets[:1]
    )
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], "g", *[[v] for v in values]
    )
    model = helper.make_model(graph, functions=[minus], opset_imports=opsets, ir_version=9).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    import numpy as np

    assert session.run(None, {"x": np.array([3], np.float32)})[0][0] > 2.9
    with pytest.raises(FormatError, match="brings a function Gelu"):
        scan_model(model, "model")


def test_every_operator_of_a_function_s_body_is_scanned() -> None:
    good = function("Own", "com.example", field(4, b"Neg"))
    scan_model(field(GRAPH, operator("Own", "com.example")) + good, "model")
    evil = function("Own", "com.example", field(4, b"Evil") + field(7, b"com.example"))
    with pytest.raises(FormatError, match=r"the operator Evil of 'com\.example'"):
        scan_model(field(GRAPH, operator("Own", "com.example")) + evil, "model")


def test_onnxruntime_s_own_format_is_no_onnx_model(xor_package: Path) -> None:
    """The bytes are a ModelProto as well; onnxruntime would read the other one."""
    model = (xor_package / "model.onnx").read_bytes()
    scan_model(b"\x32\x06abORTX" + model, "model")
    with pytest.raises(FormatError, match="own format"):
        scan_model(b"\x32\x06abORTM" + model, "model")


def test_what_a_file_puts_into_the_sentence_is_escaped_and_cut() -> None:
    name = "\x1b[2J\u202eevil\n" + "x" * 100_000
    with pytest.raises(FormatError) as caught:
        scan_model(field(GRAPH, operator(name, "com.example")), "model")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    assert r"\x1b[2J\u202eevil\n" in str(caught.value)
