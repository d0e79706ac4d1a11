"""Numbers that a module's code and its graph hold: where a decision lies, it must be asked exactly there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parity_export.export_graph import ExportGraph
from parity_export.graph.encoder_nodes import PREFIX
from parity_export.sources.model_source import ModelSource

_COMPARED = {"ge", "gt", "le", "lt", "eq", "ne", "bucketize", "searchsorted"}
_COMPARING = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"}
_CUTTING = {
    "Slice",
    "Range",
    "Gather",
    "Min",
    "Max",
    "Clip",
    "Less",
    "Greater",
    "GreaterOrEqual",
    "LessOrEqual",
    "Equal",
}
"""Operators that may cut an axis at an integer."""

_MOST = 16  # numbers of each kind, and elements of a constant that holds some
_LONGEST = 1024  # a length beyond it takes too long to ask


@dataclass(frozen=True)
class CodeNumbers:
    """Numbers that decide.

    Attributes:
        compared: what values are compared with.
        lengths: sizes of an axis that show what is cut at an integer: one more than that.
    """

    compared: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()


def code_numbers(graph: ExportGraph) -> CodeNumbers:
    """Return the numbers of a graph and of its module: one of the two may be wrong."""
    written = graph.onnx.light.graph
    compared = dict.fromkeys([*_of_module(graph.source), *(value for value, _ in _of_graph(written, _COMPARING))])
    whole = dict.fromkeys(int(value) for value, integer in _of_graph(written, _CUTTING) if integer)
    lengths = sorted({abs(value) + 1 for value in whole if 2 < abs(value) < _LONGEST})
    return CodeNumbers(tuple(compared)[:_MOST], tuple(lengths[-2:]))


def _of_graph(graph: onnx.GraphProto, operators: set[str]) -> Iterator[tuple[float, bool]]:
    """Yield the finite numbers among the constants that some operators take, and whether each is an integer."""
    constants = {tensor.name: tensor for tensor in graph.initializer if np.prod(tensor.dims) <= _MOST}
    constants |= {node.output[0]: node.attribute[0].t for node in graph.node
                  if node.op_type == "Constant" and node.attribute[0].HasField("t")}  # fmt: skip
    for node in graph.node:
        if node.name.startswith(PREFIX):  # the calendar's own numbers, which every timestamp is asked around
            continue
        for name in node.input if node.op_type in operators else ():
            if name in constants:
                array = numpy_helper.to_array(constants[name]).reshape(-1)
                if array.dtype.kind in "fiu":
                    yield from (
                        (float(value), array.dtype.kind != "f") for value in array[:_MOST] if np.isfinite(value)
                    )


class _Compared(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what a module's code compares with."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers: list[float] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, torch._ops.OpOverload) and func.overloadpacket.__name__ in _COMPARED:
            for value in tree_leaves((args, kwargs)):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    self.numbers.append(float(value))
                elif isinstance(value, torch.Tensor) and value.numel() <= _MOST and not value.is_complex():
                    self.numbers += [float(one) for one in value.reshape(-1).tolist()]
        return func(*args, **kwargs)


def _of_module(source: ModelSource) -> list[float]:
    compared = _Compared()
    try:
        with torch.no_grad(), compared:
            source.call(*source.example.tensors())
    except Exception:  # noqa: S110 -- the user's own code, which the gate asks and reports on
        pass
    return [value for value in compared.numbers if np.isfinite(value)]
