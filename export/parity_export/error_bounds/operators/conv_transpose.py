"""ConvTranspose: inner products with constant filters, of which each place takes those that reach it, and a bias."""

from math import prod

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import (
    InnerProducts,
    attribute,
    inner_products,
    weight_constant,
)
from parity_export.error_bounds.operators.shared.worst_case_graphs import ones
from parity_export.error_bounds.rounding_model import U


def conv_transpose(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Return the error bound of the transposed convolution of X with W, plus B: see `inner_products.inner_products`.

    W is [C, outputs / groups, kernel]. A place of the result takes, along each axis, every stride-th of the kernel's
    numbers: at most ceil(kernel / stride), and all of them where a dilation brings others there. In all it sums at most
    k products, C / groups times what comes of the axes.
    """
    weight, groups = weight_constant(builder, node, 1), int(attribute(node, "group", 1))
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else weight_constant(builder, node, 2)
    rank = weight.ndim - 2
    strides, dilations = (list(attribute(node, name, [1] * rank)) for name in ("strides", "dilations"))
    reaching = [-(-k // stride) if dilation == 1 else k
                for k, stride, dilation in zip(weight.shape[2:], strides, dilations, strict=True)]  # fmt: skip
    count = weight.shape[0] // groups * prod(reaching)
    axes = (0, *range(2, weight.ndim))
    products = InnerProducts(weight, axes, bias, count=count, groups=groups)
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("ConvTranspose", [a, b, c], dict(node.attributes))
    )


def worst_cases() -> list[WorstCase]:
    """Return sums whose halves are lost, where the kernel is as far as the stride, and where it overlaps."""
    constants = {"w": ones(16, 1, 2, 2), "b": ones(1), "flat": np.array([0, -1])}
    rows = np.full((1, 16, 2, 2), U, np.float32)
    cases = []
    for name, stride, outputs in (("ConvTranspose", 2, 16), ("ConvTranspose, overlapping", 1, 9)):
        nodes: list[Node] = [
            ("ConvTranspose", ["features", "w", "b"], {"strides": [stride, stride]}),
            ("Reshape", ["ConvTranspose0", "flat"], {}),
        ]
        cases.append(WorstCase(name, nodes, constants, rows, outputs))
    return cases


OPERATOR = OperatorRule(
    "ConvTranspose",
    "as Gemm, n = k + 1, k = C / groups times the product of ceil(kernel / stride)",
    conv_transpose,
    worst_cases,
    no_aten="torch runs convolution, which stands for Conv",
)
