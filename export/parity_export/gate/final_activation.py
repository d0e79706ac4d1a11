"""The Sigmoid or Softmax that a module ends in, seen while torch runs it.

The graph's head looks for its own in ONNX (`parity_export.graph.head`): the two share nothing, so that one finds the
other's mistakes.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_MOVES = {
    "view",
    "_unsafe_view",
    "reshape",
    "squeeze",
    "unsqueeze",
    "t",
    "transpose",
    "permute",
    "alias",
    "detach",
    "clone",
}
"""ATen operators that change the shape of a tensor and none of its values."""


class FinalActivation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers what went into each sigmoid and softmax, so that logits need not be recovered from it."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._logits: dict[int, Tensor] = {}
        self._kept: list[Tensor] = []  # an identity is a tensor's own only while that lives

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not isinstance(func, torch._ops.OpOverload):  # torch.cond and its kin
            return func(*args, **kwargs)
        name, first = func.overloadpacket.__name__, args[0] if args else None
        known = self._logits.get(id(first)) if isinstance(first, Tensor) else None
        before = first.clone() if name == "sigmoid_" else first  # type: ignore[union-attr]
        result = func(*args, **kwargs)
        if name in ("sigmoid", "sigmoid_", "_softmax"):
            self._remember(result, before)
        elif known is not None and name in _MOVES:
            self._remember(result, func(known, *args[1:], **kwargs))
        elif known is not None and func._schema.is_mutable:  # the module goes on in place
            del self._logits[id(first)]
        return result

    def _remember(self, result: Tensor, logits: Any) -> None:
        self._kept.append(result)
        self._logits[id(result)] = logits

    def logits_of(self, returned: Tensor) -> Tensor | None:
        """Return the input of the activation that gave ``returned``, in its order; None if none did as it is."""
        return self._logits.get(id(returned))
