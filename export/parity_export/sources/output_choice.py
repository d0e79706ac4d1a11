"""Which of the tensors that a module returns are its outputs, and what they are called."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from parity_runtime import InputError
from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.printable import shown

_CACHES = ("past_key_values", "cache_params")
"""What transformers call what a network keeps from token to token, where it is no class of its own."""

_MEANINGS = ("logits", "probabilities")
"""What an output of a classifier is said to be."""

_SHOWN = 12  # names in a message

Step = str | int


@dataclass(frozen=True)
class Leaf:
    """A tensor, or something else, in what a module returns.

    Attributes:
        name: its place, with dots: ``logits``, ``hidden_states.0``, ``1``; ``""`` where the module returns it alone.
        steps: to it: keys, attributes and indices.
        kept: whether it is an output where nothing is chosen; what is kept from call to call is not.
    """

    name: str
    steps: tuple[Step, ...]
    kept: bool = True

    def of(self, returned: Any) -> Any:
        """Return it from what a module returned."""
        for step in self.steps:
            if isinstance(step, int) or isinstance(returned, Mapping):
                returned = returned[step]
            else:
                returned = getattr(returned, step)
        return returned


@dataclass(frozen=True)
class OutputChoice:
    """The outputs among what a module returns.

    Attributes:
        outputs: name and place of each; none where a module's return is taken as it is.
        known: all tensors that it returns, by name.
        notes: what was left out without being asked, a line each.
        by_person: whether a person chose them.
    """

    outputs: tuple[tuple[str, Leaf], ...] = ()
    known: tuple[Leaf, ...] = ()
    notes: tuple[str, ...] = ()
    by_person: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What the outputs are called."""
        return tuple(name for name, _ in self.outputs) or unnamed(max(1, len(self.known)))

    def pick(self, returned: Any) -> Any:
        """Return the one output, or all of them as a tuple; as it is where nothing is to be chosen."""
        if not self.outputs:
            return returned
        found = tuple(leaf.of(returned) for _, leaf in self.outputs)
        return found[0] if len(found) == 1 else found

    def matching(self, names: Sequence[str]) -> "OutputChoice":
        """Return the outputs of these names, where the module returns all of them and no person chose others."""
        known = {leaf.name: leaf for leaf in self.known}
        if self.by_person or not set(names) <= set(known) or names == list(self.names):
            return self
        return dataclasses.replace(self, outputs=tuple((name, known[name]) for name in names), notes=())


def all_outputs(returned: Any) -> OutputChoice:
    """Return all the tensors in what a module returned, but those that it keeps from call to call.

    A tensor, and a tuple or list of tensors, are taken as they are.
    """
    known = tuple(_tensors(returned))
    kept = [leaf for leaf in known if leaf.kept]
    if not kept or (len(kept) == len(known) and not _is_named(known)):
        return OutputChoice(known=known)
    left = dict.fromkeys(leaf.name.partition(".")[0] for leaf in known if not leaf.kept)
    option = argument("output", [next(iter(left))]) if left else ""
    notes = (f"the module also returns {', '.join(left)}, which is left out; {option} takes it",) if left else ()
    return OutputChoice(tuple(zip(_names(kept), kept, strict=True)), known, notes)


def chosen_outputs(returned: Any, chosen: Sequence[tuple[str, str]]) -> OutputChoice:
    """Return the outputs that a person chose.

    Args:
        returned: what the module returned.
        chosen: the module's name of each, and what it is called in the package; the name of several that lie together,
            as ``hidden_states``, takes all of them.

    Raises:
        InputError: there is no tensor of a name, or two would be called the same.
    """
    known = tuple(_tensors(returned))
    outputs: list[tuple[str, Leaf]] = []
    for name, called in chosen:
        below = [leaf for leaf in known if leaf.name == name or leaf.name.startswith(f"{name}.")]
        if not below:
            raise InputError(_not_there(name, known))
        outputs += [(_called(leaf, name, called), leaf) for leaf in below]
    names = [name for name, _ in outputs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two outputs would be called {shown(twice)}: {argument('output')} names one twice")
    return OutputChoice(tuple(outputs), known, by_person=True)


def _not_there(name: str, known: Sequence[Leaf]) -> str:
    names = list(dict.fromkeys(leaf.name or "a tensor alone" for leaf in known))
    if not known or names == ["a tensor alone"]:
        chosen = argument("output", [name])
        return f"{chosen} chooses among several outputs, and the module returns one tensor alone; leave it out"
    more = ", ..." if len(names) > _SHOWN else ""
    hint = did_you_mean(name, names)
    if not hint and name in _MEANINGS:
        hint = f"; what it calls {shown(names[0])} is taken for that with {argument('output', f'{names[0]}={name}')}"
    return f"the module returns no tensor {shown(name)}, but {', '.join(names[:_SHOWN])}{more}{hint}"


def _called(leaf: Leaf, name: str, called: str) -> str:
    """Return what a tensor is called in the package that was chosen by its name, or by what it lies in."""
    if called == name and name.partition(".")[0].isdecimal():
        return f"output_{leaf.name}"
    return f"{called}{leaf.name.removeprefix(name)}"


def unnamed(count: int) -> tuple[str, ...]:
    """Return what tensors without names are called: ``output``, or ``output_0``, ``output_1``, ..."""
    return ("output",) if count == 1 else tuple(f"output_{index}" for index in range(count))


def _names(leaves: Sequence[Leaf]) -> Sequence[str]:
    if not _is_named(leaves):
        return unnamed(len(leaves))
    return [f"output_{leaf.name}" if leaf.name.partition(".")[0].isdecimal() else leaf.name for leaf in leaves]


def _is_named(leaves: Sequence[Leaf]) -> bool:
    return any(not part.isdecimal() for leaf in leaves if leaf.name for part in leaf.name.split("."))


def _tensors(returned: Any) -> Iterator[Leaf]:
    for leaf in leaves_of(returned):
        if isinstance(leaf.of(returned), Tensor):
            yield leaf


def leaves_of(returned: Any) -> Iterator[Leaf]:
    """Yield all that lies in what a module returned and is no container, but for None."""
    yield from _leaves(returned, Leaf("", ()))


def _leaves(value: Any, place: Leaf) -> Iterator[Leaf]:
    if value is None:
        return
    inside = None if isinstance(value, Tensor) else _inside(value)
    if inside is None:
        yield place
        return
    kept = place.kept and not _is_cache(value)
    for key, steps, item in inside:
        name = f"{place.name}.{key}" if place.name else str(key)
        yield from _leaves(item, Leaf(name, place.steps + steps, kept and key not in _CACHES))


def _inside(value: Any) -> list[tuple[Step, tuple[Step, ...], Any]] | None:
    """Return what a container holds: its name there, the steps to it, itself; None of what is none."""
    if isinstance(value, Mapping):  # transformers' ModelOutput is one
        return [(str(key), (key,), item) for key, item in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(name, (index,), value[index]) for index, name in enumerate(value._fields)]
    if isinstance(value, list | tuple):
        return [(index, (index,), item) for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(one.name, (one.name,), getattr(value, one.name)) for one in dataclasses.fields(value)]
    if _is_cache(value):
        return [
            (f"{index}.{name}", ("layers", index, name), getattr(layer, name, None))
            for index, layer in enumerate(getattr(value, "layers", ()))
            for name in ("keys", "values")
        ]
    return None


def _is_cache(value: Any) -> bool:
    """Whether a value is one of transformers' caches, whatever its version calls it."""
    return any(base.__name__ == "Cache" or base.__name__.endswith("Cache") for base in type(value).__mro__)
