"""Every public name has an example in its docstring that runs as it stands, from the root of a checkout."""

import doctest
import inspect
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import parity_export
import parity_runtime
import parity_runtime.sklearn
import parity_training
import parity_training.sklearn


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


DATA = Path(__file__).parent.parent / "data"
PACKAGES = (parity_runtime, parity_runtime.sklearn, parity_training, parity_training.sklearn, parity_export)
PUBLIC = [
    pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")
    for package in PACKAGES
    for name in package.__all__
    if callable(getattr(package, name)) and not _is_exception(getattr(package, name))
]


@pytest.mark.parametrize("public", PUBLIC)
def test_the_example_of_a_public_name_runs(public: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DATA, tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    check_examples(doctest.DocTestFinder().find(public, module=inspect.getmodule(public), globs={}))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_example_of_a_package_runs(package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DATA, tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    check_examples(doctest.DocTestFinder(recurse=False).find(package, globs={}))


def check_examples(examples: list[doctest.DocTest]) -> None:
    assert any(test.examples for test in examples), "it has no example"
    for test in examples:
        shown: list[str] = []
        doctest.DocTestRunner().run(test, out=shown.append)
        assert not shown, "".join(shown)
