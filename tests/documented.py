"""What the docstrings of public names leave out of what they take, give and raise."""

import builtins
import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NoReturn

PUBLIC = (
    "parity_runtime", "parity_runtime.mlflow", "parity_runtime.ray", "parity_runtime.sklearn", "parity_runtime.spark",
    "parity_training", "parity_training.sklearn", "parity_export",
)  # fmt: skip
"""The modules whose names are public."""


def faults_of_names(package: ModuleType) -> Iterator[str]:
    """Yield what is wrong with the list of a module's public names."""
    names = package.__all__
    if names != sorted(names):
        yield f"the names of {package.__name__} are not sorted"
    values = {name: getattr(package, name) for name in names}
    yield from (f"{name} has no docstring" for name, value in values.items()
                if not isinstance(value, str | dict) and not value.__doc__)  # fmt: skip


def faults_of(value: Any) -> list[str]:
    """Return what the docstrings of a class or a function leave out."""
    return list(faults_of_class(value) if isinstance(value, type) else faults_of_call(value))


def faults_of_class(kind: type) -> Iterator[str]:
    """Yield what the docstrings of a class, of what makes it, and of its public members leave out."""
    ours = [base for base in kind.__mro__ if is_ours(base)]
    said = {name for base in ours for name in _entries(inspect.cleandoc(base.__doc__ or ""), "Args", "Attributes")}
    if any(maker in vars(base) for base in ours for maker in ("__init__", "__new__")):
        yield from _faults_of_parameters(kind, kind.__qualname__, said)
    below = {name for base in ours for name in _documented_below(base)}
    fields = {name for base in ours for name in inspect.get_annotations(base) if not name.startswith("_")}
    yield from (f"{kind.__qualname__} does not say what {name} is" for name in sorted(fields - said - below))
    members = {name: base for base in reversed(ours) for name in vars(base) if not name.startswith("_")}
    for name in members.keys() - fields - said:
        member = inspect.getattr_static(kind, name)
        if isinstance(member, property | functools.cached_property):
            yield from _faults_of_property(member)
        elif is_ours(member) or isinstance(member, classmethod | staticmethod):  # others are scikit-learn's
            yield from faults_of_call(getattr(kind, name))


def faults_of_call(call: Callable[..., Any]) -> Iterator[str]:
    """Yield what the docstring of a function leaves out of what it takes, returns and raises, and missing types."""
    where, doc = call.__qualname__, inspect.getdoc(call) or ""
    yield from _faults_of_parameters(call, where, _entries(doc, "Args"))
    yield from (f"{where} has no parameter {name}" for name in _entries(doc, "Args") - {*_parameters(call)})
    returned = inspect.signature(call).return_annotation
    if returned is inspect.Signature.empty:
        yield f"{where} does not say the type that it returns"
    says = re.search(r"\b([Rr]eturn|Yield|Whether)\b", doc.partition("\n\n")[0]) or re.search(
        r"^(Return|Yield)s:", doc, re.M
    )
    if not says and returned not in (None, NoReturn):
        yield f"{where} does not say what it returns"
    yield from _unknown_errors(call, where, doc)


def _faults_of_parameters(call: Callable[..., Any], where: str, said: set[str]) -> Iterator[str]:
    for name, parameter in _parameters(call).items():
        if name not in said:
            yield f"{where} does not say what {name} is"
        if parameter.annotation is inspect.Parameter.empty:
            yield f"{where} gives {name} no type"


def _faults_of_property(member: "property | functools.cached_property[Any]") -> Iterator[str]:
    get = member.fget if isinstance(member, property) else member.func
    assert get is not None
    if not member.__doc__:
        yield f"{get.__qualname__} has no docstring"
    if inspect.signature(get).return_annotation is inspect.Signature.empty:
        yield f"{get.__qualname__} does not say its type"
    yield from _unknown_errors(get, get.__qualname__, inspect.cleandoc(member.__doc__ or ""))


def _unknown_errors(call: Callable[..., Any], where: str, doc: str) -> Iterator[str]:
    """Yield the errors that a docstring names and nobody can catch by that name: they are public, or Python's own."""
    for name in _entries(doc, "Raises"):
        module, _, last = name.rpartition(".")
        imported = [sys.modules[public] for public in PUBLIC if public in sys.modules]
        places = [importlib.import_module(module)] if module else [builtins, *imported]
        found = [getattr(place, last, None) for place in places]
        if not any(isinstance(one, type) and issubclass(one, BaseException) for one in found):
            yield f"{where} raises {name}, which is no exception"


def _parameters(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(call).parameters.items() if name != "self"}


def _entries(doc: str, *sections: str) -> set[str]:
    """Return the names that stand in sections of a docstring, each at the beginning of its line."""
    found = re.findall(rf"^(?:{'|'.join(sections)}):\n((?:    .*\n?|\n)+)", doc, re.MULTILINE)
    return {name for section in found for name in re.findall(r"^    ([\w.]+):", section, re.MULTILINE)}


def _documented_below(kind: type) -> set[str]:
    """Return the attributes of a class that have a docstring of their own below them."""
    return {*re.findall(r'^    (\w+): .*\n    """', inspect.getsource(kind), re.MULTILINE)}


def is_ours(value: object) -> bool:
    return str(getattr(value, "__module__", "")).startswith(("parity_", "tests."))
