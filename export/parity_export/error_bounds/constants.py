"""Subexpressions of constants alone: what they are in every evaluation, exactly or but for a few roundings.

What no evaluation rounds is computed here, once: elements that move, comparisons, integers, a product that float32
holds. The rest is a number that every evaluation meets within an error (`rounded_constants`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.decisions import COMPARING
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.registry import moving
from parity_export.error_bounds.rounded_constants import ROUNDED, rounded
from parity_export.error_bounds.rounding_model import FLUSH, U
from parity_runtime.errors import first_line

_MOVING = moving("keeps", "selects", "joins") | {"Trilu", "Where"}
_OF_MAGNITUDES = COMPARING | {"Cast", "Relu", "Clip", "Max", "Min"}
"""What tells numbers apart, so that a subnormal one must not be among them: it may be read as zero."""

_OF_INTEGERS = frozenset({"Not", "And", "Or", "Xor", "Range", "ConstantOfShape", "Add", "Sub", "Mul"})
_UNROUNDED = frozenset({"Add", "Sub", "Mul", "Div", "Abs", "Neg"})
_KEEPING = moving("keeps", "selects")
_TAKING_ROUNDED = frozenset({"Add", "Sub", "Mul", "Div", "Concat", "Where", "Max", "Min"})
_EXACT_INTEGER = 2**24  # up to it float32 holds every integer


def fold(builder: BoundBuilder, node: ir.Node, opsets: dict[str, int]) -> bool:
    """Record what a node of constants alone gives, and return whether that is known.

    Raises:
        CannotCertifyError: the evaluator refuses it.
    """
    result = node.outputs[0]
    sizes = _sizes(builder, node)
    if sizes is not None:
        builder.fold(result, sizes)
        return True
    operands = [value for value in node.inputs if value is not None]
    exact = [builder.constant(value, masks=True) for value in operands]
    if len(node.outputs) != 1 or not (operands or node.op_type == "Range"):
        return False
    known = [array for array in exact if array is not None]
    if len(known) == len(operands):
        array = _exactly(node, known, opsets)
        if array is not None:
            builder.fold(result, array)
            return True
    if not all(builder.is_constant(value) for value in operands):
        _refuse_where_folded(builder, node)
        return False
    if node.op_type in _KEEPING:  # of what was rounded: its error moves alike
        places = [builder.rounded_constant(value)[0] for value in operands[1:]]
        parts = builder.rounded_constant(operands[0])
        array, error = (_evaluate(node, [part.astype(np.float32), *places], opsets) for part in parts)
        builder.fold(result, array, error.astype(np.float64) * (1 + 2 * U) + FLUSH)
    elif node.op_type in ROUNDED:
        builder.fold(result, *rounded(builder, node))
    else:
        return False
    return True


def _refuse_where_folded(builder: BoundBuilder, node: ir.Node) -> None:
    """Refuse what may be folded into weights, or takes a parameter, where that is a constant of several values.

    Sums and products count the roundings of such a constant; what only moves or chooses it has its error bound.
    """
    if node.op_type not in _TAKING_ROUNDED and any(map(builder.is_rounded, node.inputs)):
        raise refusal(node, "it takes a constant that backends compute with roundings; compute it before the export")


def _sizes(builder: BoundBuilder, node: ir.Node) -> NDArray[np.int64] | None:
    """Return the sizes that a Shape gives, or that are taken out of one, where all of them are numbers."""
    if node.op_type == "Shape":
        return _numbers(_shape(node))
    source = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if source is None or source.op_type != "Shape" or node.op_type not in ("Slice", "Gather"):
        return None
    sizes, given = _shape(source), [builder.constant(value) for value in node.inputs[1:] if value is not None]
    if sizes is None or any(array is None or array.dtype.kind not in "iu" for array in given):
        return None
    places = np.arange(len(sizes))
    numbers = [array for array in given if array is not None]
    if node.op_type == "Gather":
        chosen = places[numbers[0]]
    elif len(numbers) < 4:
        chosen = places[int(numbers[0].reshape(())) : int(numbers[1].reshape(()))]
    else:
        return None
    found = _numbers(tuple(sizes[int(place)] for place in chosen.reshape(-1)))
    return None if found is None else found.reshape(chosen.shape)


def _shape(node: ir.Node) -> tuple[int | None, ...] | None:
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    start, end = (node.attributes[name].as_int() if name in node.attributes else None for name in ("start", "end"))
    return tuple(size if isinstance(size, int) else None for size in list(value.shape)[start:end])


def _numbers(sizes: tuple[int | None, ...] | None) -> NDArray[np.int64] | None:
    return None if sizes is None or None in sizes else np.array(sizes, np.int64)


def _exactly(node: ir.Node, operands: Sequence[NDArray[Any]], opsets: dict[str, int]) -> NDArray[Any] | None:
    """Return what every evaluation gives; None where one may round, or read a subnormal number as zero."""
    floats = [array for array in operands if array.dtype.kind == "f"]
    if any(array.dtype != np.float32 for array in floats):
        return None
    if node.op_type in _MOVING or (not floats and node.op_type in _OF_INTEGERS | COMPARING):
        return _evaluate(node, operands, opsets)
    plain = all(np.isfinite(array).all() and not _subnormal(array) for array in floats)
    if not plain:
        return None
    if node.op_type in _OF_MAGNITUDES:
        array = _evaluate(node, operands, opsets)
        return array if node.op_type != "Cast" or _cast_exactly(operands[0], array) else None
    return _unrounded(node, operands, opsets) if floats and node.op_type in _UNROUNDED else None


def _subnormal(array: NDArray[Any]) -> bool:
    return bool(((array != 0) & (np.abs(array) < FLUSH)).any())


def _cast_exactly(before: NDArray[Any], after: NDArray[Any]) -> bool:
    """Whether a cast changes no number: from integers and truth values to floats, or back."""
    if before.dtype.kind not in "iubf" or after.dtype.kind not in "iubf" or after.dtype == np.float16:
        return False
    wide = before.astype(np.float64)
    return bool((np.abs(wide) <= _EXACT_INTEGER).all() and (after.dtype.kind == "b" or (wide == after).all()))


def _unrounded(node: ir.Node, operands: Sequence[NDArray[Any]], opsets: dict[str, int]) -> NDArray[Any] | None:
    """Return a sum, product or quotient of float32 numbers that is a normal float32 number or zero; else None.

    A product of two is exact in float64. A sum is where taking either summand away again leaves the other. A quotient
    may be a product with the rounded reciprocal, which is exact for powers of two.
    """
    found = _evaluate(node, operands, opsets)
    wide = [array.astype(np.float64) for array in operands]
    if node.op_type in ("Abs", "Neg"):
        return found
    if node.op_type == "Mul":
        exact = wide[0] * wide[1] == found
    elif node.op_type == "Div":
        exact = (np.abs(np.frexp(operands[1])[0]) == 0.5) & (found * wide[1] == wide[0])
    else:
        second = wide[1] if node.op_type == "Add" else -wide[1]
        total = wide[0] + second
        exact = (total == found) & (total - wide[0] == second) & (total - second == wide[0])
    return found if exact.all() and np.isfinite(found).all() and not _subnormal(found) else None


def _evaluate(node: ir.Node, inputs: Sequence[NDArray[Any]], opsets: dict[str, int]) -> NDArray[Any]:
    names = [str(value.name) for value in node.inputs if value is not None]
    evaluator = ReferenceEvaluator(ir.to_proto(node), opsets=dict(opsets))
    try:
        with np.errstate(all="ignore"):
            result: NDArray[Any] = evaluator.run(None, dict(zip(names, inputs, strict=True)))[0]  # type: ignore[index]
    except Exception as error:  # the reference evaluator's own
        raise refusal(node, first_line(error)) from error
    return np.asarray(result)
