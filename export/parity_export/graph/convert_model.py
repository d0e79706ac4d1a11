"""From an old opset to one that is fit for a package, by ONNX's own converter; whether answers stay is the gate's."""

import onnx
from onnx import ModelProto, version_converter

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.errors import first_line

OLDEST_ADOPTED = 8
"""The oldest opset that an adopted graph keeps: what older operators mean, their attributes of axes and broadcasting,
runtimes read in different ways."""

OLDEST_IR = 4
"""The first IR version in which initializers are no inputs."""

_TARGETS = (18, 13, OLDEST_ADOPTED)


def converted(model: ModelProto, opset: int | None, where: str) -> tuple[ModelProto, tuple[str, ...]]:
    """Return a graph of an opset that a package may have, and a line that says so where it is another.

    Args:
        model: the graph.
        opset: the one that is needed at least; None keeps the graph's, if it is not too old.
        where: names the file in a message.

    Raises:
        InputError: ONNX's converter cannot convert it.
    """
    own = own_opset(model)
    model = _with_ir_version(model)
    if own is None or own >= (OLDEST_ADOPTED if opset is None else opset):
        return model, ()
    reason = ""
    for target in _TARGETS if opset is None else (opset,):
        try:
            found = version_converter.convert_version(model, target)
        except Exception as error:  # the converter raises what C++ threw
            reason = reason or first_line(error)
        else:
            return found, (f"converted from opset {own} to {target}; it is compared with the graph of opset {own}",)
    raise InputError(
        f"{where} has opset {own}, and ONNX's converter cannot make one of it that is at least "
        f"{opset or OLDEST_ADOPTED}: {reason}; export the model again with {argument('opset', 18)} of its exporter"
    )


def own_opset(model: ModelProto) -> int | None:
    """Return which opset a graph has; None where it has no operator of ONNX's."""
    return next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), None)


def _with_ir_version(model: ModelProto) -> ModelProto:
    if model.ir_version >= OLDEST_IR:
        return model
    found = onnx.ModelProto()
    found.CopyFrom(model)
    found.ir_version = OLDEST_IR
    return found
