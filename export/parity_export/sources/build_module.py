"""A user's callable, called: what it gives is a module, whose weights are no chance."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from parity_export.sources.argument_binding import bare
from parity_export.sources.pretrained import folder_of, is_pretrained, safe_arguments
from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_runtime.errors import first_line
from parity_runtime.printable import counted
from parity_training.callables import resolve_callable
from parity_training.weights.fit_weights import ShapeError

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class ModuleFactory:
    """A callable and what it is called with.

    Attributes:
        location: ``package.module:Callable``.
        build: it.
        arguments: its keyword arguments.
        folder: its first argument, where it is a ``from_pretrained``; else None.
    """

    location: str
    build: Callable[..., Any]
    arguments: Mapping[str, Any]
    folder: str | None = None

    @classmethod
    def of(cls, location: str, arguments: Mapping[str, Any], weights: Path | None) -> "ModuleFactory":
        """Return the callable of that name.

        Args:
            location: ``package.module:Callable``, or ``package.module:Class.from_pretrained``.
            arguments: its keyword arguments.
            weights: the folder, of a from_pretrained.

        Raises:
            InputError: it cannot be imported, or an argument of a from_pretrained is unsafe or no folder.
        """
        if not is_pretrained(location):
            return cls(location, resolve_callable(location), arguments)
        folder = folder_of(location, arguments, weights)
        build = resolve_callable(location)
        return cls(location, build, safe_arguments(build, arguments), folder)

    def __call__(self, **changed: Any) -> nn.Module:
        """Call it.

        Args:
            changed: arguments in the place of others.

        Raises:
            InputError: it fails, or gives no module.
        """
        try:
            module = self.build(*self._first(), **{**self.arguments, **changed})
        except (Exception, SystemExit) as error:  # the user's own code
            said = f"{self.location}({self._spelled()}) failed: {first_line(error)}{self._not_given(changed)}"
            raise InputError(said) from error
        if not isinstance(module, nn.Module):
            raise InputError(f"{self.location} gives a {type(module).__name__}, not a torch.nn.Module")
        return bare(module)

    def with_own_weights(self) -> nn.Module:
        """Call it where it loads its weights itself: twice, to see that it does.

        Raises:
            InputError: two calls give different weights: they are random.
        """
        module, again = self._seeded(0), self._seeded(1)
        others = _tensors(again)
        random = [name for name, tensor in _tensors(module).items() if not _same(tensor, others.get(name))]
        if random and self.folder is not None:
            raise InputError(
                f"{self.folder} has no weights for {_listed(random)}, which {self.location} then draws at random; give "
                "the folder of a network of this class, or the class that the folder is of"
            )
        if random:
            raise InputError(
                f"the weights of {self.location} are random (two calls differ in {_listed(random)}); give its "
                f"state_dict: {argument('weights', 'FILE')}"
            )
        return module

    def way_out(self, error: ShapeError) -> str:
        """Return the argument that gives the module a checkpoint's size, where one does; else a question."""
        sizes = {pair for pair in zip(error.found, error.wanted, strict=False) if pair[0] != pair[1]}
        if len(error.found) == len(error.wanted) and len(sizes) == 1:
            ((found, wanted),) = sizes
            names = [name for name, value in self._integers().items() if value == wanted]
            for name in names:
                if self._has_shape(error, {name: found}):
                    return "; it has with " + either(f"arguments={{{name!r}: {found}}}", f"--arg {name}={found}")
        return "; is it another network's, or one that was built with other arguments?"

    def _seeded(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self()

    def _integers(self) -> dict[str, int]:
        """Return the whole numbers among the arguments, those that are left at their defaults included."""
        try:
            parameters = inspect.signature(self.build).parameters
        except (TypeError, ValueError):  # of a class that is written in C
            return {}
        given = {name: parameter.default for name, parameter in parameters.items()} | dict(self.arguments)
        return {name: value for name, value in given.items() if isinstance(value, int) and not isinstance(value, bool)}

    def _not_given(self, changed: Mapping[str, Any]) -> str:
        """Return how to give the arguments that have no default and were not given; nothing where all were."""
        given = {**self.arguments, **changed}
        try:
            signature = inspect.signature(self.build)
        except ValueError:  # of a class that is written in C
            return ""
        parameters = [one for one in signature.parameters.values() if one.kind in _NAMED][len(self._first()) :]
        names = [one.name for one in parameters if one.default is one.empty and one.name not in given]
        if not names:
            return ""
        ways = either(
            "arguments={" + ", ".join(f"{name!r}: ..." for name in names) + "}",
            " ".join(f"--arg {name}=VALUE" for name in names),
        )
        return f"; give it {ways}"

    def _has_shape(self, error: ShapeError, changed: dict[str, int]) -> bool:
        try:
            tensor = self(**changed).state_dict().get(error.name)
        except InputError:
            return False
        return tensor is not None and tuple(tensor.shape) == error.found

    def _first(self) -> tuple[str, ...]:
        return () if self.folder is None else (self.folder,)

    def _spelled(self) -> str:
        return ", ".join([*map(repr, self._first()), *(f"{name}={value!r}" for name, value in self.arguments.items())])


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _same(one: Tensor, other: Tensor | None) -> bool:
    """Whether two tensors are the same, NaN where NaN is."""
    if other is None or one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())  # noqa: PLR0124


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {counted(len(names) - 1, 'other')}"
