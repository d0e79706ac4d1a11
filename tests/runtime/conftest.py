"""The runtime is tested on packages that are checked in, so that its tests run where torch has never been."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from tests.runtime.folder_tables import NAMES, write_table

DATA = Path(__file__).parent.parent / "data"

hypothesis.settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
hypothesis.settings.register_profile("soak", max_examples=5_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def xor_package() -> Path:
    """A binary classifier over x1 and x2."""
    return DATA / "xor"


@pytest.fixture(scope="session")
def xor_test() -> Path:
    """The held-out rows of its run, with their labels."""
    return DATA / "test.csv"


@pytest.fixture(scope="session")
def certified_package() -> Path:
    """The same classifier, with a certified graph."""
    return DATA / "xor_certified"


@pytest.fixture(scope="session")
def certified_rent_package() -> Path:
    """The regression, with a certified graph."""
    return DATA / "rent_certified"


@pytest.fixture(scope="session")
def species_package() -> Path:
    """Three classes with names, over a, b, c and d."""
    return DATA / "species"


@pytest.fixture(scope="session")
def rent_package() -> Path:
    """A regression of two targets over area, rooms and age."""
    return DATA / "rent"


@pytest.fixture(scope="session")
def mixed_package() -> Path:
    """A binary classifier over columns of every kind: color, size, when, new and code."""
    return DATA / "mixed"


@pytest.fixture(scope="session")
def series_package() -> Path:
    """An LSTM over sequences of any length."""
    return DATA / "series"


@pytest.fixture
def package_copy(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Copy one of them, to be changed."""

    def copy(package: Path) -> Path:
        return Path(shutil.copytree(package, tmp_path / f"copy-of-{package.name}"))

    return copy


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder of three tables of 50 points each."""
    for seed, name in enumerate(NAMES):
        write_table(tmp_path / "tables" / f"{name}.csv", seed)
    return tmp_path / "tables"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the answers of a command go; nothing is there."""
    return tmp_path / "scored"
