"""torch.onnx parses and registers 500 functions of onnxscript for each export, a second; tests make hundreds."""

import sys
from copy import copy
from functools import cached_property
from typing import Any


def make_once() -> None:
    """Let torch's exporter keep what it makes alike for each export, where it is imported."""
    parse_once()
    register_once()
    decompose_once()


def parse_once() -> None:
    """Let a function that was parsed stay parsed, where onnxscript is imported; the parsed functions do not change."""
    values = sys.modules.get("onnxscript._internal.values")
    function = getattr(values, "TracedOnnxFunction", None)
    parsed = vars(function).get("function_ir") if function else None
    if isinstance(parsed, property) and parsed.fget:
        kept = cached_property(parsed.fget)
        kept.__set_name__(function, "function_ir")
        function.function_ir = kept


def register_once() -> None:
    """Let torch's exporter begin with a copy of its first registry, where it is imported."""
    registration = sys.modules.get("torch.onnx._internal.exporter._registration")
    registry = getattr(registration, "ONNXRegistry", None)
    made = getattr(registry, "from_torchlib", None)
    if registry is None or made is None or hasattr(made, "kept"):
        return
    kept: dict[Any, Any] = {}

    def copied(*arguments: Any, **options: Any) -> Any:
        key = (arguments, *sorted(options.items()))
        if key not in kept:
            kept[key] = made(*arguments, **options)
        found = copy(kept[key])
        found.functions = {name: list(functions) for name, functions in kept[key].functions.items()}
        return found

    copied.kept = kept  # type: ignore[attr-defined]
    registry.from_torchlib = staticmethod(copied)  # called on an instance as well


def decompose_once() -> None:
    """Let torch collect what it decomposes once for as many operators as there are, a tenth of a small export."""
    export = sys.modules.get("torch.export.exported_program")
    made = sys.modules.get("torch.onnx._internal.exporter._decomp")
    collect, table = (
        getattr(export, "_collect_all_valid_cia_ops", None),
        getattr(made, "create_onnx_friendly_decomposition_table", None),
    )
    if collect is None or table is None or hasattr(collect, "kept"):
        return
    kept: dict[Any, Any] = {}

    def operators() -> tuple[int, int]:
        torch = sys.modules["torch"]
        found = torch._C._dispatch_get_registrations_for_dispatch_key("CompositeImplicitAutograd")
        return len(found), len(torch.ops._dir)

    def collected() -> Any:
        if (key := operators()) not in kept:
            kept[key] = collect()
        return set(kept[key])

    def tabled(registered: Any) -> Any:
        key = (operators(), frozenset(registered))
        if key not in kept:
            kept[key] = table(registered)
        return dict(kept[key])

    collected.kept = kept  # type: ignore[attr-defined]
    export._collect_all_valid_cia_ops = collected  # type: ignore[union-attr]
    made.create_onnx_friendly_decomposition_table = tabled  # type: ignore[union-attr]


def make_now() -> None:
    """Make it all, for the processes that are forked from this one."""
    make_once()
    if "torch.onnx._internal.exporter._compat" in sys.modules:
        from torch.onnx._internal.exporter import _decomp, _registration

        registry = _registration.ONNXRegistry.from_torchlib()
        _decomp.create_onnx_friendly_decomposition_table(set(_decomp.get_onnx_implemented_overloads(registry)))
