"""Gemm: inner products with constant weights, and a bias."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.inner_products import (
    InnerProducts,
    attribute,
    back_of_matrix,
    inner_products,
    weight_constant,
)
from parity_export.error_bounds.operators.shared.worst_case_graphs import K, halves_lost, one_and_halves_lost, ones


def gemm(builder: BoundBuilder, node: ir.Node) -> Bound:
    """Y = A B + C with constant B and C: see `inner_products.inner_products`. alpha and beta must be 1."""
    if (attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0), attribute(node, "transA", 0)) != (1.0, 1.0, 0):
        raise refusal(node, "alpha and beta must be 1, and A not transposed")
    weight = weight_constant(builder, node, 1)
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else weight_constant(builder, node, 2)
    transposed = bool(attribute(node, "transB", 0))
    outputs = weight.shape[0 if transposed else 1]
    if bias is not None:
        if bias.shape not in ((), (1,), (outputs,), (1, 1), (1, outputs)):
            raise refusal(node, f"C has the shape {list(bias.shape)}, not one number for each output")
        bias = np.broadcast_to(bias.reshape(-1), outputs)
    summed = 1 if transposed else 0
    products = InnerProducts(weight, (summed,), bias, back=back_of_matrix(builder, node, weight, summed))
    return inner_products(
        builder, node, products, lambda a, b, c: builder.emit("Gemm", [a, b, c], {"transB": int(transposed)})
    )


def worst_cases() -> list[WorstCase]:
    """Return sums whose halves are lost, products that are flushed, and a weight that is."""
    flushed, tiny = np.full((K, 1), 2.0**-100, np.float32), np.full((1, 1), 0.99 * 2.0**-126, np.float32)
    rows = np.full((1, K), 0.99 * 2.0**-26, np.float32), np.full((1, 1), 2.0**20, np.float32)
    return [
        WorstCase(
            "Gemm", [("Gemm", ["features", "w", "b"], {"transB": 1})], {"w": ones(1, K), "b": ones(1)}, halves_lost()
        ),
        WorstCase("Gemm, no bias", [("Gemm", ["features", "w"], {})], {"w": ones(K, 1)}, one_and_halves_lost()),
        WorstCase(
            "Gemm, sums flushed",
            [("Gemm", ["features", "w", "b"], {})],
            {"w": flushed, "b": 0 * ones(1)},
            rows[0],
            overflows=False,
        ),
        WorstCase("Gemm, weight flushed", [("Gemm", ["features", "w"], {})], {"w": tiny}, rows[1], overflows=False),
    ]


OPERATOR = OperatorRule(
    "Gemm",
    "abs(W) e (1 + 2 gamma_n) + u S + (n - 1) u (S + abs(y')) / 2, S = abs(W) abs(x') + abs(b), n = k + 1, or k "
    "without b; in fast bounds of short sums gamma_n S for both",
    gemm,
    worst_cases,
    aten=(
        AtenOperator("addmm", lambda args: [args[1], args[2], args[0]], {"alpha": 1, "beta": 1}),  # (bias, x, W)
    ),
    operations=("product", "add"),
)
