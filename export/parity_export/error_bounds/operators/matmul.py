"""MatMul: inner products with a constant or a computed matrix, whose scalar factors may be fused behind the sum."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import Node, OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.bilinear import bilinear, check_factor
from parity_export.error_bounds.operators.shared.inner_products import (
    InnerProducts,
    back_of_matrix,
    inner_products,
    weight_constant,
)
from parity_export.error_bounds.operators.shared.worst_case_graphs import INTEGERS, K, one_and_halves_lost, ones


def matmul(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = A B with a constant matrix B: see `inner_products.inner_products`.

    A backend may fuse scalar factors of A into the sum (onnxruntime's FusedMatMul): it sums A B and multiplies by their
    product f at the end. That rounds each term once more for each factor, twice for a reciprocal; multiplies what was
    flushed by f; and the sum without f must not overflow, which the bound of 2n sum |f A B| shows where n |f| >= 1.

    With a computed B, or several constant ones: see `bilinear.bilinear`.
    """
    constant = builder.constant(node.inputs[1])
    if constant is None or constant.ndim != 2 or builder.constant(node.inputs[0]) is not None:
        return bilinear(builder, node)
    weight = weight_constant(builder, node, 1)
    factor = builder.bound(builder.operand(node)).factor
    back = back_of_matrix(builder, node, weight, 0)
    products = InnerProducts(weight, (0,), None, extra=1 + factor.roundings, amplified=factor.high, back=back)
    check_factor(node, factor, products.terms)
    bound = inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Add", [builder.emit("MatMul", [a, b]), c])
    )  # fmt: skip
    folding = bound.folding and replace(bound.folding, alpha=(factor.low, factor.high))
    return replace(bound, folding=folding)


def worst_cases() -> list[WorstCase]:
    """Return sums whose halves are lost: with a constant matrix, of two computed ones, and of what has an error."""
    parts = dict(INTEGERS) | {"halves": np.array([1, -1, 1, K]), "flat": np.array([-1, 1]), "w": ones(K, 1)}
    rows = np.concatenate([one_and_halves_lost(), ones(1, K)], axis=1)
    split: list[Node] = [
        ("Slice", ["features", "0", "64", "1"], {}),
        ("Slice", ["features", "64", "128", "1"], {}),
        ("Unsqueeze", ["Slice0", "1"], {}),
        ("Unsqueeze", ["Slice1", "2"], {}),
    ]
    both: list[Node] = [*split, ("MatMul", ["Unsqueeze2", "Unsqueeze3"], {}), ("Reshape", ["MatMul4", "flat"], {})]
    parts |= {str(number): np.array([number]) for number in (64, 128)}
    behind: list[Node] = [
        ("MatMul", ["features", "square"], {}),
        ("Unsqueeze", ["MatMul0", "1"], {}),
        ("Unsqueeze", ["features", "2"], {}),
        ("MatMul", ["Unsqueeze1", "Unsqueeze2"], {}),
        ("Reshape", ["MatMul3", "flat"], {}),
    ]
    first_only = ones(K, K) * np.float32(2.0**-12)
    return [
        WorstCase("MatMul", [("MatMul", ["features", "w"], {})], {"w": ones(K, 1)}, one_and_halves_lost()),
        WorstCase("MatMul of two computed", both, parts, rows),
        WorstCase("MatMul of a sum", behind, parts | {"square": first_only}, one_and_halves_lost(), least=0.4),
    ]


OPERATOR = OperatorRule(
    "MatMul",
    "as Gemm, n = k + 1, and one more for each scalar factor before it, two for a divisor; of two computed "
    "e_A (abs(B') + 2e_B) + (abs(A') + e_A) e_B + gamma_n (abs(A') + 2e_A) (abs(B') + 2e_B)",
    matmul,
    worst_cases,
    aten=aten("mm", "bmm"),
    operations=("product",),
)
