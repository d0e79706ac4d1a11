"""LeakyRelu: x, or a x where x is negative, a an attribute."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.aten_operator import AtenOperator, Operand, tensors
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.leaky import leaky
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, narrow

_SLOPE = 0.01
"""Where none is given, in torch and in ONNX."""


def leaky_relu(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = x, or alpha x below zero: see `leaky.leaky`."""
    return leaky(builder, node, np.asarray(node.attributes["alpha"].value if "alpha" in node.attributes else _SLOPE))


def _operands(args: Sequence[Any]) -> list[Operand]:
    """Return x and the slope."""
    return [*tensors(args), args[1] if len(args) > 1 else _SLOPE]


def worst_cases() -> list[WorstCase]:
    """Return products just above a power of two, and a Gemm's error, which must pass."""
    product = WorstCase("LeakyRelu", [("LeakyRelu", ["features"], {"alpha": 0.26})], {}, -narrow())
    return [product, at_its_steepest("LeakyRelu", 1.0)]


OPERATOR = OperatorRule(
    "LeakyRelu",
    "max(1, abs(a)) e, rounded once",
    leaky_relu,
    worst_cases,
    aten=(AtenOperator("leaky_relu", _operands),),
    attribute_operands={"alpha": _SLOPE},
)
