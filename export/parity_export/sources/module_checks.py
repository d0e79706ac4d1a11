"""Whether a module is one that a graph can be made of: its dtypes, what it returns, and what decides the sizes."""

from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from parity_export.sources.argument_binding import Binding
from parity_export.sources.example_inputs import Example
from parity_runtime import InputError
from parity_runtime.printable import counted


def check_dtypes(module: nn.Module) -> None:
    """Refuse a tensor of a module that neither numpy nor onnxruntime's processors compute with, such as bfloat16.

    Raises:
        InputError: names the tensor.
    """
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if not _numpy_has(tensor.dtype):
            raise InputError(
                f"the module's {name} is {_name(tensor.dtype)}, in which neither numpy nor onnxruntime on a CPU "
                f"computes; export it in float32: module.float(), and no casts to {_name(tensor.dtype)} in its forward"
            )


def nan_note(module: nn.Module) -> str | None:
    """Return which tensors of a module hold NaN, as after a training that diverged; None where none does."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    names = [name for name, tensor in tensors if tensor.is_floating_point() and bool(torch.isnan(tensor).any())]
    if not names:
        return None
    more = "" if len(names) == 1 else f" and {counted(len(names) - 1, 'other')}"
    return f"the module's {names[0]}{more} hold{'s' * (not more)} NaN: did its training diverge?"


def check_returned(returned: object) -> None:
    """Refuse what a graph cannot give, or numpy cannot hold.

    Raises:
        InputError: there is no tensor, something is none, or a dtype is complex or bfloat16.
    """
    leaves = _tensors(returned)
    if not leaves:
        raise InputError("the module returns no tensor; a graph returns at least one")
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise InputError(
                f"the module returns an object of the type {type(leaf).__name__}, which is not a tensor; a graph gives "
                "tensors alone: return them one by one, or in a tuple, a list or a dict"
            )
        if leaf.is_complex():
            raise InputError(
                f"the module returns {_name(leaf.dtype)}, which no operator of ONNX gives; return "
                "torch.view_as_real(...), whose last axis holds the real and the imaginary part"
            )
        if not _numpy_has(leaf.dtype):
            raise InputError(
                f"the module returns {_name(leaf.dtype)}, which numpy lacks, so no output can be compared; "
                "end its forward with .float()"
            )


def check_sizes(call: Binding, example: Example, returned: object) -> None:
    """Refuse a module whose values decide the size of what it returns, as ``x[x > 0]``.

    Args:
        call: the module.
        example: of its arguments.
        returned: for that example.

    Raises:
        InputError: it returns other sizes for other values.
    """
    alternating = tuple(
        tensor if spec.domain else _alternating(tensor)
        for spec, tensor in zip(example.inputs, example.tensors(), strict=True)
    )
    for others in (example.tensors(filling=1 - example.filling), alternating):
        try:
            with torch.no_grad():
                other = _tensors(call(*others))
        except Exception:  # noqa: S112 -- the user's own code takes no such values: the gate asks its own
            continue
        for one, two in zip(_tensors(returned), other, strict=False):
            if one.shape != two.shape:
                raise InputError(
                    f"the values decide the size of what the module returns ({list(one.shape)} for inputs of "
                    f"{example.filling}, {list(two.shape)} for others); a contract declares sizes by those of the "
                    "inputs: return a mask beside all values, or a fixed number of the best (topk)"
                )


def _alternating(tensor: torch.Tensor) -> torch.Tensor:
    """Return zeros and ones in turn, of a tensor's shape and dtype."""
    return (torch.arange(tensor.numel()) % 2).reshape(tensor.shape).to(tensor.dtype)


def _tensors(returned: object) -> list[Any]:
    """Return the leaves of what a module returned, without None."""
    return [leaf for leaf in tree_leaves(returned) if leaf is not None]


def _numpy_has(dtype: torch.dtype) -> bool:
    try:
        torch.empty(0, dtype=dtype).numpy()
    except (TypeError, RuntimeError):
        return False
    return True


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
