"""LayerNormalization as it is written out: (x - mean) / root(mean of its squares + epsilon), times g, plus b."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.normalization import Normalization, normalized
from parity_export.error_bounds.operators.shared.worst_case_graphs import lost_mean


@dataclass(frozen=True)
class _Written:
    """What is normalized, over its last axes, and by what."""

    x: ir.Value
    axes: tuple[int, ...]
    gain: NDArray[np.float64]
    shift: NDArray[np.float64]
    epsilon: float


def written_layer_normalization(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of a LayerNormalization, whose rule holds however it is computed (`normalization`).

    Backends compute it as it is written, the quotient as a product with a reciprocal perhaps, or by that operator.
    """
    found = _written(builder, node)
    if found is None or found.x.shape is None:
        raise refusal(node)
    sizes = [found.x.shape[axis] for axis in found.axes]
    count = int(np.prod([size for size in sizes if isinstance(size, int)]))
    what = Normalization(found.axes, count, found.gain, np.abs(found.shift), found.epsilon)
    return normalized(builder, node, what, found.x)


def _written(builder: BoundBuilder, node: ir.Node) -> _Written | None:
    """Return the parts of what a node ends; None where it ends no such formula."""
    scaled, shift = _and_constant(builder, node, "Add")
    divided, gain = _and_constant(builder, _maker(scaled), "Mul")
    centre, root = _quotient(builder, _maker(divided))
    added = _maker(_input(_maker(root), "Sqrt"))
    variance, epsilon = _and_constant(builder, added, "Add")
    square = _maker(_input(_maker(variance), "ReduceMean"))
    subtracted = _maker(centre)
    if square is None or subtracted is None or subtracted.op_type != "Sub" or epsilon is None or epsilon.size != 1:
        return None
    x, mean = subtracted.inputs
    axes = _axes(builder, _maker(variance), x)
    same = x is not None and _input(_maker(mean), "ReduceMean") is x and _axes(builder, _maker(mean), x) == axes
    if not same or not axes or x is None or gain is None or shift is None or not _is_square(builder, square, centre):
        return None
    return _Written(x, axes, gain.astype(np.float64), shift.astype(np.float64), float(epsilon.reshape(())))


def _maker(value: ir.Value | None) -> ir.Node | None:
    return None if value is None else value.producer()


def _input(node: ir.Node | None, op_type: str) -> ir.Value | None:
    return node.inputs[0] if node is not None and node.op_type == op_type else None


def _and_constant(
    builder: BoundBuilder, node: ir.Node | None, op_type: str
) -> tuple[ir.Value | None, NDArray[np.float32] | None]:
    """Return the computed operand and the float32 constant of a node of two; None of another."""
    if node is not None and node.op_type == op_type:
        for value, other in (node.inputs, node.inputs[::-1]):
            constant = builder.constant(other, masks=True)
            if constant is not None and constant.dtype == np.float32:
                return value, constant
    return None, None


def _quotient(builder: BoundBuilder, node: ir.Node | None) -> tuple[ir.Value | None, ir.Value | None]:
    """Return x and y of x / y, which may be x times the reciprocal of y."""
    if node is not None and node.op_type == "Div":
        return node.inputs[0], node.inputs[1]
    for value, other in (node.inputs, node.inputs[::-1]) if node is not None and node.op_type == "Mul" else ():
        inverse = _maker(other)
        if inverse is not None and inverse.op_type == "Reciprocal":
            return value, inverse.inputs[0]
        if inverse is not None and inverse.op_type == "Div":
            one = builder.constant(inverse.inputs[0])
            if one is not None and (one == 1).all():
                return value, inverse.inputs[1]
    return None, None


def _is_square(builder: BoundBuilder, node: ir.Node, value: ir.Value | None) -> bool:
    if node.inputs[0] is not value:
        return False
    exponent = builder.constant(node.inputs[1]) if node.op_type == "Pow" else None
    return (exponent is not None and bool((exponent == 2).all())) or (node.op_type == "Mul" and node.inputs[1] is value)


def _axes(builder: BoundBuilder, mean: ir.Node | None, x: ir.Value | None) -> tuple[int, ...]:
    """Return the axes of a mean over the last ones, of known sizes, that keeps them; none of another."""
    given = builder.constant(mean.inputs[1]) if mean is not None and len(mean.inputs) > 1 else None
    if mean is None or given is None or x is None or x.shape is None:
        return ()
    kept, rank = mean.attributes.get("keepdims"), len(x.shape)
    axes = tuple(sorted(int(axis) % rank for axis in given.reshape(-1)))
    last = axes == tuple(range(rank - len(axes), rank)) and all(isinstance(x.shape[axis], int) for axis in axes)
    return axes if last and (kept is None or kept.as_int() == 1) else ()


def worst_cases() -> list[WorstCase]:
    """Return rows whose mean is far above their spread, summed so that halves are lost."""
    nodes: list[Node] = [
        ("ReduceMean", ["features", "axis"], {}),
        ("Sub", ["features", "ReduceMean0"], {}),
        ("Pow", ["Sub1", "two"], {}),
        ("ReduceMean", ["Pow2", "axis"], {}),
        ("Add", ["ReduceMean3", "epsilon"], {}),
        ("Sqrt", ["Add4"], {}),
        ("Div", ["Sub1", "Sqrt5"], {}),
        ("Mul", ["Div6", "g"], {}),
        ("Add", ["Mul7", "b"], {}),
    ]
    [own, _] = lost_mean("WrittenLayerNormalization", nodes, "g", "b")
    constants = {"axis": np.array([-1]), "two": np.float32(2), "epsilon": np.float32(1e-5)}
    return [WorstCase(own.name, own.nodes, dict(own.constants) | constants, own.rows, own.outputs)]


OPERATOR = OperatorRule(
    "WrittenLayerNormalization",
    "as LayerNormalization, which a backend may compute instead",
    written_layer_normalization,
    worst_cases,
    no_aten="several operators, each of which is followed as itself",
    ends_in="Add",
    matches=lambda builder, node: _written(builder, node) is not None,
    becomes="LayerNormalization",
)
