"""The corpus of the fuzzer, replayed: what it once found, and an input of every kind that the parsers tell apart."""

from pathlib import Path

import pytest

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS, fuzz

_LARGEST = 150_000  # bytes of one target's corpus


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_the_corpus_is_answered_or_refused(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        fuzz(name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_an_input_of_each_corpus_is_honest(name: str) -> None:
    """Else nothing behind the first check would be reached."""
    TARGETS[name]((CORPUS / name / "honest").read_bytes())


def test_the_corpora_are_small_and_belong_to_a_target() -> None:
    for folder in CORPUS.iterdir():
        assert folder.name in TARGETS
        assert sum(path.stat().st_size for path in Path(folder).iterdir()) < _LARGEST
