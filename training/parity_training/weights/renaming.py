"""How the names of a checkpoint become a module's: wrappers leave prefixes, and a body is saved without its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile, FSDP and activation checkpointing put into names, in front or in the middle."""

_ANCHORS = 8  # names of the module that are looked for in the checkpoint


@dataclass(frozen=True)
class Renaming:
    """A prefix that is taken off, and one that is put before the rest.

    Attributes:
        strip: taken off; a name without it is not renamed.
        add: put before.
    """

    strip: str = ""
    add: str = ""

    def __call__(self, name: str) -> str | None:
        """Return the module's name of a tensor; None of one that does not begin with the prefix."""
        return self.add + name.removeprefix(self.strip) if name.startswith(self.strip) else None


def without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Return each name without what wrappers put into it; all as they are where two would become one."""
    names = list(names)
    plain = {name: _unwrapped(name) for name in names}
    return plain if len(set(plain.values())) == len(names) else {name: name for name in names}


def _unwrapped(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "") if f".{wrapper}" in f".{name}" else name
    return name


def renamings(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[Renaming]:
    """Return the renamings under which most tensors of a checkpoint are a module's, by name and shape.

    Names as they are come first: prefixes are looked for where they do not do.

    Args:
        given: the checkpoint's tensors.
        expected: the module's, those that must be there.

    Returns:
        One; or several that do equally well, of which a person has to choose.
    """
    as_they_are = Renaming()
    if not expected or _matched(as_they_are, given, expected) == len(expected):
        return [as_they_are]
    anchors = sorted(expected, key=lambda name: name.count("."), reverse=True)[:_ANCHORS]
    ends: dict[str, list[str]] = {}
    for name in given:
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    found = {as_they_are} | {
        _between(name, anchor) for anchor in anchors for name in ends.get(anchor.rpartition(".")[2], ())
    }
    counts = {renaming: _matched(renaming, given, expected) for renaming in found}
    best = max(counts.values())
    if counts[as_they_are] == best or 2 * best < len(expected):  # another network has a name or two in common
        return [as_they_are]
    return sorted((one for one, count in counts.items() if count == best), key=lambda one: (one.strip, one.add))


def _matched(renaming: Renaming, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> int:
    count = 0
    for name, tensor in given.items():
        wanted = expected.get(renaming(name) or "")
        count += wanted is not None and wanted.shape == tensor.shape
    return count


def _between(name: str, wanted: str) -> Renaming:
    """Return the renaming from one name to another: what stands before the parts in which they end alike."""
    ours, theirs = name.split("."), wanted.split(".")
    alike = 0
    while alike < min(len(ours), len(theirs)) and ours[-1 - alike] == theirs[-1 - alike]:
        alike += 1
    strip, add = ours[: len(ours) - alike], theirs[: len(theirs) - alike]
    return Renaming("".join(f"{part}." for part in strip), "".join(f"{part}." for part in add))
