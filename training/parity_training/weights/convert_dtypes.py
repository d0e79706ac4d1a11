"""A checkpoint's tensors in the dtypes of a module: converted where no digit is lost, else refused."""

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from parity_runtime import InputError
from parity_runtime.printable import counted, shown
from parity_training.weights.describe import described
from parity_training.weights.weights_file import StateDict


def converted(given: StateDict, expected: StateDict, path: Path) -> tuple[StateDict, list[str]]:
    """Return tensors in the dtypes of a module's, and what is said of those that were converted.

    bfloat16 and float16 lie within float32. float64 does where its numbers were float32 before.

    Raises:
        InputError: a number would change, or only one of the two dtypes is of floating-point numbers.
    """
    weights, counts = {}, Counter[tuple[str, str]]()
    for name, tensor in given.items():
        wanted = expected[name]
        if tensor.dtype != wanted.dtype:
            weights[name] = _converted(name, tensor, wanted, path)
            counts[_name(tensor.dtype), _name(wanted.dtype)] += 1
        else:
            weights[name] = tensor
    return weights, [
        f"{path.name}: {counted(count, 'tensor')} {'is' if count == 1 else 'are'} {found}; read as {wanted}, exactly"
        for (found, wanted), count in counts.items()
    ]


def _converted(name: str, tensor: Tensor, wanted: Tensor, path: Path) -> Tensor:
    where = f"{path}: the tensor {shown(name)} is {described(tensor)}; the network has {described(wanted)}"
    if not (tensor.is_floating_point() and wanted.is_floating_point()):
        raise InputError(where)
    result = tensor.to(wanted.dtype)
    if not _equal(result.to(tensor.dtype), tensor):
        dtype = _name(wanted.dtype)
        raise InputError(
            f"{where}, which does not hold all its digits; round it yourself, and save what you have evaluated: "
            f"tensor.to(torch.{dtype})"
        )
    return result


def _equal(one: Tensor, other: Tensor) -> bool:
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
