"""Of several error bounds of a value the largest, element by element: where it may be computed in several ways."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.rounding_model import U


def larger(builder: BoundBuilder, value: ir.Value, bounds: Sequence[Bound]) -> Bound:
    """Return the largest of some bounds of a value, which must all hold; NaN becomes infinite.

    v' may be computed in one way and the bound of another be told by its magnitude: 4u of what it is off by.
    """
    known = [_total(builder, value, bound) for bound in bounds]
    infinite = builder.initializer(np.array([np.inf], np.float32))
    finite = [builder.emit("Where", [builder.emit("Less", [total, infinite]), total, infinite]) for total, _ in known]
    return Bound(builder.emit("Max", finite), max(scale for _, scale in known) * (1 + 8 * U))


def _total(builder: BoundBuilder, value: ir.Value, bound: Bound) -> tuple[ir.Value, float]:
    builder.set(value, replace(bound, norm=None, folding=None))
    return builder.tensor(value)
