"""Torch, with a say in which of equal values comes first."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class TieOrder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs a module with the lowest (or highest) index first among equal values, wherever it sorts or takes the best k.

    torch leaves their order open. ONNX's TopK takes the lowest index.

    Attributes:
        orders: whether the module sorts, or takes the best, at all.
        ties: whether equal values were met.
        unordered: whether a NaN was met, which backends put in different places.
    """

    supports_higher_order_operators = True

    def __init__(self, *, lowest: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._lowest = lowest
        self.orders = self.ties = self.unordered = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if not isinstance(func, torch._ops.OpOverload):
            return func(*args, **kwargs)
        name = f"{func.overloadpacket.__name__}.{func._overloadname}"
        if name == "sort.stable":  # its order is said
            self.orders = True
            self.unordered |= bool(args[0].isnan().any())
        if name in _FIRST:
            self.orders = True
            self.unordered |= bool(args[0].isnan().any())
        if name not in _ORDERING:
            return func(*args, **kwargs)
        names = [argument.name for argument in func._schema.arguments]
        defaults = {argument.name: argument.default_value for argument in func._schema.arguments}
        given = defaults | dict(zip(names, args, strict=False)) | kwargs
        return self._ordered(name, given)

    def _ordered(self, name: str, given: dict[str, Any]) -> tuple[Tensor, Tensor]:
        tensor, axis = given["self"], given["dim"]
        if tensor.ndim == 0:
            return tensor.clone(), torch.zeros_like(tensor, dtype=torch.int64)
        largest = given["largest"] if name.startswith("topk") else given["descending"]
        values, indices = self._sorted(tensor, axis, descending=bool(largest))
        count = given["k"] if name.startswith("topk") else tensor.shape[axis]
        return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)

    def _sorted(self, tensor: Tensor, axis: int, *, descending: bool) -> tuple[Tensor, Tensor]:
        source = tensor if self._lowest else tensor.flip(axis)
        values, indices = torch.sort(source, dim=axis, descending=descending, stable=True)
        self.orders = True
        self.unordered |= bool(values.isnan().any())
        if tensor.shape[axis] > 1:
            rest = tensor.shape[axis] - 1
            self.ties |= bool((values.narrow(axis, 0, rest) == values.narrow(axis, 1, rest)).any())
        return values, indices if self._lowest else tensor.shape[axis] - 1 - indices


_ORDERING = {"topk.default", "sort.default"}
"""Whose order of equal values torch leaves open. Its argmax and max give the first of them, as documented."""

_FIRST = {"argmax.default", "argmin.default"}
"""Whose answer of a NaN ONNX leaves open: torch takes the NaN, onnxruntime passes it over."""
