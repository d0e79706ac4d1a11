"""A checkpoint's tensors fitted to a module: what can be taken without a loss is taken and said, the rest is refused.

A missing tensor is not excused, but for counters: a layer that is not loaded answers at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_runtime.printable import counted, shown
from parity_training.weights.convert_dtypes import converted
from parity_training.weights.describe import and_more, described
from parity_training.weights.renaming import Renaming, renamings, without_wrappers
from parity_training.weights.tied_tensors import refuse_untied, tied_tensors
from parity_training.weights.unexpected_tensors import ignoring, is_harmless, left_out, refuse_unprefixed
from parity_training.weights.weights_file import StateDict


class ShapeError(InputError):
    """A tensor of a checkpoint has another shape than the module's.

    Attributes:
        name: of the tensor, in the module.
        found: its shape in the checkpoint.
        wanted: its shape in the module.
    """

    def __init__(self, problem: str, name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        super().__init__(problem)
        self.name, self.found, self.wanted = name, found, wanted


@dataclass(frozen=True)
class Fit:
    """How a checkpoint fits a module.

    Attributes:
        path: of the checkpoint.
        expected: the module's tensors.
        taken: those that were found for them, by the module's names.
        missing: the module's names for which there is none.
        unexpected: the checkpoint's names that the module lacks, and nothing excuses.
        choices: renamings that fit equally well; one of them is to be chosen.
        notes: what was done to make them fit, a line each.
    """

    path: Path
    expected: StateDict
    taken: StateDict
    missing: list[str]
    unexpected: list[str]
    choices: list[Renaming]
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether each tensor of the module is there, in its shape."""
        return not self.missing and not self.misshapen

    @property
    def misshapen(self) -> list[str]:
        """The names of tensors in another shape than the module's."""
        return [name for name, tensor in self.taken.items() if tensor.shape != self.expected[name].shape]

    def weights(self) -> StateDict:
        """Return the module's state_dict in its own dtypes; what this took stands in ``notes``.

        Raises:
            InputError: a tensor is missing, not expected, of another shape, or cannot be converted without a loss.
        """
        self._refuse_several()
        self._refuse_missing()
        self._refuse_misshapen()
        self._refuse_unexpected()
        refuse_untied(self.taken, self.expected, self.path)
        weights, notes = converted(self.taken, self.expected, self.path)
        self.notes.extend(notes)
        return weights

    def _refuse_several(self) -> None:
        if len(self.choices) > 1 and self.is_whole:
            prefixes = [choice.strip for choice in self.choices]
            wanted = " or ".join(
                _strip(prefix, [other for other in prefixes if other != prefix]) for prefix in prefixes
            )
            raise InputError(
                f"{self.path}: the weights of the network are there {len(prefixes)} times, under the prefixes "
                f"{', '.join(prefixes)}; choose one: {wanted}"
            )

    def _refuse_missing(self) -> None:
        if self.missing:
            raise InputError(
                f"{self.path}: the tensor {shown(self.missing[0])} is missing{and_more(self.missing)}; is it another "
                "network's?"
            )

    def _refuse_misshapen(self) -> None:
        if self.misshapen:
            name = self.misshapen[0]
            found, wanted = self.taken[name], self.expected[name]
            raise ShapeError(
                f"{self.path}: the tensor {shown(name)} is {described(found)}; the network has {described(wanted)}"
                f"{and_more(self.misshapen)}",
                name, tuple(found.shape), tuple(wanted.shape),
            )  # fmt: skip

    def _refuse_unexpected(self) -> None:
        if self.unexpected:
            raise InputError(
                f"{self.path}: the network has no tensor {shown(self.unexpected[0])}{and_more(self.unexpected)}; "
                f"leave out what it lacks with {ignoring(self.unexpected)}, unless the file is another network's"
            )


def fit(module: nn.Module, given: StateDict, path: Path, strip_prefix: str, ignore: Sequence[str]) -> Fit:
    """Return how a checkpoint fits a module.

    Args:
        module: takes the weights; nothing of it is changed.
        given: the checkpoint's tensors.
        path: of the checkpoint.
        strip_prefix: taken off every name; where it is ``""``, a prefix is looked for.
        ignore: patterns of names that the module may lack (`fnmatch`).

    Raises:
        InputError: a name does not begin with the prefix.
    """
    expected = module.state_dict()
    choices, places = _places(given, expected, strip_prefix)
    if strip_prefix:
        refuse_unprefixed(given, strip_prefix, ignore, path)
    taken = {place: given[name] for name, place in places.items() if place is not None}
    unexpected, notes = left_out({name: given[name] for name in places if places[name] is None}, ignore, path)
    if choices[0] != Renaming():
        notes.insert(0, f"{path.name}: {_said(choices[0], len(taken))}")
    tied = tied_tensors(expected, taken)
    if tied:
        once = f"{', '.join(tied)} is stored once, as {', '.join(dict.fromkeys(tied.values()))}"
        notes.append(f"{path.name}: {once}, with which the network ties it")
    taken |= {name: taken[other] for name, other in tied.items()}
    counters = {name: tensor for name, tensor in expected.items() if name not in taken and is_harmless(name, tensor)}
    if counters:
        kinds = ", ".join(sorted({name.rpartition(".")[2] for name in counters}))
        notes.append(f"{path.name}: {counted(len(counters), 'tensor')} missing that no output depends on: {kinds}")
    taken |= counters
    missing = [name for name in expected if name not in taken]
    return Fit(path, expected, taken, missing, unexpected, choices, notes)


def _places(given: StateDict, expected: StateDict, strip_prefix: str) -> tuple[list[Renaming], dict[str, str | None]]:
    """Return the renamings that do best, and the module's name of each tensor by the first, or None."""
    ours, theirs = without_wrappers(given), without_wrappers(expected)
    wanted = {theirs[name]: tensor for name, tensor in expected.items()}
    named = {ours[name]: tensor for name, tensor in given.items()}
    choices = [Renaming(strip_prefix)] if strip_prefix else renamings(named, wanted)
    back = {plain: name for name, plain in theirs.items()}
    return choices, {name: back.get(choices[0](plain) or "") for name, plain in ours.items()}


def _strip(prefix: str, others: Sequence[str]) -> str:
    """Return the options that take the weights under one prefix, and leave out those under the others."""
    rest = argument("ignore", [f"{other}*" for other in others])
    return either(", ", " ").join([argument("strip_prefix", prefix), rest])


def _said(renaming: Renaming, count: int) -> str:
    off = f"the prefix {renaming.strip} is taken off" if renaming.strip else ""
    put = f"{renaming.add} is put before" if renaming.add else ""
    return f"{' and '.join(part for part in (off, put) if part)} the names of {counted(count, 'tensor')}"
