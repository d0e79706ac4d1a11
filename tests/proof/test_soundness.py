"""A small part of the search that ``make soak`` runs whole: the proof is never wrong."""

import numpy as np
import pytest

from parity_runtime.contract import CERTIFIED, ERROR_BOUND
from parity_runtime.inference.session import create_session
from tests.proof.networks import SUBJECTS, Subject
from tests.proof.soundness import CHUNK, search
from tests.soak import sampled

LARGEST_RATIO = 8.0  # of the error bound to the largest deviation that was observed, for XOR
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=sampled(["xor", "iris", "cancer"], {"xor", "iris"}))
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]()


def test_no_backend_leaves_an_error_bound_or_changes_a_certified_label(subject: Subject) -> None:
    found = search(subject, 6 * CHUNK)
    assert found.violations == 0
    assert found.points["adversarial"] and found.points["boundary"]
    assert found.certified / found.points["uniform"] > 0.999
    if subject.name.startswith("XOR"):
        assert found.bound / found.deviation <= LARGEST_RATIO


def test_no_backend_leaves_a_tight_error_bound() -> None:
    found = search(SUBJECTS["iris"]().tight, CHUNK, seed=1)
    assert found.violations == 0
    assert found.certified / found.points["uniform"] > 0.999


def test_an_error_bound_that_is_too_small_is_found(subject: Subject) -> None:
    """The search itself must be able to fail."""
    rows = subject.uniform(20_000, np.random.default_rng(1))
    bound, certified = create_session(subject.certified).run([ERROR_BOUND, CERTIFIED], {"features": rows})
    assert certified.mean() > 0.999
    assert not (np.abs(subject.torch(rows) - subject.exact(rows)) <= bound / 100).all()


def test_xor_is_certified_almost_everywhere() -> None:
    subject = SUBJECTS["xor"]()
    rows = np.random.default_rng(2).uniform(-0.5, 1.5, (1_000_000, 2)).astype(np.float32)
    certified = create_session(subject.certified).run([CERTIFIED], {"features": rows})[0]
    assert certified.mean() >= 0.99999
