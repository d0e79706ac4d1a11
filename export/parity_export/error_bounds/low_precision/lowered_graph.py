"""The graph that a lower precision computes, in float32: constants and inputs rounded, each sum and operand on its own.

Roundings that are known are made: those of constants and of inputs, to nearest, ties to even. Scalars stay as they are,
because a backend may leave them so, and are noted: `rounded_results` bounds what remains.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.decisions import COMPARING
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.precision import Precision, Storage

_PRODUCTS = frozenset({"Gemm", "MatMul", "Conv", "ConvTranspose"})
"""Operators whose operands a tensor core rounds."""

_SCALED, _SHIFTED = frozenset({"Mul", "Div"}), frozenset({"Add", "Sub", "Clip", "Max", "Min", "Where", "Pad"})
"""What takes a scalar that a backend may leave in float32, as torch does a number of Python's: rounding it changes the
result relatively, or by no more than itself."""

_MASKING = frozenset({"Add", "Where"})
"""What puts scores to float32's lowest number, or adds that: in the format it is minus infinity, alike to a Softmax."""

_PREFIX = "error_bound.lowered."


@dataclass
class Loose:
    """What a node's result may be off by beside its own rounding, because a scalar may be rounded or not.

    Attributes:
        relative: of the result.
        constant: of any.
    """

    relative: float = 0.0
    constant: float = 0.0


@dataclass
class Lowered:
    """A graph that was changed to that of a lower precision.

    Attributes:
        given: the values that an evaluation begins with.
        nodes: what the answer is computed by, in order.
        loose: of nodes that take scalars.
        biased: sums that add a bias: a weight, of which a single one is no scalar.
        operands: results that stand for an operand of a product, rounded.
    """

    given: list[ir.Value]
    nodes: list[ir.Node]
    loose: dict[ir.Node, Loose] = field(default_factory=dict)
    biased: set[ir.Node] = field(default_factory=set)
    operands: set[ir.Value] = field(default_factory=set)


def lowered(graph: ir.Graph, nodes: Sequence[ir.Node], given: Sequence[ir.Value], precision: Precision) -> Lowered:
    """Change a graph in place.

    Args:
        graph: with shapes.
        nodes: what the answer is computed by.
        given: floats that an evaluation begins with.
        precision: other than float32.

    Raises:
        CannotCertifyError: a constant lies outside the format's range.
    """
    found = Lowered([*given], [*nodes])
    if precision.operands:
        _round_operands(graph, found)
    if precision.storage is not None:
        _add_biases_last(graph, found)
        _round_constants(graph, found, precision.storage)
        _round_inputs(graph, found, precision.storage)
    return found


def _round_operands(graph: ir.Graph, found: Lowered) -> None:
    """Put an Identity before every operand of a product that is computed, so that the operand errs by itself there."""
    for node in [node for node in found.nodes if node.op_type in _PRODUCTS]:
        for index, value in enumerate(node.inputs[:2]):
            if value is None or value.const_value is not None:
                continue
            copy = _before(graph, found, node, "Identity", value, f"{node.name}.{index}")
            node.replace_input_with(index, copy)
            found.operands.add(copy)


def _before(graph: ir.Graph, found: Lowered, node: ir.Node, op_type: str, value: ir.Value, name: str) -> ir.Value:
    made = ir.node(op_type, [value], name=f"{_PREFIX}{name}")
    _like(made, value)
    graph.insert_before(node, made)
    found.nodes.insert(found.nodes.index(node), made)
    return made.outputs[0]


