"""Networks of other people: ``package.module:Callable``, named on the command line or in Python, never by a file."""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.arguments import did_you_mean
from parity_runtime.errors import first_line


def resolve_callable(location: str) -> Callable[..., Any]:
    """Return ``package.module:Callable``, or a method of a class, ``package.module:Class.method``.

    The folder at hand is searched first, as ``python -m`` does.

    Raises:
        InputError: it is not written so, cannot be imported, or is not there.
    """
    module_name, _, name = location.partition(":")
    if not module_name or not name:
        raise InputError(f"{location!r} is neither a run folder nor written as package.module:Callable")
    if os.getcwd() not in sys.path:  # noqa: PTH109
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module: Any = importlib.import_module(module_name)
        found = functools.reduce(lambda one, part: getattr(one, part, None), name.split("."), module)
    except (Exception, SystemExit) as error:  # the user's own code
        reason, hint = f"{type(error).__name__}: {first_line(error)}", _way_out(module_name, name, error)
        raise InputError(f"cannot import {module_name}: {reason}{hint}") from error
    if not callable(found):
        meant = did_you_mean(name.partition(".")[0], dir(module))
        raise InputError(f"{module_name} has no callable {name!r}{meant}")
    network: Callable[..., Any] = found
    return network


def _way_out(module_name: str, name: str, error: BaseException) -> str:
    """Return how to write a file's name as a module, or from where modules are imported; nothing of other failures."""
    if "/" in module_name or module_name.endswith(".py"):
        dotted = ".".join(Path(module_name.removesuffix(".py")).parts)
        return f"; write a module's name with dots, and without .py: {dotted}:{name}"
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None or not f"{module_name}.".startswith(f"{missing}."):
        return ""  # a module that it imports itself
    return f"; modules are imported from {Path.cwd()}, and from where Python finds them"
