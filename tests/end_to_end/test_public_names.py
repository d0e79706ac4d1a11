"""Every public name is listed, typed and documented: what it takes, gives and raises."""

import builtins
import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

import parity_export
import parity_runtime
import parity_runtime.ray
import parity_runtime.sklearn
import parity_runtime.spark
import parity_training
import parity_training.sklearn
from tests.end_to_end.test_messages import IDIOMS

PACKAGES = (
    parity_runtime,
    parity_runtime.ray,
    parity_runtime.sklearn,
    parity_runtime.spark,
    parity_training,
    parity_training.sklearn,
    parity_export,
)
NAMES = [
    pytest.param(package, name, id=f"{package.__name__}.{name}")
    for package in PACKAGES
    for name in package.__all__
    if callable(getattr(package, name))
]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_sorted_documented_and_there(package: ModuleType) -> None:
    names = package.__all__
    assert names == sorted(names)
    for name in names:
        value = getattr(package, name)
        assert isinstance(value, (str, dict)) or value.__doc__, name


def test_no_public_package_lacks_its_type_marker() -> None:
    for package in ("parity_runtime", "parity_training", "parity_export"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        assert (Path(spec.origin).parent / "py.typed").is_file()


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_what_a_public_name_takes_gives_and_raises_is_documented(package: ModuleType, name: str) -> None:
    value = getattr(package, name)
    assert list(faults_of_class(value) if isinstance(value, type) else faults_of_call(value)) == []


RIDDLES = re.compile(
    rf"{IDIOMS.pattern}|\bwhat becomes of\b|\bas it stands\b|^ +\w+: (?:of (?:a|an|each|its|the)|there is none)\b",
    re.MULTILINE,
)
"""The idioms that messages may not have either, and descriptions that do not name the thing: ``name: of the file``."""


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_no_docstring_of_a_public_name_has_an_idiom_that_readers_stumble_over(package: ModuleType, name: str) -> None:
    value = getattr(package, name)
    docstrings = {name: inspect.getdoc(value) or ""}
    for base in [one for one in getattr(value, "__mro__", ()) if _is_ours(one)]:
        members = {member: getattr(base, member) for member in vars(base) if not member.startswith("_")}
        docstrings |= {f"{base.__name__}.{member}": inspect.getdoc(one) or "" for member, one in members.items()}
    assert {where: found[0] for where, text in docstrings.items() if (found := RIDDLES.search(text))} == {}


class Undocumented:
    """A class that leaves out much.

    Attributes:
        there: documented.
    """

    there: int
    lacking: int
    below: int
    """Documented as well."""

    def __init__(self, given: int) -> None:
        self.there = self.lacking = self.below = given

    @property
    def silent(self) -> int:  # it has no docstring
        return self.lacking

    def call(self, first: int, second, *, renamed: int) -> int:  # type: ignore[no-untyped-def]
        """Add numbers.

        Args:
            first: one number.
            third: what it was called before.

        Raises:
            LostError: there is no such class.
        """
        return int(first + second + renamed)


def test_what_a_docstring_leaves_out_is_found() -> None:
    assert sorted(faults_of_class(Undocumented)) == [
        "Undocumented does not say what given is",
        "Undocumented does not say what lacking is",
        "Undocumented.call does not say what it returns",
        "Undocumented.call does not say what renamed is",
        "Undocumented.call does not say what second is",
        "Undocumented.call gives second no type",
        "Undocumented.call has no parameter third",
        "Undocumented.call raises LostError, which is no exception",
        "Undocumented.silent has no docstring",
    ]


def faults_of_class(kind: type) -> Iterator[str]:
    """Yield what the docstrings of a class, of what makes it, and of its public members leave out."""
    ours = [base for base in kind.__mro__ if _is_ours(base)]
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
        elif _is_ours(member) or isinstance(member, classmethod | staticmethod):  # others are scikit-learn's
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
        places = [importlib.import_module(module)] if module else [builtins, *PACKAGES]
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


def _is_ours(value: object) -> bool:
    return str(getattr(value, "__module__", "")).startswith(("parity_", __name__))
