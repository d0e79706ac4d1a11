"""Which onnxruntime is old enough, and which is too old, for a graph."""

from parity_runtime import InputError

_RELEASES = (
    ("1.14", 18, 8),
    ("1.15", 19, 9),
    ("1.17", 20, 9),
    ("1.18", 21, 10),
    ("1.21", 22, 10),
    ("1.22", 23, 11),
    ("1.24", 24, 12),
)
"""(onnxruntime, newest ai.onnx opset, newest IR version), from onnxruntime's version matrix and the ONNX release
that each one builds with (onnx.helper.VERSION_TABLE gives the opset and IR of an ONNX release)."""


def oldest_onnxruntime(opset: int, ir_version: int) -> str:
    """Return the oldest onnxruntime release (major.minor) that knows an opset and an IR version.

    Raises:
        InputError: none of the known releases does.
    """
    for release, newest_opset, newest_ir in _RELEASES:
        if opset <= newest_opset and ir_version <= newest_ir:
            return release
    raise InputError(f"no known onnxruntime loads opset {opset} with IR version {ir_version}; choose a lower --opset")
