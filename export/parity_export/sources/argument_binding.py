"""Which argument of a module's ``forward`` each input of a model is: the one place that calls a module.

An input whose name is a parameter of ``forward`` is that parameter; ``batch.ids`` and ``batch.mask`` lie in a dict, the
parameter ``batch``. Where a name is no parameter, names say nothing, and all inputs are taken by position, in their
order; `Binding.note` says so. What the module returns goes through the `OutputChoice`.
"""

import contextlib
import inspect
import textwrap
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from parity_export.onnx_module.graph_module import GraphModule
from parity_export.sources.half_precision import HALF, AsFloat32
from parity_export.sources.nested_arguments import grouped, packed, with_caches
from parity_export.sources.output_choice import OutputChoice
from parity_runtime import InputError, TensorSpec

_BY_NAME = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_LONGEST = 400  # characters of a signature in a message

Groups = dict[str, list[str]]
"""The inputs of each argument, by its name, or what stands for it where arguments are taken by position."""


@dataclass(frozen=True)
class Binding:
    """A module as a function of a model's inputs, in the model's order.

    Attributes:
        module: whose ``forward`` is called.
        names: of the inputs.
        signature: of ``forward``.
        groups: the inputs that each argument is made of.
        by_name: whether every argument is the parameter of its name, or one of ``**kwargs``; else it is taken by
            position.
        outputs: which of the tensors that the module returns are its outputs.
        as_float32: whether what the module's code asks to be in half precision is float32.
    """

    module: nn.Module
    names: tuple[str, ...]
    signature: inspect.Signature
    groups: Groups
    by_name: bool
    outputs: OutputChoice = field(default_factory=OutputChoice)
    as_float32: bool = False

    def __call__(self, *tensors: Tensor) -> Any:
        """Return what the module returns for one tensor an input: the one output, or several in a container."""
        if self.as_float32:
            tensors = tuple(tensor.float() if tensor.dtype in HALF else tensor for tensor in tensors)
        bound = self.arguments(tensors)
        bound.arguments = with_caches(bound.arguments)
        with AsFloat32() if self.as_float32 else contextlib.nullcontext():
            returned = self.module(*bound.args, **bound.kwargs)
        return self.outputs.pick(returned)

    def arguments(self, values: Sequence[Any]) -> inspect.BoundArguments:
        """Return one value an input as arguments of ``forward``.

        They are positional up to the first parameter that is left at its default, and keywords from there on.
        """
        given = dict(zip(self.names, values, strict=True))
        arguments = {
            name: given[name] if group == [name] else packed(group, given) for name, group in self.groups.items()
        }
        if not self.by_name:
            return self.signature.bind(*arguments.values())
        named = OrderedDict((name, arguments.pop(name)) for name in self.signature.parameters if name in arguments)
        if arguments:
            named[_keywords(self.signature) or ""] = arguments
        return inspect.BoundArguments(self.signature, named)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameter of ``forward`` that each input is, or is a part of."""
        if self.by_name or self.is_graph:
            return {name: group for group, names in self.groups.items() for name in names}
        taken = [*self.signature.parameters, *self.groups]
        return {name: one for one, names in zip(taken, self.groups.values(), strict=False) for name in names}

    def in_order(self, values: Sequence[Any]) -> list[Any]:
        """Return one value an input in the order of ``forward``'s parameters, which torch.export has its inputs in."""
        bound = self.arguments(values)
        return [*bound.args, *bound.kwargs.values()]

    @property
    def is_graph(self) -> bool:
        """Whether the module is an ONNX graph, whose inputs are its arguments, in its order."""
        return isinstance(self.module, GraphModule)

    def exportable(self) -> "Binding":
        """Return a binding whose module takes its tensors one by one and returns them in a tuple, for torch.export.

        It is the same one where the module itself does so; else `CALLED` stands before the names of its tensors.
        """
        nested = any(len(group) > 1 or group[0] != name for name, group in self.groups.items())
        keywords = self.by_name and not set(self.groups) <= {*_named(self.signature)}
        if not (nested or keywords or self.outputs.outputs or self.as_float32 or _has_reserved_name(self.module)):
            return self
        called = _Called(self)
        return Binding(called, self.names, inspect.signature(called.forward), {name: [name] for name in self.names},
                       by_name=False)  # fmt: skip

    @property
    def note(self) -> str | None:
        """What a person should know of it; None where names decide, or one input meets the only parameter."""
        known = self.names if self.is_graph else _named(self.signature)
        other = next((name for name in self.groups if name not in known), None)
        if other is None or len(self.groups) == len(self.signature.parameters) == 1:
            return None
        spelled = f"forward{_spelled(self.signature)} has no parameter {other}"
        if self.by_name:
            return f"{spelled}: it is one of **{_keywords(self.signature)}"
        pairs = ", ".join(
            f"{name} as {parameter}"
            for name, parameter in zip(self.groups, _expanded(self.signature, len(self.groups)), strict=True)
        )
        return f"{spelled}: the inputs are taken by position, {pairs}"


