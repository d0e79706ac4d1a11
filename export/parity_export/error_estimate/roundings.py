"""What one operator rounds, of values that are known in float64: at random, at worst, and what a function errs by.

n roundings of independent errors of mean zero make no more than lambda sqrt(n) u S of a sum of terms whose magnitudes
add up to S (Higham and Mary, SIAM J. Sci. Comput. 41, 2019, theorem 2.4), in the place of n u S, which is the worst.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from parity_export.error_bounds.elementary_functions import accuracy
from parity_export.error_bounds.registry import OPERATORS
from parity_export.onnx_module.step import Step
from parity_export.onnx_module.values import Value
from parity_runtime import InputError


@dataclass(frozen=True)
class Rounded:
    """What a result errs by.

    Attributes:
        random: sqrt(n) S, in u, of its shape; None of an operator that rounds nothing.
        count: n; at worst it is sqrt(n) times as much.
        full: what a function errs by at most, which is no rounding, of its shape and in its unit; None of others.
    """

    random: Tensor | None = None
    count: int = 1
    full: Tensor | None = None

    @classmethod
    def of_sum(cls, size: Tensor, count: int) -> "Rounded":
        """Return what so many roundings make of terms whose magnitudes add up to a size."""
        return cls(size * math.sqrt(count), count)


Given = Sequence[Value]
Rule = Callable[[Step, Given, Tensor], Rounded]
"""Of a node, its operands and its result."""

EXACT = frozenset({
    "Abs", "Cast", "Clip", "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Dropout", "Expand",
    "Flatten", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "LabelEncoder", "Max", "MaxPool",
    "Min", "Neg", "OneHot", "Pad", "Range", "ReduceMax", "ReduceMin", "Relu", "Reshape", "ScatterElements", "ScatterND",
    "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators that take, move or compare numbers."""

FUNCTIONS = frozenset(name for name, rule in OPERATORS.items() if [one.name for one in rule.functions] == [name])
"""Operators that are a function of the table of docs/explanation/proof.md, by its name there."""

_OPERATIONS = {"Add": 1, "Sub": 1, "Mul": 1, "Div": 2, "Reciprocal": 1, "LeakyRelu": 1, "PRelu": 1, "Softsign": 3}
"""Roundings of an element."""

_POWERS = (2.0, 3.0)
_SUMS = frozenset({"ReduceSum", "ReduceMean", "AveragePool", "GlobalAveragePool", "CumSum", "Sum", "Mean"})


def roundings(step: Step, given: Given, result: Tensor) -> Rounded:
    """Return what a node's first result errs by of its own.

    Args:
        step: the node.
        given: its operands, in float64.
        result: in float64.

    Raises:
        InputError: nothing is known of the operator.
    """
    operator = step.operator
    if operator in EXACT or not result.is_floating_point():
        return Rounded()
    if operator in FUNCTIONS:
        return Rounded(full=_of_function(operator, result))
    if operator in _OPERATIONS:
        return Rounded.of_sum(result.abs(), _OPERATIONS[operator])
    rule = _RULES.get(operator)
    if rule is None:
        raise refusal(step, "nothing is known about what it rounds")
    return rule(step, given, result)


def refusal(step: Step, reason: str) -> InputError:
    """Return the error of a node without an estimate."""
    return InputError(f"cannot estimate: operator {step.operator} at node {step.name} ({reason})")


def _of_function(name: str, result: Tensor) -> Tensor:
    known = accuracy(name)
    return known.alpha * result.abs() + known.beta


def _magnitudes(step: Step, given: Given) -> Tensor:
    """Return S: the operator of all magnitudes."""
    sizes = [one.abs() if isinstance(one, Tensor) and one.is_floating_point() else one for one in given]
    found: Tensor = step(sizes, double=True)[0]
    return found.abs()


def _products(step: Step, given: Given, _: Tensor) -> Rounded:
    biased = len(given) > 2 and given[2] is not None
    return Rounded.of_sum(_magnitudes(step, given), _terms(step, given) + biased)


def _terms(step: Step, given: Given) -> int:
    x, weight = given[0], given[1]
    if step.operator == "MatMul":
        return int(x.shape[-1])
    if step.operator == "Gemm":
        across = any(one.name == "transA" and one.i for one in step.node.attribute)
        return int(x.shape[0 if across else 1])
    if step.operator == "ConvTranspose":  # of those that a stride leaves out none is taken away
        return int(weight.shape[0] * math.prod(weight.shape[2:]))
    return math.prod(weight.shape[1:])


