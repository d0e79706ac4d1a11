"""A Gelu that is written out: the error bound of it as it is written, and of the one operator in its place."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.gelu_fusion import WrittenGelu
from parity_export.error_bounds.operators.gelu import GELU, GELU_BY_TANH
from parity_export.error_bounds.operators.shared.elementary import with_one_slope
from parity_export.error_bounds.rounding_model import UNIT, U


def bound_written(builder: BoundBuilder, result: ir.Value, gelu: WrittenGelu) -> None:
    """Let the error bound of a value that is a Gelu by its terms hold for a backend's Gelu as well.

    The exact value is f_c(x), f_c the function with the graph's constants. A backend that computes it as it is written
    stays within the error bound that the rules found, one with an operator of its own within that of Gelu and
    |f_c - f|: the larger of both holds for either. v' may be computed in one way and the other bound be told by its
    magnitude: 4u of what it is off by. A backward pass ends there, with all of that.
    """
    known = [_total(builder, result, builder.bound(result))]
    function = GELU_BY_TANH if gelu.by_tanh else GELU
    for x in gelu.arguments:
        bound = with_one_slope(builder, function, x)
        known.append(_total(builder, result, replace(bound, constant=bound.constant + gelu.difference() / UNIT)))
    infinite = builder.initializer(np.array([np.inf], np.float32))
    finite = [builder.emit("Where", [builder.emit("Less", [total, infinite]), total, infinite]) for total, _ in known]
    scale = max(scale for _, scale in known) * (1 + 8 * U)
    builder.set(result, Bound(builder.emit("Max", finite), scale))
    builder.steps.pop(result, None)


def _total(builder: BoundBuilder, value: ir.Value, bound: Bound) -> tuple[ir.Value, float]:
    builder.set(value, replace(bound, norm=None, folding=None))
    return builder.tensor(value)
