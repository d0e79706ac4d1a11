"""On a CUDA device: packages answer as on the CPU, and their test vectors hold there."""

import gc
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, verify
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


def test_tensors_of_torch_and_cupy_are_taken_where_they_lie() -> None:
    predictor, rows = Predictor(DATA / "xor", provider="cuda"), np.random.default_rng(2).random((1000, 2), np.float32)
    expected = predictor.run({"features": rows})
    for library, tensor in _on_cuda(rows):
        for check in (False, True):
            found = predictor.run_on_device({"features": tensor}, check=check)
            for name, array in expected.items():
                assert tuple(map(int, found[name].__dlpack_device__())) == (2, 0)
                back = library.from_dlpack(found[name])
                assert int(found[name].data_ptr()) == _address(back)
                np.testing.assert_array_equal(found[name].numpy(), array)


def test_work_that_fills_a_tensor_is_waited_for() -> None:
    torch = pytest.importorskip("torch")
    predictor = Predictor(DATA / "xor", provider="cuda")
    large = torch.rand(4096, 4096, device="cuda")
    for value in (0.0, 1.0):
        with torch.cuda.stream(torch.cuda.Stream()):
            for _ in range(20):  # keeps the stream at work when the call comes
                large = (large @ large).clamp(0, 1)
            rows = torch.full((100_000, 2), value, device="cuda") + 0 * large[0, 0]
            found = predictor.run_on_device({"features": rows})["probabilities"].numpy()
        expected = predictor.predict_proba(np.full((100_000, 2), value, np.float32))
        np.testing.assert_array_equal(found, expected)


def test_outputs_outlive_the_predictor() -> None:
    torch = pytest.importorskip("torch")
    rows = torch.rand(1000, 2, device="cuda")
    with Predictor(DATA / "xor", provider="cuda") as predictor:
        expected = predictor.predict_proba(rows.cpu().numpy())
        probabilities = torch.from_dlpack(predictor.run_on_device({"features": rows})["probabilities"])
    del predictor, rows
    gc.collect()
    np.testing.assert_array_equal(probabilities.cpu().numpy(), expected)


def test_a_tensor_in_memory_is_refused() -> None:
    with pytest.raises(InputError, match="lies on cpu:0; this predictor takes it on cuda:0"):
        Predictor(DATA / "xor", provider="cuda").run_on_device({"features": np.zeros((1, 2), np.float32)})


def _on_cuda(rows: Any) -> Iterator[tuple[Any, Any]]:
    torch = pytest.importorskip("torch")
    yield torch, torch.from_numpy(rows).cuda()
    if importlib.util.find_spec("cupy"):
        cupy = importlib.import_module("cupy")
        yield cupy, cupy.asarray(rows)


def _address(tensor: Any) -> int:
    return int(tensor.data_ptr() if hasattr(tensor, "data_ptr") else tensor.data.ptr)
