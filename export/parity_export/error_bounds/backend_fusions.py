"""What onnxruntime makes of a graph before it runs it: an operator that it puts in may be another function."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import onnx
from onnx.defs import get_schema, has

from parity_export.error_bounds.errors import CannotCertifyError
from parity_export.onnx_graph import OnnxGraph
from parity_runtime.inference.session import OPTIMIZATIONS, import_onnxruntime

_ONNX = ("", "ai.onnx")
_MICROSOFT, _NCHWC = "com.microsoft", "com.microsoft.nchwc"

EXACT_FUSIONS = {
    "Gemm": "a MatMul and the constant added to it, or a BatchNormalization folded into it: shared/affine_map.py",
    "Conv": "a BatchNormalization as x s + (B - s mean), a convolution of one element: batch_normalization.py",
    "FusedMatMul": "a MatMul, scalar factors and transposes around it: matmul.py",
    "FusedGemm": "a Gemm and the activation behind it, which is counted as itself",
    "FusedConv": "a Conv, the residual added to it, and the activation behind it, which is counted as itself",
    "NhwcFusedConv": "the same with the channels last",
    "BiasGelu": "a Gelu of a sum; it is counted as a Gelu",
    "FastGelu": "a Gelu by tanh, perhaps of a sum; it is counted as a Gelu by tanh",
    "QuickGelu": "x times the sigmoid of a x, with the graph's own a; it is counted as a Sigmoid",
    "BiasSoftmax": "a Softmax of a sum",
    "SkipLayerNormalization": "a LayerNormalization of a sum, which may add its bias last: shared/one_operation.py",
    "SimplifiedLayerNormalization": "x times 1 / sqrt(mean(x^2) + epsilon), or over the root, as it is written",
    "SkipSimplifiedLayerNormalization": "the same of a sum",
    "Upsample": "a Resize that repeats elements (shared/tiles.py), or with the channels in blocks",
    "ReorderInput": "moves elements", "ReorderOutput": "moves elements",
    **dict.fromkeys(("Reshape", "Transpose", "Slice", "Gather", "Split", "Squeeze", "Unsqueeze", "Expand", "Identity"),
                    "moves elements"),
}  # fmt: skip
"""Operators that onnxruntime may put in for others, and why each computes what the graph says, by the rules
(proof.md, 5. of what is compliant). Every other operator may at most stay; those in the layouts of the level
``all`` (com.microsoft.nchwc) have ONNX's own names, and sum what ONNX's sum, in another order."""

_CONTAINED = {"BiasGelu": "Gelu", "FastGelu": "Gelu by tanh", "QuickGelu": "Sigmoid"}


def refuse_inexact_fusions(graph: OnnxGraph, outputs: Sequence[str], bounded: Counter[str]) -> None:
    """Refuse a graph in which the installed onnxruntime, at some optimization level, puts another function.

    Args:
        graph: without external data.
        outputs: what must be computed as written; the head behind them may be fused.
        bounded: operators that are not written, and that error bounds allow in the place of written ones, as often.

    Raises:
        CannotCertifyError: an operator appears that is none of `EXACT_FUSIONS`, or one appears more often.
    """
    model = graph.light
    nodes = _needed(model.graph, outputs)
    written = Counter(name for node in nodes for name in (*_names(node), *_definition(node, model))) + bounded
    for level in OPTIMIZATIONS:
        made = Counter(name for node in _needed(graph.optimized(level).light.graph, outputs) for name in _names(node))
        more = [name for name in made if made[name] > written[name] and name not in EXACT_FUSIONS]
        if more:
            raise CannotCertifyError(
                f"cannot certify: onnxruntime {import_onnxruntime().__version__} at optimization level {level} "
                f"replaces operators of the graph by a {min(more)}, which may be another function; write them as one "
                "operator, as torch.nn.GELU is, or in another way"
            )


def _needed(graph: onnx.GraphProto, outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the nodes that some outputs are computed by, those of a step that a Scan repeats among them."""
    producers = {name: node for node in _all(graph) for name in node.output}
    found: dict[str, onnx.NodeProto] = {}
    waiting = list(outputs)
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and node.output[0] not in found:
            found[node.output[0]] = node
            waiting += node.input
            waiting += [value.name for attribute in node.attribute for value in attribute.g.output]
    return list(found.values())


def _all(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _all(attribute.g)


def _names(node: onnx.NodeProto) -> Iterator[str]:
    """Yield a node's operator, and those that a fused one contains."""
    name = node.op_type if node.domain in (*_ONNX, _MICROSOFT, _NCHWC) else f"{node.domain}.{node.op_type}"
    by_tanh = any(attribute.name == "approximate" and attribute.s == b"tanh" for attribute in node.attribute)
    yield f"{name} by tanh" if by_tanh else name
    if node.op_type in _CONTAINED:
        yield _CONTAINED[node.op_type]
    yield from (attribute.s.decode() for attribute in node.attribute if attribute.name == "activation")


def _definition(node: onnx.NodeProto, model: onnx.ModelProto) -> list[str]:
    """Return the operators by which ONNX defines a node's: onnxruntime computes by them what it has no kernel for."""
    version = next((entry.version for entry in model.opset_import if entry.domain in _ONNX), 0)
    if node.domain not in _ONNX or not has(node.op_type, version):
        return []
    schema: Any = get_schema(node.op_type, version)
    return [inner.op_type for inner in schema.function_body.node] if schema.has_function else []
