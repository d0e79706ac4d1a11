"""Tensors that lie where the model runs are taken without a copy, and checked as arrays are."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from parity_runtime import ConformanceError, InputError, Predictor
from tests.runtime.strange_labels import STEP, shift_labels

DATA = Path("tests/data").absolute()
POINTS = np.random.default_rng(0).uniform(-0.5, 1.5, (1000, 2)).astype(np.float32)

HAS_DLPACK = hasattr(onnxruntime.OrtValue, "from_dlpack")
needs_dlpack = pytest.mark.skipif(not HAS_DLPACK, reason=f"onnxruntime {onnxruntime.__version__} takes no DLPack")


@needs_dlpack
@pytest.mark.parametrize(("name", "certified"), [("xor", False), ("xor_certified", True), ("species", False)])
def test_outputs_are_those_of_run(name: str, certified: bool) -> None:
    predictor = Predictor(DATA / name, certified=certified)
    (spec,) = predictor.contract.inputs
    inputs = {spec.name: np.random.default_rng(0).random((100, int(spec.shape[1])), np.float32)}
    found, expected = predictor.run_on_device(inputs), predictor.run(inputs)
    assert list(found) == list(expected)
    for output, array in expected.items():
        np.testing.assert_array_equal(np.from_dlpack(found[output]), array)


@needs_dlpack
def test_a_sequence_and_no_check_answer_alike() -> None:
    predictor = Predictor(DATA / "series")
    inputs = {spec.name: np.ones([2 if isinstance(size, str) else size for size in spec.shape], spec.dtype)
              for spec in predictor.contract.inputs}  # fmt: skip
    expected = predictor.run(inputs)
    for check in (False, True):
        for output, value in predictor.run_on_device(inputs, check=check).items():
            np.testing.assert_array_equal(value.numpy(), expected[output])


@needs_dlpack
def test_memory_is_shared_with_the_caller() -> None:
    predictor, points = Predictor(DATA / "xor"), POINTS.copy()
    first = predictor.run_on_device({"features": points})["probabilities"].numpy().copy()
    points[:] = 0
    second = predictor.run_on_device({"features": points})["probabilities"].numpy()
    assert (first != second).any()
    np.testing.assert_array_equal(second, predictor.predict_proba(points))


@needs_dlpack
def test_outputs_outlive_the_predictor() -> None:
    with Predictor(DATA / "xor") as predictor:
        expected = predictor.predict_proba(POINTS)
        probabilities = np.from_dlpack(predictor.run_on_device({"features": POINTS.copy()})["probabilities"])
    del predictor
    gc.collect()
    np.testing.assert_array_equal(probabilities, expected)


@needs_dlpack
def test_tensors_of_torch_come_in_and_go_out() -> None:
    torch = pytest.importorskip("torch")
    predictor = Predictor(DATA / "xor")
    found = predictor.run_on_device({"features": torch.from_numpy(POINTS)})
    np.testing.assert_array_equal(torch.from_dlpack(found["probabilities"]).numpy(), predictor.predict_proba(POINTS))
    with pytest.raises(InputError, match=r"cannot be taken from its device: .*gradient"):
        predictor.run_on_device({"features": torch.zeros(1, 2, requires_grad=True)})


@needs_dlpack
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"features": POINTS.astype(np.float64)}, "is float64; it takes float32"),
        ({"features": POINTS.astype(np.int64)}, "is int64; it takes float32"),
        ({"features": POINTS[:, :1].copy()}, "has the shape [1000, 1]; it takes features: float32[batch, 2]"),
        ({"features": POINTS[0]}, "has the shape [2]"),
        ({"features": POINTS[:0]}, "is empty; give it to run()"),
        ({"features": POINTS[::2]}, "is not contiguous"),
        ({"features": POINTS.tolist()}, "is a list, not a tensor on a device"),
        ({}, "the input 'features' is missing"),
        ({"features": POINTS, "x": POINTS}, "has no input 'x'"),
        (POINTS, "run_on_device() takes the inputs by name"),
        ({"features": np.full((3, 2), np.inf, np.float32)}, "row 1: x1 is inf"),
    ],
)
def test_what_does_not_fit_is_one_line(given: Any, words: str) -> None:
    with pytest.raises(InputError) as told:
        Predictor(DATA / "xor").run_on_device(given)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@needs_dlpack
def test_a_tensor_of_another_device_is_refused_before_its_memory_is_taken() -> None:
    class Elsewhere:
        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

    with pytest.raises(InputError, match="lies on cuda:0; this predictor takes it on cpu:0"):
        Predictor(DATA / "xor").run_on_device({"features": Elsewhere()})  # type: ignore[dict-item]


@needs_dlpack
def test_text_stays_in_run() -> None:
    with pytest.raises(InputError, match="is text, which no device holds; give it to run"):
        predictor = Predictor(DATA / "mixed")
        predictor.run_on_device({spec.name: POINTS for spec in predictor.contract.inputs})


@needs_dlpack
def test_unchecked_cells_are_the_callers_matter() -> None:
    infinite = {"features": np.full((3, 2), np.inf, np.float32)}
    assert len(Predictor(DATA / "xor").run_on_device(infinite, check=False)["label"].numpy()) == 3


@needs_dlpack
def test_a_label_that_is_no_class_is_refused(package_copy: Callable[[Path], Path]) -> None:
    strange = {"features": np.array([[5 * STEP, 0]], np.float32)}
    predictor = Predictor(shift_labels(package_copy(DATA / "xor")))
    with pytest.raises(ConformanceError, match="predicts the label"):
        predictor.run_on_device(strange)
    assert predictor.run_on_device(strange, check=False)["label"].numpy()[0] > 1


@pytest.mark.skipif(HAS_DLPACK, reason="this onnxruntime takes DLPack")
def test_an_older_onnxruntime_is_named() -> None:
    with pytest.raises(InputError, match=r"onnxruntime [\d.]+ does not accept a tensor on a device"):
        Predictor(DATA / "xor").run_on_device({"features": POINTS})


def test_a_closed_predictor_says_so() -> None:
    with Predictor(DATA / "xor") as predictor:
        pass
    with pytest.raises(InputError, match="is closed"):
        predictor.run_on_device({"features": POINTS})