def _sums(step: Step, given: Given, result: Tensor) -> Rounded:
    x = given[0]
    count = max(x.numel() // max(result.numel(), 1), len(given))
    if step.operator == "CumSum":
        count = max(x.shape)
    if step.operator == "AveragePool":
        count = math.prod(next(one.ints for one in step.node.attribute if one.name == "kernel_shape"))
    return Rounded.of_sum(_magnitudes(step, given), count + 1)


def _batch_normalization(step: Step, given: Given, _: Tensor) -> Rounded:
    x, scale, shift, mean, variance = given[:5]
    epsilon = _number(step, "epsilon", 1e-5)
    sizes = [1, -1, *[1] * (x.ndim - 2)]
    factor = (scale.abs() / torch.sqrt(variance + epsilon)).reshape(sizes)
    size = factor * (x.abs() + mean.abs().reshape(sizes)) + shift.abs().reshape(sizes)
    return Rounded.of_sum(size, _BATCH_NORMALIZATION)


_BATCH_NORMALIZATION = 11


def _normalization(step: Step, given: Given, result: Tensor) -> Rounded:
    """Return what a mean and a variance by one pass, a root and two products round; proof.md, normalization."""
    x, scale = given[0], given[1]
    shift = given[2] if len(given) > 2 and given[2] is not None else torch.zeros((), dtype=torch.float64)
    if step.operator == "InstanceNormalization":
        axes = tuple(range(2, x.ndim))
        scale, shift = (one.reshape(1, -1, *[1] * (x.ndim - 2)) for one in (scale, shift))
    else:
        first = int(next((one.i for one in step.node.attribute if one.name == "axis"), -1))
        axes = tuple(range(first % x.ndim, x.ndim))
    count = math.prod(x.shape[axis] for axis in axes)
    mean = x.mean(axes, keepdim=True)
    variance = ((x - mean) ** 2).mean(axes, keepdim=True) + _number(step, "epsilon", 1e-5)
    share = math.sqrt(count) * ((x**2).mean(axes, keepdim=True) + mean**2) / variance
    centred = scale.abs() / variance.sqrt() * (x - mean).abs()
    of_mean = scale.abs() / variance.sqrt() * math.sqrt(count) * x.abs().mean(axes, keepdim=True)
    return Rounded(torch.sqrt((centred * (share / 2 + 4)) ** 2 + of_mean**2 + shift**2 + 0 * result), 2 * count + 8)


def _softmax(step: Step, given: Given, result: Tensor) -> Rounded:
    """Return what differences, a sum and a quotient round, and what the exponentials err by."""
    axis = int(next((one.i for one in step.node.attribute if one.name == "axis"), -1))
    x, count = given[0], result.shape[axis]
    depth = torch.where(result > 0, (x.amax(axis, keepdim=True) - x).abs(), 0.0)
    own = depth**2 + ((result * depth) ** 2).sum(axis, keepdim=True) + count + 1
    return Rounded(result * torch.sqrt(own), 2 * count + 3, 2 * accuracy("Exp").alpha * result)


def _gelu(step: Step, _: Given, result: Tensor) -> Rounded:
    by_tanh = any(one.name == "approximate" and one.s == b"tanh" for one in step.node.attribute)
    return Rounded(full=_of_function("GeluTanh" if by_tanh else "Gelu", result))


def _power(step: Step, given: Given, result: Tensor) -> Rounded:
    exponent = given[1]
    if exponent.numel() == 1 and float(exponent) in _POWERS:
        return Rounded.of_sum(result.abs(), 2)
    if exponent.numel() == 1 and float(exponent) == 1 / 2:
        return Rounded(full=_of_function("Sqrt", result))
    raise refusal(step, "its power is not 2, 3 or 1/2")


def _resize(step: Step, given: Given, _: Tensor) -> Rounded:
    return Rounded.of_sum(_magnitudes(step, given), 12)


def _number(step: Step, name: str, default: float) -> float:
    return next((float(one.f) for one in step.node.attribute if one.name == name), default)


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Gemm", "MatMul", "Conv", "ConvTranspose"), _products),
    **dict.fromkeys(_SUMS, _sums),
    **dict.fromkeys(("LayerNormalization", "InstanceNormalization"), _normalization),
    "BatchNormalization": _batch_normalization,
    "Gelu": _gelu,
    "Pow": _power,
    "Resize": _resize,
    "Softmax": _softmax,
}


def known_operators() -> frozenset[str]:
    """Return the operators of floats that an estimate is made of."""
    return EXACT | FUNCTIONS | _OPERATIONS.keys() | _RULES.keys()
