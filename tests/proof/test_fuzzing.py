"""A small part of the search over random graphs that ``make soak`` runs whole."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from parity_export.error_bounds.elementary_functions import Accuracy
from tests.proof.fuzzing.backends import Backends
from tests.proof.fuzzing.builder import Builder
from tests.proof.fuzzing.search import Drawn, Found, certified_or_counted, search

OLDEST = Path(sys.prefix) / "lowest/bin/python"  # after `make lowest`
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backends() -> Iterator[Backends]:
    with Backends([sys.executable, *[str(OLDEST)] * OLDEST.exists()]) as started:
        yield started


def test_no_onnxruntime_leaves_an_error_bound_on_a_random_graph(backends: Backends) -> None:
    found = search(backends, 500_000, Drawn(seed=7))
    assert found.violations == []
    assert found.graphs > 20 and len(found.blocks) > 20
    assert 0.1 < found.worst < 1 and found.unclaimed < found.outputs.total() / 10


def test_a_rule_that_claims_too_much_is_found(backends: Backends, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search itself must be able to fail."""
    monkeypatch.setattr(
        "parity_export.error_bounds.operators.shared.inner_products.of_a_sum", lambda n, spare: (n * 2.0**-34, 0.0)
    )
    monkeypatch.setattr("parity_export.error_bounds.elementary_functions.accuracy", lambda name: Accuracy(0.0, 0.0))
    assert search(backends, 100_000, Drawn(seed=7)).violations


def test_a_graph_that_is_refused_is_counted_by_its_reason() -> None:
    builder, found = Builder(np.random.default_rng(), (3,)), Found()
    builder.go_on(builder.node("Sin", "features"))
    assert certified_or_counted(found, *builder.finish(), "tight") is None
    [reason] = found.refused
    assert reason.startswith("operator Sin (it has no rule)") and found.graphs == 1


def test_every_level_is_asked_with_subnormal_numbers_kept_and_flushed(backends: Backends) -> None:
    builder = Builder(np.random.default_rng(), (1,))
    tiny = builder.node("Abs", builder.node("Mul", "features", np.float32(1e-10)))
    builder.go_on(builder.node("Mul", tiny, np.float32(1e20)))
    graph, _ = builder.finish()
    for name, answers in backends.ask({"plain": graph}, np.full((1, 1), 1e-30, np.float32)).items():
        assert {key.split("|")[1] for key in answers} == {"disabled", "basic", "extended", "all"}
        assert all(bool(value) != name.endswith("flushed") for value in answers.values()), name
