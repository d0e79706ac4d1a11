"""The operations that torch runs, in the terms of `flow`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parity_export.error_bounds.data_flow import SLOPE, Flow, content, joined

_OPERATIONS = {
    "addmm": ("product", "add"),
    "mm": ("product",),
    "convolution": ("conv",),
    "native_batch_norm": ("batchnormalization",),
    "where": ("where",),
    "isnan": ("isnan",),
    "sub": ("sub",),
    "rsub": ("sub",),
    "clamp": ("clip",),
    "hardtanh": ("clip",),
    "_prelu_kernel": ("prelu",),
    "leaky_relu": ("leakyrelu",),
    "max_pool1d_with_indices": ("maxpool",),
    "max_pool2d_with_indices": ("maxpool",),
    "avg_pool1d": ("averagepool",),
    "avg_pool2d": ("averagepool",),
    "mean": ("reducemean",),
    "sum": ("reducesum",),
    "amax": ("reducemax",),
    "elu": ("elu",),
    **{name: (name,) for name in ("add", "mul", "div", "neg", "abs", "relu", "tanh", "sigmoid", "erf", "gelu", "silu")},
    **{name: (name,) for name in ("celu", "softplus", "mish", "hardswish", "hardsigmoid")},
}
"""What ATen's operators are in a graph; those that move elements are left out on both sides."""

_MOVED = {"view", "_unsafe_view", "t", "transpose", "permute", "unsqueeze", "squeeze", "expand", "slice", "select",
          "cat", "clone", "detach", "alias", "empty", "reshape", "_to_copy"}  # fmt: skip

_SQUASHING = ("sigmoid", "_softmax")

_CHANGES = {"alpha": 1, "beta": 1, "rounding_mode": None, "dtype": None, "divisor_override": None}
"""Arguments that make another operation of an ATen operator, and what they are otherwise. Activations have some of the
same names; the parameters of theirs that were not measured are refused by their rules."""

_CHANGING = {"add", "sub", "rsub", "addmm", "div", "mean", "sum", "avg_pool1d", "avg_pool2d"}
_NEUTRAL = (None, 1.0, 0.0, None, None)  # the scale and the shift of a batch normalization without them
_WITH_NUMBERS = {"add", "sub", "rsub", "mul", "div"}


class TorchFlow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows a module's run on examples of its arguments.

    Attributes:
        flow: its operations.
        result: the print of what it returned.
        numbers: every number and tensor that an operator was given, as float32 bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = Flow()
        self.result = b""
        self.numbers: set[bytes] = {_bytes(value) for value in (0.0, 1.0, 20.0)}  # also defaults that are not passed
        self._prints: dict[int, bytes] = {}
        self._kept: list[torch.Tensor] = []  # an identity is a tensor's own only while that lives
        self._squashed: tuple[int, bytes] | None = None

    @classmethod
    def of(cls, module: Callable[..., Any], inputs: Sequence[torch.Tensor], *, squashed: bool) -> "TorchFlow":
        """Run a module.

        Args:
            module: in eval mode, float32, as a function of its inputs.
            inputs: examples of them.
            squashed: whether to leave out the last Sigmoid or Softmax, which stands behind the logits.
        """
        recorder = cls()
        for index, tensor in enumerate(inputs):
            recorder._name(tensor, joined(f"input {index}", []))
        with torch.no_grad(), recorder:
            returned = module(*inputs)
        recorder.result = recorder._print(tree_leaves(returned)[0])
        if squashed and recorder._squashed is not None:
            index, recorder.result = recorder._squashed
            del recorder.flow.operations[index]
        return recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = str(func.overloadpacket.__name__)
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, int | float):
                self.numbers.add(_bytes(value))
            elif isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                self.numbers.add(value.detach().numpy().tobytes())
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
        if name in _SQUASHING:
            self._squashed = len(self.flow.operations), operands[0]
        changes = [key for key, usual in _CHANGES.items() if key in given and given[key] != usual]
        if name in _CHANGING and changes:
            return self.flow.add((f"its {name} with {changes[0]}",), operands)
        return self.flow.add(_OPERATIONS.get(name, (f"its {name}",)), operands)

    def _operands(self, name: str, args: Sequence[Any]) -> list[bytes]:
        """Return the prints of an operator's tensors, in the graph's order."""
        values = tree_leaves(list(args))
        if name == "native_batch_norm":
            values = [neutral if value is None else value for value, neutral in zip(args[:5], _NEUTRAL, strict=True)]
        elif name not in _WITH_NUMBERS:
            values = [value for value in values if isinstance(value, torch.Tensor)]
        prints = [self._print(value) for value in values if isinstance(value, torch.Tensor | int | float)]
        if name == "leaky_relu":
            prints.append(self._print(args[1] if len(args) > 1 else SLOPE))
        if name == "addmm":  # (bias, x, W)
            return [*prints[1:], prints[0]]
        return prints[::-1] if name == "rsub" else prints

    def _print(self, value: torch.Tensor | float) -> bytes:
        if not isinstance(value, torch.Tensor):
            return content(np.array([value], np.float32))
        if id(value) not in self._prints:
            self._name(value, content(value.detach().numpy()))
        return self._prints[id(value)]

    def _name(self, tensor: torch.Tensor, value: bytes) -> None:
        self._kept.append(tensor)
        self._prints[id(tensor)] = value


def _bytes(value: float) -> bytes:
    with np.errstate(over="ignore"):
        return np.float32(value).tobytes()
