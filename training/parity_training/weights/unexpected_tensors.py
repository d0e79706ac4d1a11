"""Tensors of a checkpoint that its module lacks: harmless ones, those that a person leaves out, and the rest."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import counted, shown
from parity_training.weights.weights_file import StateDict

_HARMLESS = {
    "n_averaged": "how many weights were averaged",
    "num_batches_tracked": "how many batches were normalized",
    "position_ids": "0, 1, 2, ...",
}
"""Integers that no answer depends on, by the last part of their name: of swa_utils, BatchNorm, transformers."""

_MOST_PATTERNS = 4  # in a message; more are one pattern for all


def refuse_unprefixed(given: Iterable[str], prefix: str, ignore: Sequence[str], path: Path) -> None:
    """Refuse tensors that do not begin with the prefix that a person named, but for those that are left out.

    Raises:
        InputError: names the first, and the option that leaves them out.
    """
    given = list(given)
    others = [name for name in given if not name.startswith(prefix) and not _matches(name, ignore)]
    others = [name for name in others if name.rpartition(".")[2] not in _HARMLESS]
    if others:
        all_of_them = not any(name.startswith(prefix) for name in given)
        way_out = "" if all_of_them else f"; leave out what does not with {ignoring(others)}"
        raise InputError(f"{path}: the tensor {shown(others[0])} does not begin with the prefix {prefix!r}{way_out}")


def left_out(unused: StateDict, ignore: Sequence[str], path: Path) -> tuple[list[str], list[str]]:
    """Return the names that nothing excuses, and what is said of the others, and of patterns that match none."""
    harmless = {name for name, tensor in unused.items() if is_harmless(name, tensor)}
    ignored = [name for name in unused if _matches(name, ignore) and name not in harmless]
    notes = []
    if harmless:
        kinds = sorted({name.rpartition(".")[2] for name in harmless})
        reasons = ", ".join(f"{kind} ({_HARMLESS[kind]})" for kind in kinds)
        notes.append(f"{path.name}: {counted(len(harmless), 'tensor')} left out that no output depends on: {reasons}")
    if ignored:
        listed = argument("ignore", list(ignore))
        notes.append(f"{path.name}: {counted(len(ignored), 'tensor')} left out, as {listed} says")
    idle = [pattern for pattern in ignore if not any(_matches(name, [pattern]) for name in unused)]
    if idle:
        notes.append(f"{path.name}: {argument('ignore', idle)} matches no tensor that the network lacks")
    return [name for name in unused if name not in harmless and name not in ignored], notes


def is_harmless(name: str, tensor: Tensor) -> bool:
    """Whether no answer depends on a tensor of that name: a counter, or numbers in their order."""
    return name.rpartition(".")[2] in _HARMLESS and not tensor.is_floating_point() and not tensor.is_complex()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def ignoring(names: Sequence[str]) -> str:
    """Return the option that leaves these tensors out, in as few patterns as say which they are."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], []).append(name)
    patterns = [_pattern(group) for group in groups.values()]
    patterns = patterns if len(patterns) <= _MOST_PATTERNS else ["*"]
    return argument("ignore", patterns)


def _pattern(names: Sequence[str]) -> str:
    if len(names) == 1 and "." not in names[0]:
        return re.sub(r"([\[*?])", r"[\1]", names[0])
    parts = [name.split(".")[:-1] for name in names]
    shared = 0
    while all(len(part) > shared and part[shared] == parts[0][shared] for part in parts):
        shared += 1
    return ".".join([*parts[0][:shared], "*"])
