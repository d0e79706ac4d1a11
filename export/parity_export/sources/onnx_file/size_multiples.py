"""Which multiples a graph wants its sizes to be, as one that halves an image and adds what it doubles again."""

from collections.abc import Sequence

from parity_export.sources.model_source import ModelSource

_APART = (97, 101, 103, 107)
"""Primes: a graph that takes sizes like these asks for no multiples."""

_MULTIPLES = (2, 4, 8, 16, 32, 64)
_TIMES = ((3, 5, 7, 9), (5, 3, 9, 7))


def size_multiple(source: ModelSource, names: Sequence[str]) -> int:
    """Return the power of 2 whose multiples are taken, and not those plus 1 or plus half of it; 1 where there is none.

    A small size that is taken proves nothing: what is halved to one element is added to any number of them.

    Args:
        source: a graph that takes some sizes.
        names: of the dimensions, which are asked together.
    """
    if not 0 < len(names) <= len(_APART) or _takes(source, names, _APART):
        return 1
    for multiple in _MULTIPLES:
        asked = [[multiple * times for times in places] for places in _TIMES]
        beside = [[size + more for size in sizes] for sizes in asked for more in (1, multiple // 2)]
        if all(_takes(source, names, sizes) for sizes in asked) and not any(
            _takes(source, names, sizes) for sizes in beside
        ):
            return multiple
    return 1


def _takes(source: ModelSource, names: Sequence[str], sizes: Sequence[int]) -> bool:
    return source.refusal(dict(zip(names, sizes, strict=False))) is None
