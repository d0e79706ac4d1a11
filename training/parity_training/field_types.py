"""Whether the fields of settings hold what they are declared to: a recipe is a file, and may hold anything."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin

from parity_runtime import InputError
from parity_runtime.printable import shown

_PLAIN: dict[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    types.NoneType: (types.NoneType, "nothing"),
}


def check_types(settings: Any) -> None:
    """Refuse settings of which a field has another type than it is declared with.

    Args:
        settings: a dataclass of numbers, texts, and sequences and mappings of them.

    Raises:
        InputError: names the first such field.
    """
    for item in fields(settings):
        value = getattr(settings, item.name)
        if not _fits(value, item.type):
            raise InputError(f"{item.name} is {shown(value)}; it must be {_said(item.type)}")


def _fits(value: Any, declared: Any) -> bool:
    declared = types.NoneType if declared is None else declared
    if declared in _PLAIN:
        return isinstance(value, _PLAIN[declared][0]) and (declared is bool or not isinstance(value, bool))
    origin, inner = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return any(_fits(value, kind) for kind in inner)
    if origin is Literal:
        return value in inner
    if origin is dict:
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return listed and all(_fits(part, inner[0]) for part in value)


def _said(declared: Any) -> str:
    """Return a type in words."""
    if declared in _PLAIN:
        return _PLAIN[declared][1]
    origin, inner = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return " or ".join(_said(kind) for kind in inner)
    if origin is Literal:
        return " or ".join(map(str, inner))
    return "values by name" if origin is dict else f"a list, of which each is {_said(inner[0])}"
