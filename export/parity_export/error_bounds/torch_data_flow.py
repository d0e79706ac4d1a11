"""The operations that torch runs, in the terms of `data_flow`."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parity_export.error_bounds.aten_operator import tensors
from parity_export.error_bounds.data_flow import Flow, content, digest, joined
from parity_export.error_bounds.registry import ATEN
from parity_export.gate.final_activation import FinalActivation

_MOVED = frozenset(operator.name for operator, rule in ATEN.values() if rule.moves) | {"empty"}
"""What changes no element; an empty tensor has none."""


class TorchFlow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows a module's run on examples of its arguments.

    Attributes:
        flow: its operations.
        result: the print of what it returned.
        numbers: the `digest` of every number and tensor that an operator was given, in float32.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = Flow()
        self.result = b""
        self.numbers: set[bytes] = {
            _digest_of(value) for value in (0.0, 1.0, 20.0)
        }  # also defaults that are not passed
        self._prints: dict[int, bytes] = {}
        self._kept: list[torch.Tensor] = []  # an identity is a tensor's own only while that lives

    @classmethod
    def of(
        cls, module: Callable[..., Any], inputs: Sequence[torch.Tensor], squashing: FinalActivation | None
    ) -> "TorchFlow":
        """Run a module.

        Args:
            module: in eval mode, float32, as a function of its inputs.
            inputs: examples of them.
            squashing: watches for the Sigmoid or Softmax that it ends in, which stands behind the logits, and is left
                out; None leaves out none.
        """
        recorder = cls()
        for index, tensor in enumerate(inputs):
            recorder._name(tensor, joined(f"input {index}", []))
        with torch.no_grad(), recorder, squashing or contextlib.nullcontext():
            returned = tree_leaves(module(*inputs))[0]
        recorder.result = recorder._print(returned)
        logits = squashing.logits_of(returned) if squashing is not None else None
        if logits is not None:
            recorder.flow.leave_out(recorder.result)
            recorder.result = recorder._print(logits)
        return recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = str(func.overloadpacket.__name__)
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, int | float):
                self.numbers.add(_digest_of(value))
            elif isinstance(value, torch.Tensor) and value.dtype == torch.float32 and _is_dense(value):
                self.numbers.add(digest(value.detach().numpy()))
        operands = self._operands(name, args)
        result = func(*args, **kwargs)
        value = self._recorded(name, given, operands)
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._name(tensor, value)
        return result

    def _recorded(self, name: str, given: dict[str, Any], operands: list[bytes]) -> bytes:
        """Return the print of an operator's result, and record it if it computes."""
        if name in _MOVED:
            return operands[0] if len(operands) == 1 else joined("concat", operands)
        if name not in ATEN:
            return self.flow.add((f"its {name}",), operands)
        operator, rule = ATEN[name]
        changes = [key for key, usual in operator.fixed.items() if key in given and given[key] != usual]
        return self.flow.add((f"its {name} with {changes[0]}",) if changes else rule.flow_operations, operands)

    def _operands(self, name: str, args: Sequence[Any]) -> list[bytes]:
        """Return the prints of an operator's operands, in the graph's order."""
        operands = ATEN[name][0].operands(args) if name in ATEN else tensors(args)
        return [self._print(value) for value in operands]

    def _print(self, value: torch.Tensor | float) -> bytes:
        if not isinstance(value, torch.Tensor):
            return content(np.array([value], np.float32))
        if id(value) not in self._prints:
            self._name(value, content(value.detach().numpy()))
        return self._prints[id(value)]

    def _name(self, tensor: torch.Tensor, value: bytes) -> None:
        self._kept.append(tensor)
        self._prints[id(tensor)] = value


def _is_dense(value: torch.Tensor) -> bool:
    """Say whether numpy can show a tensor: not the nested one, in which nn.TransformerEncoder packs padded rows."""
    return value.layout is torch.strided and not value.is_nested


def _digest_of(value: float) -> bytes:
    with np.errstate(over="ignore"):
        return digest(np.array(value, np.float32))
