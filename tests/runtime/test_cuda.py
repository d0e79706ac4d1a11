"""On a CUDA device: packages answer as on the CPU, and their test vectors hold there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor, verify
from tests.runtime.external_weights import externalize

DATA = Path("tests/data").absolute()
PACKAGES = ("mixed", "parcels", "rent", "rent_certified", "series", "species", "xor", "xor_certified")

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("cuda")]


@pytest.mark.parametrize("name", PACKAGES)
def test_the_test_vectors_hold_on_cuda(name: str) -> None:
    found = verify(DATA / name, provider="cuda")
    assert found.provider == "cuda"
    assert found.deviations
    assert not any(deviation.failed for deviation in found.deviations)


def test_cuda_answers_as_the_cpu_does() -> None:
    rows = np.random.default_rng(0).uniform(-0.5, 1.5, (1000, 2)).astype(np.float32)
    on_cpu, on_cuda = Predictor(DATA / "xor"), Predictor(DATA / "xor", provider="cuda")
    assert on_cuda.provider == "cuda"
    tolerance = on_cpu.contract.tolerance["probabilities"]
    difference = np.abs(on_cuda.predict_proba(rows) - on_cpu.predict_proba(rows))
    assert (difference <= 2 * tolerance.allowed(on_cpu.predict_proba(rows))).all()


def test_auto_takes_cuda_where_it_works() -> None:
    assert Predictor(DATA / "xor", provider="auto").provider == "cuda"


def test_error_bounds_hold_between_cuda_and_the_cpu() -> None:
    rows = np.random.default_rng(1).uniform(-0.5, 1.5, (1000, 2)).astype(np.float32)
    on_cpu = Predictor(DATA / "xor_certified", certified=True)
    on_cuda = Predictor(DATA / "xor_certified", certified=True, provider="cuda")
    here, there = (one.run({"features": rows}) for one in (on_cpu, on_cuda))
    assert (np.abs(here["logits"] - there["logits"]) <= here["error_bound"] + there["error_bound"]).all()
    certified = here["certified"] & there["certified"]
    assert certified.any()
    assert (here["label"] == there["label"])[certified].all()


@pytest.mark.parametrize("name", ["xor_certified", "species", "series"])
def test_tensors_of_weights_bin_are_handed_to_cuda(name: str, package_copy: Callable[[Path], Path]) -> None:
    package = externalize(package_copy(DATA / name))
    found = verify(package, provider="cuda")
    assert found.provider == "cuda"
    assert not any(deviation.failed for deviation in found.deviations)
