"""Which argument of a module's ``forward`` each input of a model is: the one place that calls a module.

An input whose name is a parameter of ``forward`` is that parameter. Where one is not, names say nothing, and all inputs
are taken by position, in their order; `Binding.note` says so.
"""

import inspect
import textwrap
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from parity_runtime import InputError, TensorSpec

_BY_NAME = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_LONGEST = 400  # characters of a signature in a message


@dataclass(frozen=True)
class Binding:
    """A module as a function of a model's inputs, in the model's order.

    Attributes:
        module: whose ``forward`` is called.
        names: of the inputs.
        signature: of ``forward``.
        by_name: whether every input is the parameter of its name; else inputs are taken by position.
    """

    module: nn.Module
    names: tuple[str, ...]
    signature: inspect.Signature
    by_name: bool

    def __call__(self, *tensors: torch.Tensor) -> Any:
        """Return what the module returns for one tensor an input."""
        bound = self.arguments(tensors)
        return self.module(*bound.args, **bound.kwargs)

    def arguments(self, values: Sequence[Any]) -> inspect.BoundArguments:
        """Return one value an input as arguments of ``forward``.

        They are positional up to the first parameter that is left at its default, and keywords from there on.
        """
        if not self.by_name:
            return self.signature.bind(*values)
        given = dict(zip(self.names, values, strict=True))
        named = OrderedDict((name, given[name]) for name in self.signature.parameters if name in given)
        return inspect.BoundArguments(self.signature, named)

    def in_order(self, values: Sequence[Any]) -> list[Any]:
        """Return one value an input in the order of ``forward``'s parameters, which torch.export has its inputs in."""
        bound = self.arguments(values)
        return [*bound.args, *bound.kwargs.values()]

    @property
    def note(self) -> str | None:
        """What a person should know of it; None where names decide, or one input meets the only parameter."""
        if self.by_name or len(self.names) == len(self.signature.parameters) == 1:
            return None
        taken = _expanded(self.signature, len(self.names))
        pairs = ", ".join(f"{name} as {parameter}" for name, parameter in zip(self.names, taken, strict=True))
        other = next(name for name in self.names if name not in _named(self.signature))
        return f"forward{_spelled(self.signature)} has no parameter {other}: the inputs are taken by position, {pairs}"


def bind(module: nn.Module, inputs: Sequence[TensorSpec]) -> Binding:
    """Return a module as a function of inputs.

    Args:
        module: any; a wrapper such as torch.compile's is looked into for the names.
        inputs: named as ``forward``'s parameters, in any order; or otherwise, in ``forward``'s order.

    Raises:
        InputError: a parameter without a default gets nothing, or there are more inputs than parameters.
    """
    signature, names = _signature(module), tuple(spec.name for spec in inputs)
    by_name = set(names) <= {*_named(signature)}
    binding = Binding(module, names, signature, by_name)
    try:
        bound = binding.arguments(names)
    except TypeError as error:
        raise InputError(
            f"the module is called as forward{_spelled(signature)}, which does not fit the inputs {', '.join(names)} "
            f"by position: {error}; name the inputs as its parameters"
        ) from error
    missing = [name for name in _required(signature) if name not in bound.arguments]
    if missing:
        raise InputError(
            f"the module is called as forward{_spelled(signature)}, and the inputs {', '.join(names)} leave out "
            f"{', '.join(missing)}; add an input of that name"
        )
    return binding


def bare(module: nn.Module) -> nn.Module:
    """Return the module inside of torch.compile's and data-parallel wrappers: they answer as it does."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _signature(module: nn.Module) -> inspect.Signature:
    module = bare(module)
    if isinstance(module, torch.jit.ScriptModule):
        return _script_signature(module)
    return inspect.signature(module.forward)


def _script_signature(module: torch.jit.ScriptModule) -> inspect.Signature:
    """Return the signature in a TorchScript schema; Python's own view of a traced module has none."""
    forward: Any = module.forward
    _, *arguments = forward.schema.arguments  # without self
    return inspect.Signature(
        [
            inspect.Parameter(
                argument.name,
                inspect.Parameter.KEYWORD_ONLY if argument.kwarg_only else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=argument.default_value if argument.has_default_value() else inspect.Parameter.empty,
            )
            for argument in arguments
        ]
    )


def _named(signature: inspect.Signature) -> list[str]:
    """Return the names of parameters that are one argument each."""
    return [name for name, parameter in signature.parameters.items() if parameter.kind in _BY_NAME]


def _required(signature: inspect.Signature) -> list[str]:
    return [name for name in _named(signature) if signature.parameters[name].default is inspect.Parameter.empty]


def _expanded(signature: inspect.Signature, count: int) -> Iterator[str]:
    """Return what each of ``count`` positional arguments is called in ``forward``."""
    bound = signature.bind(*range(count)).arguments
    for name, value in bound.items():
        yield from [f"{name}[{index}]" for index in range(len(value))] if isinstance(value, tuple) else [name]


def _spelled(signature: inspect.Signature) -> str:
    """Return the parameters on one line, without their types."""
    bare_parameters = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return textwrap.shorten(str(inspect.Signature(bare_parameters)), _LONGEST)


def flatten(returned: Any) -> list[Tensor]:
    """Return the tensors in what a module returned, in torch.export's order."""
    return [leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor)]
