"""Examples of a module's arguments: zeros, or ones, inside of what its inputs may hold, of sizes that it accepts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from parity_export.sources.argument_binding import Binding, bind
from parity_export.sources.dimension_choices import DimensionChoices
from parity_export.sources.domain_arrays import example
from parity_export.sources.input_domain import InputDomain
from parity_runtime import InputError, TensorSpec
from parity_runtime.dimension_rule import DimensionRule, with_derived
from parity_runtime.errors import first_line

EXAMPLE_SIZES = (2, 4, 16, 64)
"""Sizes of dynamic dimensions that are tried until the module accepts one (pooling needs a certain width)."""


class NotAcceptedError(InputError):
    """A module takes none of the sizes that are tried."""


@dataclass(frozen=True)
class Example:
    """Arguments that a module accepts.

    Attributes:
        inputs: what the module takes.
        sizes: of the dynamic dimensions, each one of its own, from 2 on: torch.export specializes the sizes 0 and 1,
            and takes equal sizes for equal dimensions.
        filling: what every tensor is filled with as far as its domain holds it: 0, or 1 where the module takes no
            zeros (all of a text is padding).
        rules: what was said of the dynamic dimensions.
    """

    inputs: tuple[TensorSpec, ...]
    sizes: Mapping[str, int]
    filling: int = 0
    rules: tuple[DimensionRule, ...] = ()

    @classmethod
    def of(
        cls, module: nn.Module | Binding, inputs: Sequence[TensorSpec], rules: Sequence[DimensionRule] = ()
    ) -> "Example":
        """Return the first example that a module accepts.

        Raises:
            NotAcceptedError: it accepts none of the sizes that are tried.
        """
        call, reason = bind(module, inputs), ""
        choices = DimensionChoices(tuple(inputs), tuple(rules))
        for filling, base, multiples in itertools.product((0, 1), EXAMPLE_SIZES, (False, True)):
            step = base if multiples else 1  # two poolings of an image want sizes that 4 divides
            sizes = choices.apart({name: base + index * step for index, name in enumerate(choices.names)})
            if sizes is None:
                continue
            found = cls(choices.inputs, sizes, filling, choices.rules)
            try:
                with torch.no_grad():
                    call(*found.tensors())
            except Exception as error:  # the user's own code
                reason = reason or first_line(error)
            else:
                return found
        raise NotAcceptedError(f"the module does not accept {'; '.join(map(str, inputs))}: {reason}")

    @property
    def choices(self) -> DimensionChoices:
        """The dynamic dimensions with their rules."""
        return DimensionChoices(self.inputs, self.rules)

    def tensors(self, sizes: Mapping[str, int] | None = None, filling: int | None = None) -> tuple[torch.Tensor, ...]:
        """Return one tensor an input, inside of its domain.

        Args:
            sizes: of some dynamic dimensions, in the place of the example's; derived ones follow.
            filling: in the place of the example's.
        """
        known = with_derived(self.rules, {**self.sizes, **(sizes or {})})
        value = self.filling if filling is None else filling
        return tuple(_tensor(spec, known, value) for spec in self.inputs)


def _tensor(spec: TensorSpec, sizes: Mapping[str, int], filling: int) -> torch.Tensor:
    shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
    if not spec.domain:
        return torch.full(shape, filling, dtype=getattr(torch, spec.dtype))
    return torch.from_numpy(example(InputDomain.of(spec), shape, sizes, filling, spec.numpy_dtype))
