"""What says that a graph cannot be certified."""

import onnx_ir as ir

from parity_runtime import InputError


class CannotCertifyError(InputError):
    """A graph has no proof: an operator without a rule, or one that is not of the form that its rule is proven for."""


WITH_RULES = (
    "docs/explanation/proof.md lists the operators that have one; a package without a certified graph is "
    "compared with the network as well"
)
"""The ways out where an operator has no rule."""

FIXED_SIZE = "give the inputs that have it a number instead of the name, such as 128 for a dimension named time"
"""The way out where a rule must know the size of a dimension that has a name."""


def refusal(node: ir.Node, reason: str = "", way_out: str = "") -> CannotCertifyError:
    """Return the error that names a node."""
    what = f"operator {node.op_type} at node {node.name or node.outputs[0].name}"
    return CannotCertifyError(
        f"cannot certify: {what}{f' ({reason})' if reason else ''}{f'; {way_out}' if way_out else ''}"
    )
