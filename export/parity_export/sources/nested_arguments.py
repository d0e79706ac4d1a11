"""Inputs that lie in an argument together: ``batch.ids`` and ``batch.mask`` in a dict, ``states.0`` in a tuple.

Names with dots say where a tensor lies. `Cache`, what language models of transformers keep from token to token, is
made of ``past_key_values.0.keys`` and ``past_key_values.0.values``, one pair a layer.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

_KEYS, _VALUES = ("keys", "key"), ("values", "value")


def grouped(names: Sequence[str]) -> dict[str, list[str]] | None:
    """Return the inputs of each argument, by the part of their names before the first dot.

    Returns:
        None where the names do not say where each tensor lies: one is another's container, or an index is left out.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], []).append(name)
    whole = all(_is_whole([name.split(".")[1:] for name in group]) for group in groups.values())
    return groups if whole else None


def packed(group: Sequence[str], given: Mapping[str, Any]) -> Any:
    """Return what one argument holds: a value, or a dict or tuple of some.

    Args:
        group: the names of its inputs, from `grouped`.
        given: values by name.
    """
    return _packed([(name.split(".")[1:], given[name]) for name in group])


def with_caches(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments, a cache of transformers in the place of the keys and values that it holds."""
    return {name: _with_caches(value) for name, value in arguments.items()}


def _with_caches(value: Any) -> Any:
    """Return a cache, or a dict that may hold some, as ``**kwargs`` do."""
    if isinstance(value, dict):
        return {name: _with_caches(inner) for name, inner in value.items()}
    return _cache(value) if _is_cache(value) else value


def _is_whole(paths: list[list[str]]) -> bool:
    if any(not path for path in paths):
        return len(paths) == 1
    below: dict[str, list[list[str]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(rest)
    indices = [first for first in below if first.isdecimal()]
    if indices and sorted(map(int, indices)) != list(range(len(below))):
        return False
    return all(first and _is_whole(rest) for first, rest in below.items())


def _packed(leaves: list[tuple[list[str], Any]]) -> Any:
    if not leaves[0][0]:
        return leaves[0][1]
    below: dict[str, list[tuple[list[str], Any]]] = {}
    for (first, *rest), value in leaves:
        below.setdefault(first, []).append((rest, value))
    if next(iter(below)).isdecimal():
        return tuple(_packed(below[index]) for index in sorted(below, key=int))
    return {key: _packed(rest) for key, rest in below.items()}


def _is_cache(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and "transformers" in sys.modules
        and all(isinstance(layer, dict) and set(layer) in ({"keys", "values"}, {"key", "value"}) for layer in value)
    )


def _cache(layers: Sequence[Mapping[str, Any]]) -> Any:
    cache = sys.modules["transformers"].DynamicCache()
    for index, layer in enumerate(layers):
        keys, values = (next(layer[name] for name in names if name in layer) for names in (_KEYS, _VALUES))
        cache.update(keys, values, index)
    return cache