def _has_reserved_name(module: nn.Module) -> bool:
    """Whether a child or a tensor has the name of an attribute of the module that torch makes: ``code``, ``graph``."""
    named = (module._modules, module._parameters, module._buffers)
    return any(hasattr(torch.fx.GraphModule, name) for names in named for name in names)


CALLED = "module."
"""What stands before the names of a module's tensors where `Binding.exportable` puts another module around it."""


class _Called(nn.Module):
    """A binding as a module of tensors."""

    def __init__(self, call: Binding) -> None:
        super().__init__()
        self.module, self._call = call.module, call
        self.training = False

    def forward(self, *tensors: Tensor) -> Any:
        returned = flatten(self._call(*tensors))
        return returned[0] if len(returned) == 1 else tuple(returned)


def bind(module: nn.Module | Binding, inputs: Sequence[TensorSpec]) -> Binding:
    """Return a module as a function of inputs.

    Args:
        module: any; a wrapper such as torch.compile's is looked into for the names. A binding is returned as it is.
        inputs: named as ``forward``'s parameters, in any order; or otherwise, in ``forward``'s order. Names with dots,
            as ``batch.ids``, lie in a dict or a tuple.

    Raises:
        InputError: a parameter without a default gets nothing, or there are more inputs than parameters.
    """
    if isinstance(module, Binding):
        return module
    signature, names = _signature(module), tuple(spec.name for spec in inputs)
    if isinstance(module, GraphModule):  # a dot in a name means nothing there
        return Binding(module, names, signature, {name: [name] for name in names}, by_name=False)
    groups, by_name = _groups(signature, names)
    binding = Binding(module, names, signature, groups, by_name)
    bound = binding.arguments(names)
    missing = [name for name in _required(signature) if name not in bound.arguments]
    if missing:
        raise InputError(
            f"the module is called as forward{_spelled(signature)}, and the inputs {', '.join(names)} leave out "
            f"{', '.join(missing)}; add an input of that name"
        )
    return binding


def required_names(module: nn.Module) -> list[str]:
    """Return the parameters of a module's ``forward`` that must be given, or else the first one that may be."""
    signature = _signature(module)
    return _required(signature) or [*_named(signature)][:1] or ["features"]


def _groups(signature: inspect.Signature, names: Sequence[str]) -> tuple[Groups, bool]:
    """Return which inputs are one argument together, and whether arguments are named.

    Names with dots are inputs of their own where that is all that fits: other exporters have them too (``input.1``).

    Raises:
        InputError: the inputs are no arguments of ``forward``, by name or by position.
    """
    alone: Groups = {name: [name] for name in names}
    together = grouped(names) or alone
    known = {*_named(signature)}
    for groups in (alone, together):
        if set(groups) <= known:
            return groups, True
    several = any(len(group) > 1 for group in together.values())
    reason = ""
    for groups in (together, alone) if several else (alone, together):
        try:
            signature.bind(*groups)
        except TypeError as error:
            reason = reason or str(error)
        else:
            return groups, False
    if _keywords(signature) is not None and {*_required(signature)} <= set(together):
        return together, True
    raise InputError(
        f"the module is called as forward{_spelled(signature)}, which does not fit the inputs {', '.join(names)} "
        f"by position: {reason}; name the inputs as its parameters"
    )


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


def _keywords(signature: inspect.Signature) -> str | None:
    """Return the name of the parameter that takes all other keywords; None without one."""
    kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
    return kinds.get(inspect.Parameter.VAR_KEYWORD)


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
