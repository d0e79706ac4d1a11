"""Nodes of opsets before 7 whose operator meant something else then, and which nobody computes here."""

import onnx

OLD = 7
"""Before that opset operators had other rules of broadcasting, modes of training, attributes in the place of inputs;
ONNX's reference evaluator computes them by today's."""

_BEFORE = {"Cast": 6, "Tile": 6, "Upsample": 7, "BatchNormalization": 7, "Dropout": 7, "Selu": 6}
"""Operators with another meaning before an opset: `_NEEDED` are the attributes with which it is today's."""

_NEEDED = {"BatchNormalization": ("is_test",), "Dropout": ("is_test",), "Selu": ("alpha", "gamma")}


def is_old_form(node: onnx.NodeProto, version: int) -> bool:
    """Whether a node means something that nobody computes here.

    Args:
        node: of ONNX's own operators.
        version: of those.
    """
    if version >= _BEFORE.get(node.op_type, 1):
        return False
    said = {one.name for one in node.attribute if one.name != "is_test" or one.i}
    needed = _NEEDED.get(node.op_type)
    has_mask = node.op_type == "Dropout" and len(node.output) > 1
    return needed is None or has_mask or not said.issuperset(needed)
