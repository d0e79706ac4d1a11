"""Exp: e^x."""

import math
from functools import partial

import onnx_ir as ir
import torch

from parity_export.error_bounds.adjoints.near import Factors
from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, one_node
from parity_export.error_bounds.operator_rule import OperatorRule, WorstCase
from parity_export.error_bounds.operators.shared.elementary import ended, evaluated
from parity_export.error_bounds.operators.shared.several_operands import record_operands
from parity_export.error_bounds.operators.shared.worst_case_graphs import at_its_steepest, over_a_range
from parity_export.error_bounds.rounding_model import FLUSH, UNIT, U

EXP = Elementary("Exp", torch.exp, torch.exp, one_node("Exp"), math.inf)


def exp(builder: BoundBuilder, node: ir.Node) -> Bound:
    """V = e^x: L = e^x' e^(2e), because every x lies in [x' - 2e, x' + 2e].

    |e^x~ - e^x| <= e^(x' + 2e) |x~ - x|, and e^x' <= (f' + beta + 2^-126) / (1 - alpha), f' the computed result. The
    graph computes e^(2e) by its own Exp, within the same alpha, of 2e enlarged: of a large e it is infinite.
    """
    known, f = EXP.accuracy(), node.outputs[0]
    total, scale = builder.tensor(builder.operand(node))
    reach = builder.emit("Mul", [total, builder.number(2 * UNIT * scale * (1 + 16 * U))])
    growth = builder.emit("Exp", [reach])
    largest = builder.emit("Add", [f, builder.number(known.beta + 4 * FLUSH)])
    total = builder.emit("Mul", [builder.emit("Mul", [largest, growth]), total])
    scale *= (1 + 2 * known.alpha) * (1 + 2 * known.alpha) * (1 + 16 * U)
    result = evaluated(EXP, ended(builder, f, total), scale, ends=True)
    own = evaluated(EXP, None, 1.0, ends=True)
    record_operands(builder, node, own, result, [(builder.operand(node), partial(_slopes, builder, f))])
    return result


def _slopes(builder: BoundBuilder, f: ir.Value) -> Factors:
    """Return e^x between x and x~, which lies within 2e_f of f'."""
    off = builder.absolute(f, 2.0)
    return Factors(f, off, builder.emit("Add", [f, off]))


def worst_cases() -> list[WorstCase]:
    """Return the function over a range, and behind a sum."""
    return [over_a_range("Exp", [("Exp", ["features"], {})]), at_its_steepest("Exp", 3.0)]


OPERATOR = OperatorRule(
    "Exp",
    "L e + alpha abs(f') + beta, L = f' e^(2e)",
    exp,
    worst_cases,
    aten=aten("exp"),
    never_negative=True,
    functions=(EXP,),
)
