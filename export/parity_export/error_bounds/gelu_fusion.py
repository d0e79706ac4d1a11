"""Written-out Gelus: onnxruntime takes them for one operator and computes with its own constants.

It compares the constants to 1e-5, and looks through what changes nothing. So every value is written as a polynomial of
what it is computed from, and a Gelu is found however its factors are ordered:

    x (1 + erf(x / sqrt 2)) / 2        x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.registry import moving

Polynomial = dict[tuple[int, ...], float]
"""The factor of each product of atoms; an atom is a number, the empty product stands for the constant."""

_NEARLY = 4e-3
"""How far a factor may be from a Gelu's and still be taken for one's: one constant of a Gelu may then be off by 1e-3, a
hundred times as far as onnxruntime allows, since a factor is a product of at most four of them."""

_WHY = "it ends a written-out Gelu, which onnxruntime may compute with its own constants; use torch.nn.GELU"

_MOST_TERMS, _HIGHEST_DEGREE = 64, 8
_KEEPING = moving("keeps")
_MAYBE_KEEPING = moving("selects", "joins") | {"Clip"}
_SCALE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def refuse_written_gelus(builder: BoundBuilder, nodes: Iterable[ir.Node]) -> None:
    """Refuse a graph in which a value is a written-out Gelu.

    Args:
        builder: knows the graph's constants.
        nodes: all that take part, in the graph's order.

    Raises:
        CannotCertifyError: a node's result is one.
    """
    algebra = _Algebra(builder)
    for node in nodes:
        value = algebra.add(node)
        if any(_is_gelu(value, atom, *function) for atom, function in algebra.functions.items()):
            raise refusal(
                node,
                "it ends a written-out Gelu, which onnxruntime may compute with its own constants; use torch.nn.GELU",
            )


class _Algebra:
    """Values as polynomials.

    Attributes:
        functions: of an atom that is an Erf or a Tanh: the operator and its argument.
    """

    def __init__(self, builder: BoundBuilder) -> None:
        self._scope = builder
        self._known: dict[ir.Value, Polynomial] = {}
        self._atoms: dict[bytes, int] = {}
        self.functions: dict[int, tuple[str, Polynomial]] = {}

    def add(self, node: ir.Node) -> Polynomial:
        """Return a node's result, and keep it."""
        operands = [self._of(value) for value in node.inputs if value is not None]
        value = self._computed(node, operands)
        if value is None or len(value) > _MOST_TERMS or max(map(len, value), default=0) > _HIGHEST_DEGREE:
            attributes = sorted((name, str(attribute.value)) for name, attribute in node.attributes.items())
            value = self._atom(repr((node.op_type, attributes, [sorted(operand.items()) for operand in operands])))
            if node.op_type in ("Erf", "Tanh"):
                self.functions[next(iter(value))[0]] = (node.op_type, operands[0])
        self._known[node.outputs[0]] = value
        return value

    def _of(self, value: ir.Value) -> Polynomial:
        if value not in self._known:
            constant = self._scope.constant(value, masks=True)
            if constant is None:
                self._known[value] = self._atom(f"input {value.name}")
            elif constant.dtype == np.float32 and np.isfinite(constant).all() and _repeated(constant):
                self._known[value] = _cleaned({(): float(constant.reshape(-1)[0])})
            else:
                digest = hashlib.sha256(np.ascontiguousarray(constant).data).hexdigest()
                self._known[value] = self._atom(f"constant {constant.shape} {digest}")
        return self._known[value]

    def _atom(self, text: str) -> Polynomial:
        key = hashlib.sha256(text.encode()).digest()
        return {(self._atoms.setdefault(key, len(self._atoms)),): 1.0}

    @staticmethod
    def _computed(node: ir.Node, operands: list[Polynomial]) -> Polynomial | None:
        """Return a sum, a difference, a product or a copy; None for anything else."""
        if node.op_type in _KEEPING or (node.op_type in _MAYBE_KEEPING and _keeps(node)):
            return operands[0]
        if node.op_type == "Neg":
            return _product(operands[0], {(): -1.0})
        if node.op_type == "Div" and len(operands[1]) == 1 and () in operands[1]:
            return _product(operands[0], {(): 1 / operands[1][()]})
        compute = _ARITHMETIC.get(node.op_type)
        return None if compute is None else compute(*operands)


def _keeps(node: ir.Node) -> bool:
    """Whether an operator that may take elements away, or clip them, does nothing here."""
    given, result = node.inputs[0], node.outputs[0]
    if node.op_type in ("Concat", "Clip"):
        return all(value is None for value in node.inputs[1:])
    return given is not None and given.shape is not None and given.shape == result.shape


def _repeated(array: NDArray[np.generic]) -> bool:
    """Whether an array holds one number alone."""
    return bool(array.size and (array == array.reshape(-1)[0]).all())


def _sum(first: Polynomial, second: Polynomial) -> Polynomial:
    return _cleaned({key: first.get(key, 0.0) + second.get(key, 0.0) for key in first | second})


def _product(first: Polynomial, second: Polynomial) -> Polynomial | None:
    if len(first) * len(second) > _MOST_TERMS:
        return None
    found: Polynomial = {}
    for (one, factor), (other, second_factor) in product(first.items(), second.items()):
        key = tuple(sorted(one + other))
        found[key] = found.get(key, 0.0) + factor * second_factor
    return _cleaned(found)


def _difference(first: Polynomial, second: Polynomial) -> Polynomial:
    return _sum(first, {key: -factor for key, factor in second.items()})


def _cleaned(value: Polynomial) -> Polynomial:
    return {key: factor for key, factor in value.items() if factor != 0}


_ARITHMETIC: dict[str, Callable[[Polynomial, Polynomial], Polynomial | None]] = {
    "Add": _sum,
    "Sub": _difference,
    "Mul": _product,
}


def _is_gelu(value: Polynomial, atom: int, operator: str, argument: Polynomial) -> bool:
    """Whether a value is x/2 + x/2 f, with f an Erf or a Tanh of what a Gelu takes of that x; either sign of f."""
    if not any(atom in key for key in value):
        return False
    rest = {key: factor for key, factor in value.items() if atom not in key}
    times = {tuple(other for other in key if other != atom): factor for key, factor in value.items() if atom in key}
    x: Polynomial = {key: 2 * factor for key, factor in rest.items()}
    same = {key: 2 * factor for key, factor in times.items()}
    if not (_near(x, same) or _near(x, _negative(same))):
        return False
    wanted = _product(x, {(): math.sqrt(0.5)}) if operator == "Erf" else _cubic(x)
    return wanted is not None and (_near(argument, wanted) or _near(argument, _negative(wanted)))


def _cubic(x: Polynomial) -> Polynomial | None:
    """Return sqrt(2 / pi) (x + 0.044715 x^3)."""
    square = _product(x, x)
    cube = None if square is None else _product(square, x)
    return (
        None
        if cube is None
        else _product(_sum(x, {key: _CUBIC * factor for key, factor in cube.items()}), {(): _SCALE})
    )


def _negative(value: Polynomial) -> Polynomial:
    return {key: -factor for key, factor in value.items()}


def _near(first: Polynomial, second: Polynomial) -> bool:
    """Whether two polynomials have the same terms, each factor within `_NEARLY` of the other's."""
    return first.keys() == second.keys() and all(
        abs(factor - second[key]) <= _NEARLY * abs(factor) for key, factor in first.items()
    )
