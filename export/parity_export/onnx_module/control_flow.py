"""If, Loop, Scan and SequenceMap: nodes that run graphs of their own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import AttributeProto
from torch import Tensor

from parity_export.onnx_module.operators.casting import DTYPES
from parity_export.onnx_module.operators.operator import NotThisOperatorError
from parity_export.onnx_module.values import Value

Body = Callable[[Mapping[str, Value]], list[Value]]
"""A subgraph: from its inputs and what it takes from outside, by name, to its outputs."""

_OLD_SCAN = 9
"""Before that opset Scan took batches."""


class ControlFlow:
    """A node that runs graphs of its own.

    Args:
        node: as the file has it.
        version: of ONNX's operators.
        bodies: its graphs by attribute.
        captured: the names of what they take from outside.
    """

    def __init__(self, node: onnx.NodeProto, version: int, bodies: Mapping[str, Body], captured: Sequence[str]) -> None:
        self._node, self._version, self._bodies, self._captured = node, version, bodies, list(captured)
        self._protos = {one.name: one.g for one in node.attribute if one.type == AttributeProto.GRAPH}
        self._numbers = {one.name: one.i for one in node.attribute}
        self._lists = {one.name: list(one.ints) for one in node.attribute}

    def __call__(self, values: Sequence[Value]) -> list[Value]:
        """Return the node's results.

        Args:
            values: of its inputs, then of what its graphs take from outside.

        Raises:
            NotThisOperatorError: it is none of the four, or an older form.
        """
        count = len(self._node.input)
        outside = dict(zip(self._captured, values[count:], strict=True))
        run = {"If": self._if, "Loop": self._loop, "Scan": self._scan, "SequenceMap": self._map}
        if self._node.op_type not in run:
            raise NotThisOperatorError
        return run[self._node.op_type](list(values[:count]), outside)

    def _if(self, x: list[Value], outside: Mapping[str, Value]) -> list[Value]:
        return self._bodies["then_branch" if bool(x[0].reshape(-1)[0]) else "else_branch"](outside)

    def _loop(self, x: list[Value], outside: Mapping[str, Value]) -> list[Value]:
        most = None if x[0] is None else int(x[0].reshape(-1)[0])
        goes_on = len(x) < 2 or x[1] is None or bool(x[1].reshape(-1)[0])
        state, body = x[2:], self._protos["body"]
        names = [value.name for value in body.input]
        collected: list[list[Tensor]] = [[] for _ in body.output[1 + len(state) :]]
        count = 0
        while goes_on and (most is None or count < most):
            given = [torch.tensor(count), torch.tensor(True), *state]
            keep, *results = self._bodies["body"]({**outside, **dict(zip(names, given, strict=False))})
            state = results[: len(state)]
            for found, one in zip(collected, results[len(state) :], strict=True):
                found.append(one)
            goes_on, count = bool(keep.reshape(-1)[0]), count + 1
        declared = body.output[1 + len(state) :]
        return [*state, *(_stacked(*one) for one in zip(collected, declared, strict=True))]

    def _scan(self, x: list[Value], outside: Mapping[str, Value]) -> list[Value]:
        if self._version < _OLD_SCAN:
            raise NotThisOperatorError
        series = self._numbers["num_scan_inputs"]
        state, scanned, body = x[:-series], x[-series:], self._protos["body"]
        names = [value.name for value in body.input]
        axes = self._lists.get("scan_input_axes", [0] * series)
        backwards = self._lists.get("scan_input_directions", [0] * series)
        steps = [one.movedim(axis, 0) for one, axis in zip(scanned, axes, strict=True)]
        steps = [one.flip(0) if back else one for one, back in zip(steps, backwards, strict=True)]
        collected: list[list[Tensor]] = [[] for _ in body.output[len(state) :]]
        for given in zip(*steps, strict=True):
            results = self._bodies["body"]({**outside, **dict(zip(names, [*state, *given], strict=True))})
            state = results[: len(state)]
            for found, one in zip(collected, results[len(state) :], strict=True):
                found.append(one)
        stacked = [_stacked(*one) for one in zip(collected, body.output[len(state) :], strict=True)]
        flips = self._lists.get("scan_output_directions", [0] * len(stacked))
        places = self._lists.get("scan_output_axes", [0] * len(stacked))
        stacked = [one.flip(0) if back else one for one, back in zip(stacked, flips, strict=True)]
        return [*state, *(one.movedim(0, axis) for one, axis in zip(stacked, places, strict=True))]

    def _map(self, x: list[Value], outside: Mapping[str, Value]) -> list[Value]:
        names = [value.name for value in self._protos["body"].input]
        found = []
        for index in range(len(x[0])):
            given = [one[index] if isinstance(one, list) else one for one in x]
            found.append(self._bodies["body"]({**outside, **dict(zip(names, given, strict=True))}))
        return [list(one) for one in zip(*found, strict=True)] or [[] for _ in self._node.output]


def _stacked(tensors: list[Tensor], declared: onnx.ValueInfoProto) -> Tensor:
    """Return what a loop collected; of no step at all an empty tensor of the declared type."""
    if tensors:
        return torch.stack(tensors)
    tensor: Any = declared.type.tensor_type
    return torch.zeros(0, *(size.dim_value for size in tensor.shape.dim), dtype=DTYPES.get(tensor.elem_type))
