"""The reference of Python: a page for each public name, made from its docstring and its types."""

import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import ArrayLike
from page_files import heading, toctree, write_pages
from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.ext.autodoc import mock
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import stringify_annotation

PACKAGES = (
    "parity_runtime",
    "parity_runtime.sklearn",
    "parity_runtime.spark",
    "parity_runtime.ray",
    "parity_runtime.mlflow",
    "parity_training",
    "parity_training.sklearn",
    "parity_export",
)
ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")

GROUPS = ("Classes", "Functions", "Exceptions and warnings", "Values")


def write_name_pages(folder: Path) -> None:
    """Write a page for each package of `PACKAGES`, and one for each of its public names."""
    pages = {}
    for name in PACKAGES:
        with mock(["mlflow"]):
            package = importlib.import_module(name)
        pages[f"{name}.rst"] = _package_page(package)
        pages |= {f"{name}.{public}.rst": _name_page(package, public) for public in _public(package)}
    pages["index.rst"] = (
        heading("Python")
        + "Every public name of Parity's packages. What is not listed here is private, and may change at any time.\n\n"
        + toctree(PACKAGES)
    )
    write_pages(folder, pages)


def is_of_sklearn(*member: Any) -> bool | None:
    """Leave out the methods that scikit-learn puts into every estimator: its own documentation has them.

    Args:
        member: what Sphinx's event autodoc-skip-member tells, with the name of a class's member as its third argument.
    """
    return True if re.fullmatch(r"set_\w+_request", member[2]) else None


def sections_of_property(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Read the docstring of a property or an attribute as that of a method: its first line says no type.

    Napoleon takes what stands before a colon there for the type, and leaves sections such as ``Raises`` as they are.

    Args:
        app: Sphinx.
        what: is documented, ``property`` say.
        name: of it.
        value: itself.
        options: of the directive.
        lines: its docstring, which is changed in place: behind an empty comment, in which napoleon finds no colon.
    """
    if what in ("attribute", "data", "property"):
        lines[:] = ["..", "", *GoogleDocstring(lines, app.config, app, "method", name, value, options).lines()]


def short_types(*signature: Any) -> tuple[str, str] | None:
    """Write numpy's types as the code does, ``ArrayLike`` say, and a default that is made by a function as ``...``.

    Args:
        signature: what Sphinx's event autodoc-process-signature tells, the parameters and what is returned at the end.
    """
    *_, parameters, returned = signature
    return None if parameters is None else (_short(parameters), _short(returned or ""))


def _short(text: str) -> str:
    text = text.replace(ARRAY_LIKE, "ArrayLike")
    text = re.sub(r"<factory>|<function (?:[^<>]|<lambda>)*>", "...", text)  # else Sphinx takes no signature apart
    return re.sub(r"~numpy\.ndarray\[~?tuple\[.*?\], ~numpy\.dtype\[(.*?)\]\]", r"NDArray[\1]", text)


def _public(package: ModuleType) -> list[str]:
    return [name for name in package.__all__ if name != "__version__"]


def _group(value: object) -> str:
    if isinstance(value, type):
        return "Exceptions and warnings" if issubclass(value, Exception) else "Classes"
    return "Functions" if inspect.isroutine(value) else "Values"


def _package_page(package: ModuleType) -> str:
    name, docstring = package.__name__, inspect.getdoc(package) or ""
    return (
        heading(name)
        + f"{docstring}\n\n"
        + "".join(_listed(package))
        + toctree([f"{name}.{public}" for public in _public(package)], hidden=True)
    )


def _listed(package: ModuleType) -> Iterator[str]:
    for group in GROUPS:
        names = [name for name in _public(package) if _group(getattr(package, name)) == group]
        if names:
            yield heading(group, "-") + ".. list-table::\n   :widths: 30 70\n\n"
            for name in names:
                page = f":doc:`{name} <{package.__name__}.{name}>`"
                yield f"   * - {page}\n     - {_first_line(getattr(package, name), package, name)}\n"
            yield "\n"


def _first_line(value: object, package: ModuleType, name: str) -> str:
    docstring = _docstring_below(package, name) if _group(value) == "Values" else inspect.getdoc(value) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def _docstring_below(package: ModuleType, name: str) -> str:
    """Return the docstring that stands below a variable, in the module that defines it."""
    inside = [module for module in tuple(sys.modules) if module.startswith(f"{package.__name__}.")]
    for module in inside:
        with contextlib.suppress(PycodeError):
            found = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name))
            if found:
                return "\n".join(found).strip()
    raise LookupError(f"no module of {package.__name__} has a docstring below {name}")


def _name_page(package: ModuleType, name: str) -> str:
    value = getattr(package, name)
    group = _group(value)
    where = heading(name) + f"Import it with ``from {package.__name__} import {name}``.\n\n"
    if group == "Values":
        return f"{where}.. data:: {package.__name__}.{name}\n\n   {_docstring_below(package, name)}\n"
    directive = {"Classes": "autoclass", "Functions": "autofunction"}.get(group, "autoexception")
    inherited = f"   :inherited-members: {_bases_of_others(value)}\n" if group == "Classes" else ""
    return f"{where}.. {directive}:: {package.__name__}.{name}\n{inherited}"


def _bases_of_others(kind: type) -> str:
    """Return the classes of other libraries that a class is made of: their own documentation has their members."""
    return ", ".join(base.__name__ for base in kind.__mro__ if not base.__module__.startswith("parity_"))
