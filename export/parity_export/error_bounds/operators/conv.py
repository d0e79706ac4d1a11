"""Conv: inner products with constant filters, and a bias."""

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
    products = InnerProducts(weight, tuple(range(1, weight.ndim)), bias, norms=partial(_norms, node))
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Conv", [a, b, c], dict(node.attributes))
    )  # fmt: skip


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


OPERATOR = OperatorRule(
    "Conv", "inner product, n = k + 1, or k without a bias", conv, worst_cases, aten=aten("convolution")
)
