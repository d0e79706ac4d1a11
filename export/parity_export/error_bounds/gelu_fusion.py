"""Written-out Gelus: onnxruntime takes them for one operator and computes with its own constants.

It compares the constants to 1e-5, and looks through what changes nothing. So every value is written as a polynomial of
what it is computed from, and a Gelu is found however its factors are ordered:

    x (1 + erf(x / sqrt 2)) / 2        x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

With float32's nearest constants it has the error bound of both: as it is written, and as the one operator.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

_EXACTLY = 1e-6
"""How far a constant may be from a Gelu's so that its error bound can say so: more than float32's nearest is."""

_WHY = "it ends a written-out Gelu, which onnxruntime may compute with its own constants; use torch.nn.GELU"

_MOST_TERMS, _HIGHEST_DEGREE = 64, 8
_KEEPING = moving("keeps")
_MAYBE_KEEPING = moving("selects", "joins") | {"Clip"}
_SCALE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


@dataclass(frozen=True)
class WrittenGelu:
    """A value that is a Gelu by its terms.

    Attributes:
        by_tanh: whether it is the one by a Tanh.
        arguments: values of its shape that are x.
        factor: how far a constant of the argument of Erf or Tanh is from the Gelu's, relatively.
    """

    by_tanh: bool
    arguments: tuple[ir.Value, ...]
    factor: float

    def difference(self) -> float:
        """Return how far the function of the graph's constants is from the Gelu, at most.

        A factor 1 + h in the argument of Erf changes x / 2 (1 + erf(t)), t = x / sqrt 2, by at most |x| / 2 times h |t|
        times the slope 2 / sqrt(pi) e^(-t^2): sqrt(2 / pi) h t^2 e^(-t^2) <= 0.294 h. In that of Tanh, where |x| is at
        most sqrt(pi / 2) times the argument's |A|, by 0.627 h A^2 / cosh(A)^2 <= 0.276 h. h is at most 1e-6: a fiftieth
        pays for what is of second order.
        """
        return 0.3 * self.factor


class WrittenGelus:
    """Finds them among nodes that it is given in the graph's order.

    Args:
        builder: knows the graph's constants.
    """

    def __init__(self, builder: BoundBuilder) -> None:
        self._algebra = _Algebra(builder)

    def find(self, node: ir.Node) -> WrittenGelu | None:
        """Return what a node's result is, if that is a Gelu; None where the node only hands one on.

        Raises:
            CannotCertifyError: it is one with constants that are not float32's nearest, or nearly.
        """
        value = self._algebra.add(node)
        if self._algebra.hands_on(node, value):
            return None
        for atom, (operator, argument) in self._algebra.functions.items():
            if _is_gelu(value, atom, operator, argument):
                return self._exactly(node, value, atom, (operator, argument))
        return None

    def _exactly(self, node: ir.Node, value: Polynomial, atom: int, function: tuple[str, Polynomial]) -> WrittenGelu:
        operator, argument = function
        x, times = _parts(value, atom)
        wanted = _of_gelu(operator, x)
        factor = min(_farthest(argument, wanted), _farthest(argument, _negative(wanted))) if wanted else np.inf
        result = node.outputs[0]
        arguments = tuple(one for one in self._algebra.of(x) if one.shape is not None and one.shape == result.shape)
        if x not in (times, _negative(times)) or factor > _EXACTLY or not arguments:
            raise refusal(node, _WHY)
        return WrittenGelu(operator == "Tanh", arguments, factor)


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

    def hands_on(self, node: ir.Node, value: Polynomial) -> bool:
        """Whether an operand of a node is the same as its result."""
        return any(self._known.get(operand) == value for operand in node.inputs if operand is not None)

    def of(self, wanted: Polynomial) -> Iterator[ir.Value]:
        """Yield the values that are the same polynomial, copies among them: a backend may take any."""
        return (value for value, polynomial in self._known.items() if polynomial == wanted)

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
        if node.op_type == "Pow" and operands[1] in ({(): 2.0}, {(): 3.0}):
            square = _product(operands[0], operands[0])
            return square if operands[1][()] == 2 or square is None else _product(square, operands[0])
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
    x, same = _parts(value, atom)
    if not (_near(x, same) or _near(x, _negative(same))):
        return False
    wanted = _of_gelu(operator, x)
    return wanted is not None and (_near(argument, wanted) or _near(argument, _negative(wanted)))


def _parts(value: Polynomial, atom: int) -> tuple[Polynomial, Polynomial]:
    """Return twice what stands without an atom, and twice what that is multiplied by."""
    rest = {key: 2 * factor for key, factor in value.items() if atom not in key}
    return rest, {tuple(other for other in key if other != atom): 2 * factor
                  for key, factor in value.items() if atom in key}  # fmt: skip


def _of_gelu(operator: str, x: Polynomial) -> Polynomial | None:
    """Return what a Gelu takes the Erf or Tanh of."""
    return _product(x, {(): math.sqrt(0.5)}) if operator == "Erf" else _cubic(x)


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


def _farthest(first: Polynomial, second: Polynomial) -> float:
    """Return by how much a factor differs at most, relatively; infinite where the terms differ."""
    if first.keys() != second.keys():
        return math.inf
    return max((abs(factor / second[key] - 1) for key, factor in first.items()), default=0.0) + 1e-12
