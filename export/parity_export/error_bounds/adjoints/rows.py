"""Where the rows of a batch stand in each value: which axis they are, and how many places of it each row has.

Shape inference loses the batch's name where a shape is computed, and a network may put heads before the batch, or heads
and rows into one axis, and take them apart again. A backward pass goes through that where it is known that row b of a
result is made of row b of the operand alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

_REGROUPING = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_TAKING = frozenset({"Slice", "Gather"})
_REDUCING = frozenset({"ReduceMean", "ReduceSum", "ReduceMax"})
_KEEPING = frozenset({
    "Abs", "Add", "AveragePool", "BatchNormalization", "Celu", "Clip", "Conv", "Div", "Elu", "Erf", "Exp", "Gelu",
    "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Identity", "InstanceNormalization", "LayerNormalization",
    "LeakyRelu", "Log", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu",
    "Sigmoid", "Softmax", "Softplus", "Softsign", "Sqrt", "Sub", "Tanh", "Where",
})  # fmt: skip
"""Operators whose result has as many axes as its operands, and the rows where they have them."""
_WITH_A_BATCH = frozenset({
    "AveragePool", "BatchNormalization", "Conv", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization",
    "MaxPool",
})  # fmt: skip
"""Of these those that take the first axis for it."""


@dataclass(frozen=True)
class Rows:
    """Where the rows of a batch stand.

    Attributes:
        axis: of the value.
        places: of that axis that belong to one row, one after the other.
    """

    axis: int = 0
    places: int = 1


FIRST = Rows()
"""The first axis is the batch."""


def find_rows(nodes: Sequence[ir.Node], inputs: Sequence[ir.Value]) -> dict[ir.Value, Rows]:
    """Return where the rows stand, of each value of which it is known; and name the first axis of those by the batch.

    Args:
        nodes: in order.
        inputs: whose first axis is the batch.
    """
    found: dict[ir.Value, Rows] = {}
    for value in inputs:
        if value.shape is not None and len(value.shape) > 1 and _only(value, 0):
            found[value] = FIRST
    names = {value.shape[0] for value in found if value.shape is not None}
    if len(names) != 1:
        return {}
    [batch] = names
    for node in nodes:
        result, rows = node.outputs[0], _after(node, found)
        if rows is None or not _only(result, rows.axis):
            continue
        found |= dict.fromkeys(node.outputs, rows)
        for value in node.outputs if rows == FIRST else ():
            if value.shape is not None:
                value.shape = ir.Shape([batch, *value.shape[1:]])
    return found


def _only(value: ir.Value, axis: int) -> bool:
    """Whether an axis is the only one of a value that is of unknown size."""
    shape = value.shape
    return shape is not None and [isinstance(size, int) for size in shape].count(False) == 1 and (
        not isinstance(shape[axis], int)
    )  # fmt: skip


def _after(node: ir.Node, found: dict[ir.Value, Rows]) -> Rows | None:
    """Return where the rows stand in a node's result; None where that is not known."""
    x, y = node.inputs[0] if node.inputs else None, node.outputs[0]
    if y.shape is not None and node.op_type in _KEEPING:
        return _kept(node, found)
    if x is None or x not in found or x.shape is None or y.shape is None:
        return None
    before = found[x]
    if node.op_type == "Transpose" and "perm" in node.attributes:
        return Rows(list(node.attributes["perm"].as_ints()).index(before.axis), before.places)
    if node.op_type in _REGROUPING:
        return _regrouped(before, x, y)
    if node.op_type in _TAKING:
        return _taken(node, before, (len(x.shape), len(y.shape)))
    return before if node.op_type in _REDUCING and before.axis == 0 else None


def _taken(node: ir.Node, before: Rows, ranks: tuple[int, int]) -> Rows | None:
    """Return where the rows stand behind what takes elements out along another axis."""
    along = _along(node)
    if along is None or along % ranks[0] == before.axis:
        return None
    return Rows(before.axis - (along % ranks[0] < before.axis and ranks[1] < ranks[0]), before.places)


def _along(node: ir.Node) -> int | None:
    """Return the only axis along which a node takes elements out, by constants."""
    if node.op_type == "Gather":
        one = node.inputs[1]
        constant = None if one is None or one.const_value is None else one.const_value.numpy()
        return None if constant is None or constant.ndim > 1 else int(
            node.attributes["axis"].as_int() if "axis" in node.attributes else 0
        )  # fmt: skip
    given = [None if one is None or one.const_value is None else one.const_value.numpy() for one in node.inputs[1:4]]
    if len(given) < 3 or any(one is None or one.size != 1 for one in given):
        return None
    return None if given[2] is None else int(given[2].reshape(()))


def _kept(node: ir.Node, found: dict[ir.Value, Rows]) -> Rows | None:
    """Return where the rows of all operands stand, of those of unknown size; None where they differ."""
    rank, alike = len(node.outputs[0].shape or ()), set[Rows]()
    for value in node.inputs:
        if value is not None and (value.shape is None or any(not isinstance(size, int) for size in value.shape)):
            rows = found.get(value)
            if rows is None or value.shape is None or len(value.shape) != rank:
                return None
            alike.add(rows)
    if len(alike) != 1:
        return None
    [rows] = alike
    free = rank
    if node.op_type == "MatMul":
        free = rank - 1 if _by_a_matrix(node) else rank - 2
    elif node.op_type in _WITH_A_BATCH:
        free = 1
    return rows if rows.axis < free else None


def _by_a_matrix(node: ir.Node) -> bool:
    """Whether the second operand is of known sizes, so that the rows stand in the first alone."""
    second = node.inputs[1]
    return second is not None and second.shape is not None and all(isinstance(size, int) for size in second.shape)


def _regrouped(before: Rows, x: ir.Value, y: ir.Value) -> Rows | None:
    """Return where the rows stand behind what keeps all elements in their order: in front, or as they were."""
    sizes, after = (list(value.shape or ()) for value in (x, y))
    place = [index for index, size in enumerate(after) if not isinstance(size, int)]
    if len(place) != 1:
        return None
    parts = [[size for size in part if isinstance(size, int)] for part in (sizes, after)]
    if before.axis == 0 and place == [0]:
        whole, rest = before.places * math.prod(parts[0]), math.prod(parts[1])
        return Rows(0, whole // rest) if rest and whole % rest == 0 else None
    behind = [math.prod(one for one in part[index + 1 :] if isinstance(one, int))
              for part, index in ((sizes, before.axis), (after, place[0]))]  # fmt: skip
    in_front = [math.prod(one for one in part[:index] if isinstance(one, int))
                for part, index in ((sizes, before.axis), (after, place[0]))]  # fmt: skip
    return Rows(place[0], before.places) if behind[0] == behind[1] and in_front[0] == in_front[1] else None
