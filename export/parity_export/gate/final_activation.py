"""The Sigmoid or Softmax that a module ends in, seen while torch runs it.

The graph's head looks for its own in ONNX (`parity_export.graph.head`): the two share nothing, so that one finds the
other's mistakes.
"""

from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from parity_export.onnx_module.node_search import maker_of
from parity_export.sources.model_source import ModelSource

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


_RESHAPES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose")


def watch(source: ModelSource) -> "FinalActivation | None":
    """Return what remembers the logits of a source's probabilities; None where no activation of its own makes these.

    Of an ONNX file the graph says it: a LinearClassifier ends in a sigmoid of each class by itself, and what goes into
    that are no logits of the probabilities that come out.
    """
    if source.module_output != "probabilities" or not (source.adopted is None or _ends_in_one(source.adopted)):
        return None
    return FinalActivation(chooses=source.contract.task in ("multiclass", "tagging"))


def _ends_in_one(adopted: ModelProto) -> bool:
    maker, _ = maker_of(adopted.graph.output[0].name, adopted.graph.node, dict.fromkeys(_RESHAPES, 0))
    return maker is not None and maker.op_type in ("Sigmoid", "Softmax")


class FinalActivation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers what went into each activation of a task, so that logits need not be recovered from it.

    Args:
        chooses: the task chooses one of several classes, whose probabilities are a softmax; else each is a sigmoid.
    """

    supports_higher_order_operators = True

    def __init__(self, *, chooses: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._activations = ("_softmax",) if chooses else ("sigmoid", "sigmoid_")
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
        if name in self._activations:
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