def _add_biases_last(graph: ir.Graph, found: Lowered) -> None:
    """Write the bias of a linear map as a sum of its own: some backends round the products' sum before it."""
    for node in [node for node in found.nodes if node.op_type in _PRODUCTS and len(node.inputs) > 2]:
        bias, result = node.inputs[2], node.outputs[0]
        beta = node.attributes["beta"].as_float() if "beta" in node.attributes else 1.0
        array = _constant(bias)
        if array is None or array.dtype != np.float32 or beta != 1:
            continue
        axes = 0 if node.op_type == "Gemm" else len(result.shape or ()) - 2
        products = ir.node(node.op_type, node.inputs[:2], dict(node.attributes), name=f"{_PREFIX}{node.name}")
        _like(products, result)
        graph.insert_before(node, products)
        found.nodes.insert(found.nodes.index(node), products)
        node.op_type = "Add"
        node.attributes.clear()
        node.resize_inputs(2)
        node.replace_input_with(0, products.outputs[0])
        node.replace_input_with(1, _initializer(graph, f"{node.name}.bias", array.reshape(*array.shape, *[1] * axes)))
        found.biased.add(node)


def _round_constants(graph: ir.Graph, found: Lowered, storage: Storage) -> None:
    """Round every float constant that a node takes, or note it where it is a scalar."""
    known: dict[ir.Value, ir.Value] = {}
    for node in found.nodes:
        for index, value in enumerate(node.inputs):
            array = _constant(value)
            if value is None or array is None or array.dtype != np.float32:
                continue
            rounded = storage.rounded(array)
            beyond = np.isinf(rounded) & np.isfinite(array)
            masks = node.op_type in _MASKING and not (beyond & (rounded > 0)).any()
            if beyond.any() and not masks:
                raise refusal(node, f"its constant {value.name} is above the range of {storage.dtype.name.lower()}")
            if np.array_equal(rounded, array):
                continue
            if array.size == 1 and not beyond.any() and node.op_type in _SCALED | _SHIFTED and node not in found.biased:
                _note_scalar(found, node, float(array.reshape(())), float(rounded.reshape(())))
                continue
            if node.op_type in COMPARING:
                raise refusal(node, f"what it compares with is not a number of {storage.dtype.name.lower()}")
            if value not in known:
                known[value] = _initializer(graph, str(value.name), rounded)
            node.replace_input_with(index, known[value])


def _note_scalar(found: Lowered, node: ir.Node, exact: float, rounded: float) -> None:
    """Leave a scalar as it is, and note what a result is off by where it is rounded."""
    apart, known = abs(exact - rounded), found.loose.get(node, Loose())
    if node.op_type not in _SCALED:
        found.loose[node] = Loose(known.relative, known.constant + apart)
    elif apart < abs(exact):
        found.loose[node] = Loose(known.relative + apart / (abs(exact) - apart), known.constant)
    else:
        raise refusal(node, f"its factor {exact:g} is rounded to 0")


def _round_inputs(graph: ir.Graph, found: Lowered, storage: Storage) -> None:
    """Round what the evaluation begins with."""
    first = found.nodes[0]
    for place, value in enumerate(found.given):
        makers = [node for node in graph if value in node.outputs]
        low = ir.node("Cast", [value], {"to": storage.dtype}, name=f"{_PREFIX}low.{value.name}")
        back = ir.node("Cast", [low.outputs[0]], {"to": ir.DataType.FLOAT}, name=f"{_PREFIX}{value.name}")
        _like(low, value)
        _like(back, value)
        low.outputs[0].dtype = storage.dtype
        if makers:
            graph.insert_after(makers[0], [low, back])
        else:
            graph.insert_before(first, [low, back])
        for node in found.nodes:
            for index, taken in enumerate(node.inputs):
                if taken is value:
                    node.replace_input_with(index, back.outputs[0])
        found.given[place] = back.outputs[0]


def _like(node: ir.Node, value: ir.Value) -> None:
    """Give a node's result its name, and the shape of another float."""
    result = node.outputs[0]
    result.name, result.shape, result.dtype = node.name, value.shape, ir.DataType.FLOAT


def _constant(value: ir.Value | None) -> NDArray[np.generic] | None:
    return None if value is None or value.const_value is None or value.is_graph_input() else value.const_value.numpy()


def _initializer(graph: ir.Graph, name: str, array: NDArray[np.generic]) -> ir.Value:
    name = f"{_PREFIX}{name}"
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
    graph.register_initializer(value)
    return value
