"""Whether a certificate of a graph speaks for the torch module as well: the same weights, the same operations."""

from collections import Counter
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parity_export.certify.rules import MOVING
from parity_export.source import ModelSource

_TORCH = {
    "addmm": ("product", "add"),
    "mm": ("product",),
    "convolution": ("conv",),
    "native_batch_norm": ("batchnormalization",),
    "where": ("where",),
    "isnan": ("isnan",),
    "sub": ("sub",),
    "rsub": ("sub",),
    "clamp": ("clip",),
    "hardtanh": ("clip",),
    "_prelu_kernel": ("prelu",),
    "leaky_relu": ("leakyrelu",),
    "max_pool1d_with_indices": ("maxpool",),
    "max_pool2d_with_indices": ("maxpool",),
    "avg_pool1d": ("averagepool",),
    "avg_pool2d": ("averagepool",),
    "mean": ("reducemean",),
    "sum": ("reducesum",),
    "amax": ("reducemax",),
    "elu": ("elu",),
    **{name: (name,) for name in ("add", "mul", "div", "neg", "abs", "relu", "tanh", "sigmoid", "erf", "gelu", "silu")},
    **{name: (name,) for name in ("celu", "softplus", "mish", "hardswish", "hardsigmoid")},
}
"""What ATen's operators are in a graph; those that move elements are left out on both sides."""

_MOVED = {"view", "_unsafe_view", "t", "transpose", "permute", "unsqueeze", "squeeze", "expand", "slice", "select",
          "cat", "clone", "detach", "alias", "empty", "reshape", "_to_copy", "copy_"}  # fmt: skip

_SQUASHING = ("sigmoid", "_softmax")

_UNCOUNTED = (*MOVING, "Concat", "Shape", "Identity", "Greater")

_ONNX = {"Gemm": ("product", "add"), "MatMul": ("product",), "Selu": ("elu",)}


_CHANGES = {"alpha": 1, "beta": 1, "rounding_mode": None, "dtype": None, "divisor_override": None}
"""Arguments that make another operation of an ATen operator, and what they are otherwise. Activations have some of the
same names; the parameters of theirs that were not measured are refused by their rules."""

_OPERATIONS = {"add", "sub", "rsub", "addmm", "div", "mean", "sum", "avg_pool1d", "avg_pool2d"}


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lists the operators that torch runs, and the numbers that they are given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []
        self.numbers: set[bytes] = {_bytes(value) for value in (0.0, 1.0, 20.0)}  # also defaults that are not passed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = str(func.overloadpacket.__name__)
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
        changes = [key for key, usual in _CHANGES.items() if key in given and given[key] != usual]
        self.names.append(f"{name} with {changes[0]}" if name in _OPERATIONS and changes else name)
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, int | float):
                self.numbers.add(_bytes(value))
            elif isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                self.numbers.add(value.detach().numpy().tobytes())
        return func(*args, **kwargs)


def _bytes(value: float) -> bytes:
    with np.errstate(over="ignore"):
        return np.float32(value).tobytes()


def torch_gaps(source: ModelSource, inputs: tuple[torch.Tensor, ...], graph: bytes) -> list[str]:
    """Return why a certificate of a graph does not speak for the module; nothing where it does.

    The Sigmoid or Softmax that a module ends in stands behind the logits, and is left out.

    Args:
        source: the module, in eval mode, and what it returns.
        inputs: examples of its arguments.
        graph: serialized, with its head.
    """
    recorder = _Recorder()
    with torch.no_grad(), recorder:
        source.module(*inputs)
    names = list(recorder.names)
    if source.module_output == "probabilities":
        last = max((index for index, name in enumerate(names) if name in _SQUASHING), default=None)
        names = names if last is None else names[:last] + names[last + 1 :]
    theirs = Counter[str]()
    for name in names:
        theirs.update(() if name in _MOVED else _TORCH.get(name, (f"its {name}",)))
    model = onnx.load_from_string(graph)
    ours = _operations(model.graph, source.contract.bounded)
    strange = [
        name for name, array in _of_code(source.module, model).items() if array.tobytes() not in recorder.numbers
    ]
    gaps = [f"torch was never given the graph's constant {name}" for name in strange]
    return gaps + [f"torch runs {operation} {theirs[operation]} times, the graph {ours[operation]} times"
            for operation in sorted(theirs | ours) if theirs[operation] != ours[operation]]  # fmt: skip


def code_constants(module: nn.Module, graph: bytes) -> list[str]:
    """Return the graph's float constants that the module's code brings in and that float16 does not hold.

    Torch computes with such a number in float64 when it is asked in float64, the graph with its float32: then torch's
    float64 answers are not the exact ones of the graph.
    """
    constants = _of_code(module, onnx.load_from_string(graph))
    return [name for name, array in constants.items() if not _short(array)]


def _of_code(module: nn.Module, model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Return a graph's float32 constants that are no tensors of the module, without those of the head."""
    tensors = {*module.state_dict(), *dict(module.named_buffers())}
    arrays = {
        initializer.name: numpy_helper.to_array(initializer)
        for initializer in model.graph.initializer
        if initializer.name not in tensors and not initializer.name.startswith("head.")
    }
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


def _short(array: NDArray[Any]) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(np.float16).astype(np.float32) == array).all())


def _operations(graph: onnx.GraphProto, output: str) -> Counter[str]:
    """Count the operations that compute an output, in torch's terms."""
    producers = {name: node for node in graph.node for name in node.output}
    needed: dict[str, NodeProto] = {}
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in producers and name not in needed:
            needed[name] = producers[name]
            waiting += producers[name].input
    constants = {initializer.name: numpy_helper.to_array(initializer) for initializer in graph.initializer}
    found = Counter[str]()
    for node in needed.values():
        found.update(_of_node(node, constants, producers))
    return found


def _of_node(
    node: NodeProto, constants: dict[str, NDArray[Any]], producers: dict[str, NodeProto]
) -> tuple[str, ...]:  # fmt: skip
    """Return what a node counts as: nothing where it moves elements, or is a part of one of torch's operators."""
    if node.op_type in _UNCOUNTED or not node.input:
        return ()
    makers = [producers.get(name) for name in node.input]
    kinds = [None if maker is None else maker.op_type for maker in makers]
    if node.op_type in ("Mul", "Div") and (constants.get(node.input[1], np.zeros(1)) == 1).all():
        return ()
    if node.op_type == "Where" and kinds[0] == "Greater":  # torch's softplus, counted at its Softplus
        return ()
    if node.op_type == "Mul" and any(_is_silu(node, maker) for maker in makers):  # counted at its Sigmoid
        return ()
    if node.op_type == "Sigmoid":
        return ("silu",) if any(_is_silu(other, node) for other in producers.values()) else ("sigmoid",)
    operations = _ONNX.get(node.op_type, (node.op_type.lower(),))
    return operations[: len(node.input) - 1] if node.op_type == "Gemm" else operations


def _is_silu(product: NodeProto, sigmoid: NodeProto | None) -> bool:
    """Whether a node is x times the sigmoid of x."""
    if sigmoid is None or (product.op_type, sigmoid.op_type) != ("Mul", "Sigmoid"):
        return False
    return {*product.input} == {sigmoid.input[0], sigmoid.output[0]}
