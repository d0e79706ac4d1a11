"""Every public name is listed, typed and documented: what it takes, gives and raises."""

import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.documented import PUBLIC, faults_of, faults_of_names, is_ours
from tests.end_to_end.test_messages import IDIOMS

# tests/engines/test_mlflow.py asks the same of MLflow's module, which has an environment of its own.
PACKAGES = [importlib.import_module(name) for name in PUBLIC if name != "parity_runtime.mlflow"]
NAMES = [
    pytest.param(package, name, id=f"{package.__name__}.{name}")
    for package in PACKAGES
    for name in package.__all__
    if callable(getattr(package, name))
]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_sorted_documented_and_there(package: ModuleType) -> None:
    assert list(faults_of_names(package)) == []


def test_no_public_package_lacks_its_type_marker() -> None:
    for package in ("parity_runtime", "parity_training", "parity_export"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        assert (Path(spec.origin).parent / "py.typed").is_file()


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_what_a_public_name_takes_gives_and_raises_is_documented(package: ModuleType, name: str) -> None:
    assert faults_of(getattr(package, name)) == []


RIDDLES = re.compile(
    rf"{IDIOMS.pattern}|\bwhat becomes of\b|\bas it stands\b|^ +\w+: (?:of (?:a|an|each|its|the)|there is none)\b",
    re.MULTILINE,
)
"""The idioms that messages may not have either, and descriptions that do not name the thing: ``name: of the file``."""


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_no_docstring_of_a_public_name_has_an_idiom_that_readers_stumble_over(package: ModuleType, name: str) -> None:
    value = getattr(package, name)
    docstrings = {name: inspect.getdoc(value) or ""}
    for base in [one for one in getattr(value, "__mro__", ()) if is_ours(one)]:
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
    assert sorted(faults_of(Undocumented)) == [
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
