"""At which sizes of the dynamic dimensions other than the batch the module and the graph are run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parity_export.sources.dimension_choices import DimensionChoices
from parity_export.sources.domain_arrays import sizes_of_rows
from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract
from parity_runtime.contract import batch_name
from parity_runtime.dimension_rule import DimensionRule

OTHER_SIZES = (1, 2, 5, 17, 8, 32, 64, 16)
"""Sizes of dynamic dimensions other than the batch, each dimension at one of its own: the probes are run at the sizes
of the sample, or at sizes that torch accepts, then again at the first four assignments of these that torch accepts, at
a long one, and one beyond each integer at which the graph may cut an axis. A dimension of which something was said is
asked at the smallest of its sizes, and at its largest."""

LONG = 128
_OTHER_ASKED = 4
_LONGEST = 1088  # where nobody says what a row costs: every integer at which an axis is cut is asked
_NO_SIZE = 1_000_003  # no other dimension has it
_SHORTEST_LONG = 16  # of the second dimension and those behind it, each half as long as the one before

Sizes = dict[str, int]


def other_dimensions(contract: ModelContract) -> list[str]:
    """Return the names of the dynamic dimensions but the batch, in the inputs' order."""
    batch = batch_name(contract)
    names = dict.fromkeys(size for spec in contract.inputs for size in spec.shape if isinstance(size, str))
    return [name for name in names if name != batch]


def main_sizes(source: ModelSource, names: list[str]) -> dict[str, int]:
    """Return the sizes of the main probes: the sample's, where there is one, else those of the export."""
    accepted = source.example.sizes
    sizes = {name: accepted[name] for name in names}
    if source.sample is None:
        return sizes
    found = sizes_of_rows(source.contract.inputs, source.sample, batch_name(source.contract))
    return {name: found.get(name, size) for name, size in sizes.items()}


def accepted_sizes(
    source: ModelSource,
    names: list[str],
    refused: list[str],
    lengths: tuple[int, ...],
    affordable: Callable[[Sizes], bool] | None = None,
) -> Iterator[Sizes]:
    """Yield the sizes at which probes are run again; what torch refuses is noted.

    Args:
        source: the module.
        names: of the dimensions but the batch.
        refused: gets a line for each assignment that torch refuses.
        lengths: one beyond each integer at which the graph may cut an axis.
        affordable: whether a row of some sizes costs little enough; of sizes up to a thousand if None.
    """
    choices, left = source.example.choices, _OTHER_ASKED
    free = [name for name in choices.free if name in names]
    asked: list[Sizes] = []
    decided = [_Wanted(dict(sizes), exact=True) for sizes in source.decided_sizes]
    for wanted in [*decided, *_assignments(choices, free, lengths)]:
        if wanted.few and not left:
            continue
        sizes = _settled(source, wanted, affordable or _is_short)
        dimensions = {} if sizes is None else {name: sizes[name] for name in names}
        if not dimensions or dimensions in asked:
            continue
        asked.append(dimensions)
        reason = source.refusal(dimensions)
        if reason is not None:
            refused.append(f"{source.answerer} at {dimensions}: {reason}")
        else:
            left -= wanted.few
            yield dimensions


@dataclass(frozen=True)
class _Wanted:
    """Sizes that are to be asked.

    Attributes:
        sizes: of the free dimensions.
        few: whether they are among those of which a few are asked.
        halved: whether smaller ones do as well where these cost too much.
        exact: whether these and no others near to them are meant, alike or not.
    """

    sizes: Sizes
    few: bool = False
    halved: bool = False
    exact: bool = False


def _assignments(choices: DimensionChoices, free: list[str], lengths: tuple[int, ...]) -> Iterator[_Wanted]:
    """Yield sizes: each dimension has one of its own, and in the first four assignments each of the first four."""
    ladders = {name: _ladder(choices.rule(name)) for name in free}
    for step in range(len(OTHER_SIZES)):
        places = {name: (step ^ index) % len(ladders[name]) for index, name in enumerate(free)}
        yield _Wanted({name: ladders[name][place] for name, place in places.items()}, few=True)
    long = {name: max(_SHORTEST_LONG, LONG >> index) for index, name in enumerate(free)}
    yield _Wanted(long, halved=True)
    highest = {rule.name: rule.high for rule in choices.rules if rule.high is not None and not rule.terms}
    if highest:
        yield _Wanted(long | highest)
    for length in lengths:
        yield _Wanted({name: length + index for index, name in enumerate(free)})


def _ladder(rule: DimensionRule) -> list[int]:
    """Return the sizes of a dimension that are tried in turn: of one with rules from its smallest on."""
    if not rule.text:
        return list(OTHER_SIZES)
    found = [rule.nearest(rule.low + rule.multiple * (size - 1)) for size in OTHER_SIZES]
    return list(dict.fromkeys(size for size in found if size is not None))


def _settled(source: ModelSource, wanted: _Wanted, affordable: Callable[[Sizes], bool]) -> Sizes | None:
    """Return allowed sizes near to those wanted; None where there are none, or a row of them costs too much."""
    batch, asked = batch_name(source.contract), wanted.sizes
    others = {} if batch is None else {batch: _NO_SIZE}  # rows are counted apart: their number may be any size's
    choices = source.example.choices
    while True:
        sizes = choices.nearest({**asked, **others}) if wanted.exact else choices.apart({**asked, **others})
        if sizes is None or affordable({name: size for name, size in sizes.items() if name != batch}):
            return sizes
        smaller = {name: max(1, size // 2) for name, size in asked.items()}
        if not wanted.halved or smaller == asked:
            return None
        asked = smaller


def _is_short(sizes: Sizes) -> bool:
    return max(sizes.values()) <= _LONGEST
