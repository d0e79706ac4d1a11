"""Conv: inner products with constant filters, and a bias."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import InnerProducts, inner_products, weight_constant
from parity_export.error_bounds.operators.shared.worst_case_graphs import ones
from parity_export.error_bounds.rounding_model import U


def conv(builder: BoundBuilder, node: ir.Node) -> Bound:
    """The convolution of X with W, plus B, both constant: see `inner_products.inner_products`.

    Padding adds zeros, exactly.
    """
    weight = weight_constant(builder, node, 1)
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else weight_constant(builder, node, 2)
    products = InnerProducts(weight, tuple(range(1, weight.ndim)), bias)
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Conv", [a, b, c], dict(node.attributes))
    )  # fmt: skip


def worst_cases() -> list[WorstCase]:
    """Return sums whose halves are lost."""
    constants = {"w": ones(1, 4, 3, 3), "b": ones(1), "shape": np.array([0, 1])}
    rows = np.full((1, 4, 3, 3), U, np.float32)
    nodes: list[Node] = [("Conv", ["features", "w", "b"], {}), ("Reshape", ["Conv0", "shape"], {})]
    return [WorstCase("Conv", nodes, constants, rows)]


OPERATOR = OperatorRule(
    "Conv", "inner product, n = k + 1, or k without a bias", conv, worst_cases, aten=aten("convolution")
)
