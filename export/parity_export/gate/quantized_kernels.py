"""Why a quantized graph may be refused: what onnxruntime's own kernels of small integers do otherwise."""

from collections.abc import Iterator

import numpy as np
import onnx

from parity_export.onnx_graph import OnnxGraph
from parity_runtime.inference.session import create_session

_PRODUCTS = {
    *("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"),
    *("QGemm", "DynamicQuantizeLSTM", "QAttention"),
}
_LENGTH = 64  # products of one sum: kernels take shorter ones by other ways
_EXACT = 255 * 127 * _LENGTH
_GRAPH = f"""<ir_version: 8, opset_import: ["": 15]>
mine (uint8[1, {_LENGTH}] x, int8[{_LENGTH}, 64] w) => (int32[1, 64] y) {{ y = MatMulInteger (x, w) }}"""


def quantized_notes(graph: OnnxGraph) -> Iterator[str]:
    """Yield why a quantized graph is answered otherwise here, or by another number of threads, each in one line.

    Processors with AVX2 and without VNNI add two products of uint8 and int8 in 16 bits, which saturate. A recurrent
    kernel gives each thread some rows of the batch, and the state of these has a range and quantum of its own.

    Args:
        graph: that was refused.
    """
    operators = {node.op_type for node in graph.light.graph.node}
    used = sorted(operators & _PRODUCTS)
    if "DynamicQuantizeLSTM" in operators:
        yield (
            "onnxruntime's DynamicQuantizeLSTM quantizes its state by the range of the rows that one thread takes: "
            "the answers of a batch depend on the number of threads"
        )
    if used and _saturates():
        yield (
            f"onnxruntime's {', '.join(used)} is wrong on this processor, which has no VNNI: it adds products of "
            "uint8 and int8 in pairs of 16 bits, which saturate; quantize with weights of 7 bits (reduce_range=True)"
        )


def _saturates() -> bool:
    data = onnx.parser.parse_model(_GRAPH).SerializeToString()
    given = {"x": np.full((1, _LENGTH), 255, np.uint8), "w": np.full((_LENGTH, 64), 127, np.int8)}
    (found,) = create_session(data).run(None, given)
    return bool((found != _EXACT).any())
