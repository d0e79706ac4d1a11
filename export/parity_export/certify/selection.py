"""Where, which chooses by a comparison: only where every backend chooses alike."""

import numpy as np
import onnx_ir as ir

from parity_export.certify.activations import thresholded_softplus
from parity_export.certify.arithmetic import FLUSHED
from parity_export.certify.errors import refusal
from parity_export.certify.radius import Radius
from parity_export.certify.scope import Scope


def where(scope: Scope, node: ir.Node) -> Radius:
    """V = IsNaN(x) ? fill : x, x an input of the graph and fill constant: every backend reads the same x.

    Also torch's Softplus (`parity_export.certify.activations.thresholded_softplus`).
    """
    softplus = thresholded_softplus(scope, node)
    if softplus is not None:
        return softplus
    condition, fill, x = node.inputs
    producer = None if condition is None else condition.producer()
    constant = scope.constant(fill)
    if (
        producer is None
        or producer.op_type != "IsNaN"
        or x is None
        or not x.is_graph_input()
        or producer.inputs[0] is not x
        or constant is None
        or not np.isfinite(constant).all()
    ):
        raise refusal(node, "it chooses by something else than an input's IsNaN")
    return Radius(constant=2 * FLUSHED)
