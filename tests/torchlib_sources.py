"""torch.onnx parses the sources of 500 functions of onnxscript for each export, half a second; tests make hundreds."""

import sys
from functools import cached_property


def parse_once() -> None:
    """Let a function that was parsed stay parsed, where onnxscript is imported; the parsed functions do not change."""
    values = sys.modules.get("onnxscript._internal.values")
    function = getattr(values, "TracedOnnxFunction", None)
    parsed = vars(function).get("function_ir") if function else None
    if isinstance(parsed, property) and parsed.fget:
        kept = cached_property(parsed.fget)
        kept.__set_name__(function, "function_ir")
        function.function_ir = kept


def parse_now() -> None:
    """Parse them all, for the processes that are forked from this one."""
    parse_once()
    if "onnxscript" in sys.modules:
        from torch.onnx._internal._lazy_import import onnxscript_apis

        onnxscript_apis.get_torchlib_ops()
