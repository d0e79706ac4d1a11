"""Values of a JSON object by their key, refused where they are of another type."""

from typing import Any

from parity_runtime.errors import FormatError
from parity_runtime.files.json_file import finite_number
from parity_runtime.printable import shown


def one_of(value: dict[str, Any], key: str, *kinds: type) -> Any:
    """Return a value of one of some types; one that may be a float is finite.

    Raises:
        FormatError: it is of another type, or there is no such key and None is none of them.
    """
    found = value.get(key)
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise FormatError(f"{shown(key)} is {shown(found)}, not {' or '.join(kind.__name__ for kind in kinds)}")
    numeric = float in kinds and found is not None
    return finite_number(found, repr(key)) if numeric else found


def names(value: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts.

    Raises:
        FormatError: it is none.
    """
    found: list[Any] = one_of(value, key, list)
    _check_texts(found, key, found)
    return tuple(found)


def numbers(value: dict[str, Any], key: str) -> tuple[float, ...]:
    """Return a list of numbers; none where there is no such key.

    Raises:
        FormatError: it is no list, or holds something else.
    """
    found: list[Any] = [] if value.get(key) is None else one_of(value, key, list)
    return tuple(finite_number(item, repr(key)) for item in found)


def texts(value: dict[str, Any], key: str) -> dict[str, str]:
    """Return texts by name.

    Raises:
        FormatError: it is no object, or holds something else.
    """
    found: dict[str, Any] = one_of(value, key, dict)
    _check_texts(list(found.values()), key, found)
    return found


def _check_texts(items: list[Any], key: str, whole: Any) -> None:
    if not all(isinstance(item, str) for item in items):
        raise FormatError(f"{shown(key)} holds something that is not text: {shown(whole)}")
