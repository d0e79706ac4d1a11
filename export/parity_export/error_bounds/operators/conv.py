"""Conv: inner products with constant filters, and a bias."""

import math
from functools import partial

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.convolution_norm import convolution_norms
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import (
    Back,
    InnerProducts,
    attribute,
    inner_products,
    weight_constant,
)
from parity_export.error_bounds.operators.shared.worst_case_graphs import ones
from parity_export.error_bounds.rounding_model import U


def conv(builder: BoundBuilder, node: ir.Node) -> Bound:
    """The convolution of X with W, plus B, both constant: see `inner_products.inner_products`.

    Padding adds zeros, exactly.
    """
    weight = weight_constant(builder, node, 1)
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else weight_constant(builder, node, 2)
    summed, back = tuple(range(1, weight.ndim)), _back(builder, node, weight)
    products = InnerProducts(weight, summed, bias, norms=partial(_norms, node), back=back)
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Conv", [a, b, c], dict(node.attributes))
    )  # fmt: skip


def _back(builder: BoundBuilder, node: ir.Node, weight: NDArray[np.float32]) -> Back | None:
    """Return the convolution, the other way round: a transposed one with the same filters, of each seed's adjoints."""
    before, after, filters = builder.operand(node).shape, node.outputs[0].shape, node.inputs[1]
    ones = (1,) * (weight.ndim - 2)
    if before is None or after is None or filters is None or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    places, results = ([size for size in shape[2:] if isinstance(size, int)] for shape in (before, after))
    if min(len(places), len(results)) < len(ones) or not isinstance(before[1], int):
        return None
    strides, dilations = (tuple(attribute(node, name, ones)) for name in ("strides", "dilations"))
    pads = tuple(attribute(node, "pads", (0,) * (2 * len(ones))))
    kernel = list(zip(weight.shape[2:], strides, dilations, strict=True))
    reached = [(result - 1) * stride + (size - 1) * dilation + 1
               for result, (size, stride, dilation) in zip(results, kernel, strict=True)]  # fmt: skip
    padded = [size + pads[axis] + pads[axis + len(ones)] for axis, size in enumerate(places)]
    rest = [whole - found for whole, found in zip(padded, reached, strict=True)]
    given = {"strides": strides, "dilations": dilations, "pads": pads, "group": attribute(node, "group", 1)}
    taps = math.prod(math.ceil(size / stride) if dilation == 1 else size for size, stride, dilation in kernel)

    def apply(adjoint: ir.Value) -> ir.Value:
        rows = builder.emit("Reshape", [adjoint, builder.initializer(np.array([-1, *after[1:]]))])
        moved = builder.emit("ConvTranspose", [rows, filters], given | {"output_padding": rest})
        return builder.emit("Reshape", [moved, builder.initializer(np.array([-1, builder.seeds, *before[1:]]))])

    return Back(apply, weight.shape[0] // given["group"] * taps)


def _norms(node: ir.Node, weight: NDArray[np.float64], magnitudes: NDArray[np.float64]) -> tuple[float, float]:
    """Return bounds of the spectral norms of the convolution of a whole image, and of that with the magnitudes."""
    ones = (1,) * (weight.ndim - 2)
    strides, dilations = (tuple(attribute(node, name, ones)) for name in ("strides", "dilations"))
    groups = attribute(node, "group", 1)
    found = convolution_norms(weight, strides, dilations, groups)
    return found.signed, convolution_norms(magnitudes, strides, dilations, groups).absolute


def worst_cases() -> list[WorstCase]:
    """Return sums whose halves are lost."""
    constants = {"w": ones(1, 4, 3, 3), "b": ones(1), "shape": np.array([0, 1])}
    rows = np.full((1, 4, 3, 3), U, np.float32)
    nodes: list[Node] = [("Conv", ["features", "w", "b"], {}), ("Reshape", ["Conv0", "shape"], {})]
    return [WorstCase("Conv", nodes, constants, rows)]


OPERATOR = OperatorRule("Conv", "as Gemm, n = k + 1, or k without a bias", conv, worst_cases, aten=aten("convolution"))
