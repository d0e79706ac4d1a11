"""Resize: an image of another size, by the nearest element or by linear interpolation."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import attribute
from parity_export.error_bounds.operators.shared.worst_case_graphs import K, ones
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U, gamma

_MARGIN = Fraction(1, 2**14)
"""How far a place must be from where another element is the nearest, relatively to 1 + the place: what computing it in
float32 may be off by is far less."""

_ROUNDINGS = 12
"""Of a term of an interpolation along two axes: weights, products and sums."""


@dataclass(frozen=True)
class _Axis:
    """One axis: its sizes before and after, and how places of both correspond."""

    before: int
    after: int
    scale: Fraction
    mode: str

    def place(self, index: int) -> Fraction:
        """Return where an element of the result lies, in elements of the operand."""
        if self.mode == "asymmetric":
            return index / self.scale
        if self.mode == "align_corners":
            return Fraction(index * (self.before - 1), self.after - 1) if self.after > 1 else Fraction(0)
        if self.mode == "pytorch_half_pixel" and self.after <= 1:
            return Fraction(0)
        return (index + Fraction(1, 2)) / self.scale - Fraction(1, 2)


def resize(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Nearest: e, moved alike, where all evaluations take the same element. Linear: a mean of e, and what it rounds.

    **Nearest.** A place is computed in float32, within 4u of 1 + itself: it takes a scale, a product or quotient, and a
    sum. The element that is taken is the same where no place is that near to the middle of two (to an element where it
    is rounded down or up), but for quotients by a whole scale that are integers, which are exact.

    **Linear**, along d axes. The interpolation is a function of the place, continuous, and linear between neighbours. A
    place that is off by eps changes it by at most eps times the difference of two neighbours, which is at most 2M, M
    the largest magnitude within one element. Its weights are not negative and their sum is 1; a term is rounded at most
    12 times, weights of the elements beside it among them. With x~ within e of x,

        |y~ - y| <= mean of e + (2 d eps + gamma_12) M,   eps = 4u (1 + size),   M = max of |x'| + 2e nearby
    """
    x = builder.operand(node)
    axes, mode = _axes(builder, node), attribute(node, "mode", "nearest")
    total, scale = builder.tensor(x)
    if mode == "nearest":
        if not all(_decided(axis, attribute(node, "nearest_mode", "round_prefer_floor")) for axis in axes):
            raise refusal(node, "its places lie so near to the middle of two elements that backends may take either")
        return Bound(_again(builder, node, total), scale)
    if mode != "linear" or len(axes) > 2:
        raise refusal(node, "its mode must be nearest, or linear along at most two axes")
    share = 2 * len(axes) * 4 * U * (1 + max(axis.before for axis in axes)) + gamma(_ROUNDINGS)
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 8 * U))])
    size = builder.emit("Add", [builder.magnitude(x), reach])
    infinite = builder.initializer(np.array([np.inf], np.float32))  # a maximum may lose NaN
    size = builder.emit("Where", [builder.emit("Less", [size, infinite]), size, infinite])
    rank = len(x.shape or ()) - 2
    nearby = builder.emit("MaxPool", [size], {"kernel_shape": [3] * rank, "pads": [1] * (2 * rank)})
    rounded = builder.emit("Mul", [nearby, builder.number(share / UNIT)])
    summed = _again(builder, node, builder.emit("Add", [total, rounded]))
    return Bound(summed, scale * (1 + 2 * share + gamma(64)), 0.0, 16 * FLUSHED)


def _again(builder: BoundBuilder, node: ir.Node, value: ir.Value) -> ir.Value:
    return builder.emit("Resize", [value, *node.inputs[1:]], dict(node.attributes))


