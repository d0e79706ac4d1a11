"""Examples of a module's arguments: zeros of sizes that it accepts."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from parity_export.binding import bind
from parity_runtime import InputError, TensorSpec
from parity_runtime.errors import first_line

EXAMPLE_SIZES = (2, 4, 16, 64)
"""Sizes of dynamic dimensions that are tried until the module accepts one (pooling needs a certain width)."""


def example_inputs(module: nn.Module, inputs: Sequence[TensorSpec]) -> tuple[torch.Tensor, ...]:
    """Return zeros that the module accepts, every dynamic dimension of a size of its own from 2 on.

    torch.export specializes the sizes 0 and 1, and takes equal sizes for equal dimensions.

    Raises:
        InputError: the module accepts none of the sizes that are tried, or the inputs are not its parameters.
    """
    reason, call = "", bind(module, inputs)
    for base, multiples in itertools.product(EXAMPLE_SIZES, (False, True)):
        example = zeros(inputs, base, multiples=multiples)
        try:
            with torch.no_grad():
                call(*example)
        except Exception as error:  # the user's own code
            reason = reason or first_line(error)
        else:
            return example
    note = "" if call.note is None else f" ({call.note})"
    raise InputError(f"the module does not accept {'; '.join(map(str, inputs))}: {reason}{note}")


def zeros(
    inputs: Sequence[TensorSpec], base: int, dimensions: Mapping[str, int] | None = None, *, multiples: bool = False
) -> tuple[torch.Tensor, ...]:
    """Return zeros for each input.

    Args:
        inputs: what the module takes.
        base: the dynamic dimensions get the sizes ``base``, ``base + 1``, ..., or its multiples.
        dimensions: sizes of some of them.
        multiples: whether to take multiples (two poolings of an image want sizes that 4 divides).
    """
    names = dict.fromkeys(size for spec in inputs for size in spec.shape if isinstance(size, str))
    step = base if multiples else 1
    sizes = {name: base + index * step for index, name in enumerate(names)} | dict(dimensions or {})
    shapes = [[sizes[size] if isinstance(size, str) else size for size in spec.shape] for spec in inputs]
    return tuple(
        torch.zeros(shape, dtype=getattr(torch, spec.dtype)) for shape, spec in zip(shapes, inputs, strict=True)
    )


def example_sizes(module: nn.Module, inputs: Sequence[TensorSpec]) -> dict[str, int]:
    """Return the size of each dynamic dimension in `example_inputs`."""
    return {
        name: size
        for spec, tensor in zip(inputs, example_inputs(module, inputs), strict=True)
        for name, size in zip(spec.shape, tensor.shape, strict=True)
        if isinstance(name, str)
    }
