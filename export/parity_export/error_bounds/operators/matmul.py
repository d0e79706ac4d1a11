"""MatMul: inner products with a constant matrix, whose scalar factors may be fused behind the sum."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import InnerProducts, inner_products, weight_constant
from parity_export.error_bounds.operators.shared.worst_case_graphs import K, one_and_halves_lost, ones


def matmul(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = A B with a constant matrix B: see `inner_products.inner_products`.

    A backend may fuse scalar factors of A into the sum (onnxruntime's FusedMatMul): it sums A B and multiplies by their
    product f at the end. That rounds each term once more for each factor, twice for a reciprocal; multiplies what was
    flushed by f; and the sum without f must not overflow, which the bound of 2n sum |f A B| shows where n |f| >= 1.
    """
    weight = weight_constant(builder, node, 1)
    if weight.ndim != 2:
        raise refusal(node, "its second factor must be a matrix")
    factor = builder.bound(builder.operand(node)).factor
    products = InnerProducts(weight, (0,), None, extra=1 + factor.roundings, amplified=factor.high)
    if products.terms * factor.low < 1:
        raise refusal(node, f"the factor {factor.low:g} before it: fused, the sum may overflow before it is multiplied")
    bound = inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Add", [builder.emit("MatMul", [a, b]), c])
    )  # fmt: skip
    folding = bound.folding and replace(bound.folding, alpha=(factor.low, factor.high))
    return replace(bound, folding=folding)


def worst_cases() -> list[WorstCase]:
    """Return a sum whose halves are lost."""
    return [WorstCase("MatMul", [("MatMul", ["features", "w"], {})], {"w": ones(K, 1)}, one_and_halves_lost())]


OPERATOR = OperatorRule(
    "MatMul",
    "inner product, n = k + 1, and one more for each scalar factor before it, two for a divisor",
    matmul,
    worst_cases,
    aten=aten("mm"),
    operations=("product",),
)
