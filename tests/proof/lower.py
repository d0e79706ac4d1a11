"""Evaluations in a lower precision, node by node: as hardware rounds, and as badly as proof.md lets them.

Shares no code with the product: what rounds where is said here once more.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

from tests.proof.arithmetic import Array, Compliant
from tests.proof.evaluator import OPERATORS, _argument_of_silu

UNITS = {"float16": (2.0**-11, 2.0**-25), "bfloat16": (2.0**-8, 2.0**-126), "tf32": (2.0**-10, 2.0**-126)}
TYPES: dict[str, Any] = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
PRODUCTS = {"Gemm", "MatMul", "Conv", "ConvTranspose"}
KEEPING = {
    "Abs", "Clip", "Concat", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity", "Max", "MaxPool", "Min", "Neg",
    "Pad", "ReduceMax", "Relu", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Trilu", "Unsqueeze",
    "Where",
}  # fmt: skip
"""Operators whose results are numbers that they were given."""

OF_SCALARS = {"Mul", "Div", "Add", "Sub", "Clip", "Max", "Min", "Where", "Pad"}
"""Operators that may take a number of Python's."""


@dataclass
class Truncating(Compliant):
    """Adds products as a tensor core does that cuts off every sum after 24 bits, or after two more."""

    bits: int = 24

    def dot(self, x: Array, weight: Array, bias: Array | None) -> Array:
        total = np.zeros((*x.shape[:-1], weight.shape[-1]))
        parts = list(weight) if weight.ndim == 2 else np.split(weight, weight.shape[-2], axis=-2)
        for index, part in enumerate(parts):
            total = self._cut(total + x[..., index, None].astype(np.float64) * part)
        return np.asarray(self._cut(total if bias is None else total + bias), np.float32)

    def _cut(self, array: Array) -> Array:
        part, exponent = np.frexp(array)
        return np.ldexp(np.trunc(np.ldexp(part, self.bits)), exponent - self.bits)


@dataclass
class Lower:
    """An evaluation in a lower precision.

    Attributes:
        precision: its name.
        how: results (of tf32, the factors of products) are rounded: ``nearest``, or by all that they may be, ``up``,
            ``down``, ``out`` (away from zero), ``in``, with ``random`` signs, or only some of them, ``now and then``.
        arithmetic: that of float32.
        products: that of sums of products.
        apart: whether a bias is added to a sum that was rounded, and SiLU computed by its sigmoid.
        scalars: whether constants of one number are left as they are.
    """

    precision: str
    how: str = "nearest"
    arithmetic: Compliant = field(default_factory=Compliant)
    products: Compliant = field(default_factory=Compliant)
    apart: bool = True
    scalars: bool = False
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def rounded(self, x: Array) -> Array:
        """Round numbers, by no more than the precision allows."""
        unit, tiny = UNITS[self.precision]
        if self.how == "nearest" or x.dtype != np.float32:
            return self.to_nearest(x)
        size = np.abs(x.astype(np.float64))
        most = (unit * size + np.minimum(tiny, size)) * (1 - 2.0**-12)  # to nearest: nothing errs by more than itself
        signs: dict[str, Any] = {"up": 1, "down": -1, "out": np.sign(x), "in": -np.sign(x)}
        share = signs.get(self.how)
        if share is None:
            share = self.random.choice([-1, 1] if self.how == "random" else [-1, 0, 0, 1], x.shape)
        return np.where(np.isinf(x), x, x + share * most).astype(np.float32)

    def to_nearest(self, x: Array) -> Array:
        if x.dtype != np.float32:
            return x
        if self.precision in TYPES:
            with np.errstate(over="ignore"):
                return x.astype(TYPES[self.precision]).astype(np.float32)
        bits = np.ascontiguousarray(x).view(np.int32)
        return ((bits + 0x1000 * (self.scalars is False)) & ~0x1FFF).view(np.float32)  # or cut off

    def evaluate(self, graph: bytes, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return a graph's values by name."""
        model = onnx.load_from_string(graph).graph
        stored = self.precision in TYPES
        values: dict[str, Any] = {"": None}
        constants = {one.name: numpy_helper.to_array(one) for one in model.initializer}
        values |= {name: self.to_nearest(array) if stored else array for name, array in constants.items()}
        left = {name: array for name, array in constants.items() if array.size == 1 and self.scalars}
        values |= {name: self.to_nearest(array) if stored else array for name, array in inputs.items()}
        with np.errstate(all="ignore"):
            for node in model.node:
                found = self._node(model, node, values | left if node.op_type in OF_SCALARS else values)
                if stored and node.op_type not in KEEPING:
                    found = [self.rounded(array) for array in found]
                values |= zip(node.output, found, strict=True)
        return values

    def _node(self, model: onnx.GraphProto, node: onnx.NodeProto, values: dict[str, Any]) -> list[Array]:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        taken = [values[name] for name in node.input]
        if node.op_type == "Mul" and not self.apart and (x := _argument_of_silu(model, node)) is not None:
            return [self.arithmetic.function("Silu", values[x])]
        if node.op_type == "Mul" and self.precision in TYPES and (x := _argument_of_silu(model, node)) is not None:
            nearly = self.arithmetic.function("Silu", values[x]).astype(np.float64) / values[x]  # x s0 within its row
            sigmoid = self.rounded(np.where(values[x] == 0, 0.5, nearly).astype(np.float32))
            return [OPERATORS["Mul"](self.arithmetic, [values[x], sigmoid], {})]
        compute = OPERATORS[node.op_type]
        if node.op_type not in PRODUCTS:
            found = compute(self.arithmetic, taken, attributes)
            return list(found) if node.op_type == "Split" else [found]
        if self.precision not in TYPES:
            taken[:2] = [self.rounded(array) for array in taken[:2]]
            return [compute(self.products, taken, attributes)]
        if len(taken) < 3 or not self.apart:
            return [compute(self.products, taken, attributes)]
        bias = taken[2].reshape(-1, *[1] * (0 if node.op_type == "Gemm" else taken[0].ndim - 2))
        return [self.rounded(compute(self.products, taken[:2], attributes)) + bias]


HOW = ("nearest", "up", "down", "out", "in", "random", "now and then")


def evaluations(precision: str) -> list[Lower]:
    """Return evaluations of many kinds."""
    plain = [Lower(precision, how) for how in HOW]
    functions = [Compliant("random", flush=True, error=1.0), Compliant("adversarial +1", error=-1.0)]
    return [
        *plain,
        *(replace(one, arithmetic=functions[0], products=Truncating(), scalars=True) for one in plain[:3]),
        *(replace(one, arithmetic=functions[1], products=functions[1], apart=False) for one in plain[3:]),
    ]
