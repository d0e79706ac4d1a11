"""Modules in bfloat16 and float16, which compute in float32 here: no processor that onnxruntime knows has the former.

Their weights are numbers of float32 as well. What is rounded away on the way is not: an answer has more digits than
the module gave where it was trained.
"""

import copy
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HALF = (torch.bfloat16, torch.float16)
_DECLARED = re.compile(r"(:\s*)bfloat16(?=\s*\[)")
_CASTS = (torch.Tensor.bfloat16, torch.Tensor.half)


def in_float32(module: nn.Module) -> tuple[nn.Module, str | None]:
    """Return a module whose tensors in half precision are float32, and what is said of it; itself where it has none."""
    tensors = [*module.parameters(), *module.buffers()]
    found = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors if tensor.dtype in HALF})
    if not found:
        return module, None
    converted = copy.deepcopy(module)
    for tensor in (*converted.parameters(), *converted.buffers()):
        if tensor.dtype in HALF:
            tensor.data = tensor.data.float()
    said = f"the module is in {' and '.join(found)}: its weights are float32 here, exactly, and it is computed in that"
    return converted, said


def in_float32_spec(text: str) -> str:
    """Return the specification of an input, float32 where it says bfloat16: no array of numpy's has that."""
    return _DECLARED.sub(r"\1float32", text)


def half_inputs(inputs: Sequence[object]) -> list[str]:
    """Return what is said of inputs that were declared in bfloat16."""
    named = [text.partition(":")[0].strip() for text in inputs if isinstance(text, str) and _DECLARED.search(text)]
    return (
        [f"{', '.join(named)} is taken as float32: numpy and onnxruntime have no arrays of bfloat16"] if named else []
    )


class AsFloat32(TorchFunctionMode):
    """Makes float32 of every tensor that the module's code asks to be half, and ends its autocasting."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CASTS:
            func, args, kwargs = torch.Tensor.float, args[:1], {}
        args = tuple(torch.float32 if isinstance(one, torch.dtype) and one in HALF else one for one in args)
        kwargs = {
            name: torch.float32 if isinstance(one, torch.dtype) and one in HALF else one
            for name, one in (kwargs or {}).items()
        }
        with torch._C._DisableAutocast():
            return func(*args, **kwargs)


class BFloat16Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees whether anything is computed in bfloat16.

    Attributes:
        seen: whether something was.
    """

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.seen = self.seen or any(
            isinstance(one, Tensor) and one.dtype == torch.bfloat16 for one in tree_leaves(result)
        )
        return result