def _axes(builder: BoundBuilder, node: ir.Node) -> list[_Axis]:
    """Return the axes that change; every other must stay as it is."""
    x, result = builder.operand(node), node.outputs[0]
    strange = [name for name, usual in _USUAL.items() if attribute(node, name, usual) != usual]
    mode = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if strange or mode not in _MODES or "axes" in node.attributes:
        raise refusal(node, f"with {(*strange, 'this transformation of coordinates')[0]} it has no rule")
    scales = builder.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    given = scales is not None and scales.size > 0
    if x.shape is None or result.shape is None or len(x.shape) < 3:
        raise refusal(node, "its shape is unknown")
    kept = bool((scales[:2] == 1).all()) if given and scales is not None else _keeps(builder, node, x)
    sizes = list(zip(x.shape, result.shape, strict=True))
    if not kept or not all(isinstance(before, int) and isinstance(after, int) for before, after in sizes[2:]):
        raise refusal(node, "its sizes must be known, and batch and channels stay")
    found = []
    for place, (before, after) in enumerate(sizes[2:], 2):
        if isinstance(before, int) and isinstance(after, int):
            scale = Fraction(float(scales[place])) if given and scales is not None else Fraction(after, before)
            if {floor(before * scale), floor(np.float32(before) * np.float32(float(scale)))} != {after} and given:
                raise refusal(node, "its scales give other sizes where they are rounded; give it sizes")
            found.append(_Axis(before, after, scale, mode))
    return found


def _keeps(builder: BoundBuilder, node: ir.Node, x: ir.Value) -> bool:
    """Whether sizes keep batch and channels: they begin with those of x itself, or are the same numbers."""
    sizes = node.inputs[3] if len(node.inputs) > 3 else None
    constant, made = builder.constant(sizes), None if sizes is None else sizes.producer()
    if constant is not None and x.shape is not None:
        return [int(size) for size in constant[:2]] == list(x.shape[:2])
    first = made.inputs[0] if made is not None and made.op_type == "Concat" else None
    shape = None if first is None else first.producer()
    if shape is None or shape.op_type != "Shape" or shape.inputs[0] is not x:
        return False
    return (attribute(shape, "start", 0), attribute(shape, "end", 0)) == (0, 2)


_MODES = frozenset({"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"})
_USUAL = {"antialias": 0, "exclude_outside": 0, "keep_aspect_ratio_policy": "stretch", "extrapolation_value": 0.0}


def _decided(axis: _Axis, rounding: str) -> bool:
    """Whether every evaluation takes the same elements along an axis."""
    for index in range(axis.after):
        place = axis.place(index)
        shift = Fraction(1, 2) if rounding.startswith("round") else Fraction(0)
        apart = abs((place + shift) - round(place + shift))
        exact = apart == 0 and shift == 0 and axis.mode == "asymmetric" and axis.scale.denominator == 1
        outside = place < 0 or place > axis.before - 1  # clamped, whichever neighbour it is
        if apart < _MARGIN * (1 + abs(place)) and not exact and not outside:
            return False
    return True


def worst_cases() -> list[WorstCase]:
    """Return an image of a sum's error that is repeated, and one that is interpolated."""
    start: list[Node] = [("Gemm", ["features", "w", "b"], {"transB": 1}), ("Reshape", ["Gemm0", "image"], {})]
    end: Node = ("Reshape", ["Resize2", "flat"], {})
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    constants = {"w": ones(4, K), "b": ones(4), "image": np.array([-1, 1, 2, 2]), "flat": np.array([-1, 16]),
                 "scales": np.array([1, 1, 2, 2], np.float32), "sizes": np.array([1, 1, 4, 4])}  # fmt: skip
    rows = np.full((1, K), U, np.float32)
    linear: Node = ("Resize", ["Reshape1", "", "scales"], {"mode": "linear"})
    return [
        WorstCase("Resize", [*start, ("Resize", ["Reshape1", "", "scales"], nearest), end], constants, rows, 16),
        WorstCase("Resize, linear", [*start, linear, end], constants, rows, 16, least=0.4),
    ]


OPERATOR = OperatorRule(
    "Resize",
    "e, moved alike; linear: the same mean of e + (8 d u (1 + size) + gamma_12) (abs(x') + 2e), the largest nearby",
    resize,
    worst_cases,
    no_aten="torch's upsample operators compute the places themselves, which nothing compares",
)
