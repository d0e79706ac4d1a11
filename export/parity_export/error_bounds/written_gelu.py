"""A Gelu that is written out: the error bound of it as it is written, and of the one operator in its place."""

from dataclasses import replace

import onnx_ir as ir

from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.gelu_fusion import WrittenGelu
from parity_export.error_bounds.larger import larger
from parity_export.error_bounds.operators.gelu import GELU, GELU_BY_TANH
from parity_export.error_bounds.operators.shared.elementary import with_one_slope
from parity_export.error_bounds.rounding_model import UNIT


def bound_written(builder: BoundBuilder, result: ir.Value, gelu: WrittenGelu) -> None:
    """Let the error bound of a value that is a Gelu by its terms hold for a backend's Gelu as well.

    The exact value is f_c(x), f_c the function with the graph's constants. A backend that computes it as it is written
    stays within the error bound that the rules found, one with an operator of its own within that of Gelu and
    |f_c - f|: the larger of both holds for either. A backward pass ends there, with all of that.
    """
    known = [builder.bound(result)]
    function = GELU_BY_TANH if gelu.by_tanh else GELU
    for x in gelu.arguments:
        bound = with_one_slope(builder, function, x)
        known.append(replace(bound, constant=bound.constant + gelu.difference() / UNIT))
    builder.set(result, larger(builder, result, known))
    builder.steps.pop(result, None)
