"""Why a quantized graph may be refused: what onnxruntime's own kernels of small integers do otherwise."""

from collections.abc import Iterator

from parity_export.onnx_graph import OnnxGraph
from parity_runtime.doctor.kernels import int8_saturates

_PRODUCTS = {
    *("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"),
    *("QGemm", "DynamicQuantizeLSTM", "QAttention"),
}


def quantized_notes(graph: OnnxGraph) -> Iterator[str]:
    """Yield why a quantized graph is answered otherwise here, or by another number of threads, each in one line.

    Sums of products saturate on some processors (`int8_saturates`). A recurrent kernel gives each thread some rows of
    the batch, and the state of these has a range and quantum of its own.

    Args:
        graph: that was refused.
    """
    operators = {node.op_type for node in graph.light.graph.node}
    used = sorted(operators & _PRODUCTS)
    if "DynamicQuantizeLSTM" in operators:
        yield (
            "onnxruntime's DynamicQuantizeLSTM quantizes its state by the range of the rows that one thread takes: "
            "the outputs of a batch depend on the number of threads"
        )
    if used and int8_saturates():
        yield (
            f"onnxruntime's {', '.join(used)} is wrong on this processor, which has no VNNI: it adds products of "
            "uint8 and int8 in pairs of 16 bits, which saturate; quantize with weights of 7 bits (reduce_range=True)"
        )
