"""Examples of a module's arguments: zeros, or ones, of sizes that it accepts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from parity_export.sources.argument_binding import Binding, bind
from parity_runtime import InputError, TensorSpec
from parity_runtime.errors import first_line

EXAMPLE_SIZES = (2, 4, 16, 64)
"""Sizes of dynamic dimensions that are tried until the module accepts one (pooling needs a certain width)."""


@dataclass(frozen=True)
class Example:
    """Arguments that a module accepts.

    Attributes:
        inputs: what the module takes.
        sizes: of the dynamic dimensions, each one of its own, from 2 on: torch.export specializes the sizes 0 and 1,
            and takes equal sizes for equal dimensions.
        filling: what every tensor is filled with: 0, or 1 where the module takes no zeros (all of a text is padding).
    """

    inputs: tuple[TensorSpec, ...]
    sizes: Mapping[str, int]
    filling: int = 0

    @classmethod
    def of(cls, module: nn.Module | Binding, inputs: Sequence[TensorSpec]) -> "Example":
        """Return the first example that a module accepts.

        Raises:
            InputError: it accepts none of the sizes that are tried.
        """
        call, reason = bind(module, inputs), ""
        names = dict.fromkeys(size for spec in inputs for size in spec.shape if isinstance(size, str))
        for filling, base, multiples in itertools.product((0, 1), EXAMPLE_SIZES, (False, True)):
            step = base if multiples else 1  # two poolings of an image want sizes that 4 divides
            example = cls(tuple(inputs), {name: base + index * step for index, name in enumerate(names)}, filling)
            try:
                with torch.no_grad():
                    call(*example.tensors())
            except Exception as error:  # the user's own code
                reason = reason or first_line(error)
            else:
                return example
        raise InputError(f"the module does not accept {'; '.join(map(str, inputs))}: {reason}")

    def tensors(self, sizes: Mapping[str, int] | None = None, filling: int | None = None) -> tuple[torch.Tensor, ...]:
        """Return one tensor an input.

        Args:
            sizes: of some dynamic dimensions, in the place of the example's.
            filling: in the place of the example's.
        """
        known = {**self.sizes, **(sizes or {})}
        value = self.filling if filling is None else filling
        return tuple(
            torch.full([known[size] if isinstance(size, str) else size for size in spec.shape], value,
                       dtype=getattr(torch, spec.dtype))
            for spec in self.inputs
        )  # fmt: skip
