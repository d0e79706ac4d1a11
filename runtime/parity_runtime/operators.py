"""Operators outside the ONNX standard that onnxruntime ships, and that a person may allow by name."""

import re
from collections.abc import Iterable

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.printable import shown

SHIPPED = "com.microsoft"
"""The domain of the operators that may be allowed."""

_NAME = re.compile(rf"{re.escape(SHIPPED)}::[A-Za-z][A-Za-z0-9_]{{0,99}}")
_NEVER = {"EPContext", "PythonOp", "PythonOpGrad", "Snpe"}
"""Their attributes name files, or code that is no kernel of onnxruntime's."""


def check_operators(names: Iterable[str]) -> frozenset[str]:
    """Return operators that may be allowed, as a set.

    >>> sorted(check_operators(["com.microsoft::Gelu"]))
    ['com.microsoft::Gelu']

    Args:
        names: ``com.microsoft::Gelu``, ...

    Raises:
        InputError: one is none, or may never be allowed.
    """
    if isinstance(names, str):
        raise InputError(f"{argument('allow_operators')} is {shown(names)}; give a list of names")
    found = list(names)
    for name in found:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(
                f"{shown(name)} is not an operator that may be allowed; those that onnxruntime ships are written as "
                f"{SHIPPED}::Gelu"
            )
        if name.partition("::")[2] in _NEVER:
            raise InputError(f"{name} is never allowed: its attributes name files, or code of their own")
    return frozenset(found)


def allow(names: Iterable[str]) -> str:
    """Return the argument that allows operators, as the caller writes it."""
    return argument("allow_operators", sorted(names), option="--allow-operator")
