"""Rows go whole, in tiles, or through bound buffers: the answers are the same bits."""

from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.inference.input_validation import all_finite
from parity_runtime.inference.session import create_session
from tests.refusals import refused_at

TILE = 65_536  # XOR's widest row has 4 elements of 4 bytes; a mebibyte holds that many


def raw(package: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = create_session((package / "model.onnx").read_bytes())
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))


@pytest.mark.parametrize("rows", [1, 2, 3, 63, 64, 65, 1000, TILE - 1, TILE, TILE + 1, 3 * TILE + 7])
@pytest.mark.parametrize("name", ["xor", "species", "rent"])
def test_every_way_gives_the_bits_of_one_plain_run(xor_package: Path, name: str, rows: int) -> None:
    package = xor_package.parent / name
    predictor = Predictor(package)
    spec = predictor.contract.inputs[0]
    features = np.random.default_rng(rows).uniform(-1, 2, (rows, int(spec.shape[1]))).astype(np.float32)
    expected = raw(package, {spec.name: features})
    for _ in range(3):  # the second time small batches find their buffers
        for output, array in predictor.run({spec.name: features}).items():
            np.testing.assert_array_equal(array, expected[output])
        if predictor.contract.is_classifier:
            np.testing.assert_array_equal(predictor.predict_proba(features), expected["probabilities"])
            np.testing.assert_array_equal(predictor.predict(features), predictor.classes_[expected["label"]])


def test_sequences_of_any_length_give_the_bits_of_one_plain_run(series_package: Path) -> None:
    predictor = Predictor(series_package)
    for rows, length in ((1, 1), (1, 7), (5, 3), (700, 2), (30_000, 3)):
        x = np.random.default_rng(length).standard_normal((rows, length, 3)).astype(np.float32)
        expected = raw(series_package, {"x": x})
        for output, array in predictor.run({"x": x}).items():
            np.testing.assert_array_equal(array, expected[output])


def test_an_answer_does_not_change_when_the_next_one_is_asked(xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    row = np.array([[0, 1]], np.float32)
    predictor.predict_proba(row)
    first = predictor.predict_proba(row)
    kept = first.copy()
    predictor.predict_proba(1 - row)
    np.testing.assert_array_equal(first, kept)
    first[:] = 7  # nor does the caller's writing into it change the next
    np.testing.assert_array_equal(predictor.predict_proba(row), kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [1, 50, 1000, TILE + 3])
def test_a_missing_or_infinite_cell_is_refused_also_where_the_buffers_are_warm(
    xor_package: Path, bad: float, rows: int
) -> None:
    predictor = Predictor(xor_package)
    good = np.zeros((rows, 2), np.float32)
    for _ in range(2):
        predictor.predict(good)
    wrong = good.copy()
    wrong[-1, 1] = bad
    with refused_at(row=rows, column="x2"):
        predictor.predict(wrong)
    assert len(predictor.predict(good)) == rows


def test_an_empty_sequence_is_refused_and_no_rows_are_answered(series_package: Path) -> None:
    predictor = Predictor(series_package)
    with pytest.raises(InputError, match="time is 0; series needs at least one"):
        predictor.run({"x": np.zeros((2, 0, 3), np.float32)})
    outputs = predictor.run({"x": np.zeros((0, 5, 3), np.float32)})
    assert {name: array.shape for name, array in outputs.items()} == {"output_0": (0, 5, 4), "output_1": (0, 2)}


def test_buffers_are_not_kept_for_ever_more_shapes(series_package: Path, xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    for rows in range(1, 65):
        predictor.predict_proba(np.zeros((rows, 2), np.float32))
        predictor.predict(np.zeros((rows, 2), np.float32))
    executor = predictor._executor
    assert executor is not None and executor._pool is not None
    assert len(executor._pool._free) == 64


def test_a_shape_that_comes_once_gets_no_buffers_and_the_same_answers(xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    rows = np.random.default_rng(0).random((3, 2), np.float32)
    answers = []
    for kept in (0, 1, 1):
        answers.append(predictor.predict_proba(rows))
        executor = predictor._executor
        assert executor is not None and executor._pool is not None
        assert [len(free) for free in executor._pool._free.values()] == [kept]
    assert all((one == answers[0]).all() for one in answers)
    assert len({array.ctypes.data for array in answers}) == 3


@pytest.mark.parametrize("rows", [1, 9])
def test_every_output_of_ready_rows_is_that_of_a_list_and_bad_cells_are_refused(xor_package: Path, rows: int) -> None:
    predictor = Predictor(xor_package)
    good = np.random.default_rng(0).random((rows, 2), np.float32)
    ready, listed = predictor.run({"features": good}), predictor.run({"features": good.tolist()})
    assert {name: array.tolist() for name, array in ready.items()} == {
        name: array.tolist() for name, array in listed.items()
    }
    for bad in (np.nan, np.inf):
        wrong = good.copy()
        wrong[-1, 1] = bad
        with refused_at(row=rows, column="x2"):
            predictor.run({"features": wrong})
    with pytest.raises(InputError, match="it takes features"):
        predictor.run({"features": np.zeros((rows, 3), np.float32)})


def test_asking_again_and_again_keeps_no_more_memory(xor_package: Path, rent_package: Path) -> None:
    xor, rent = Predictor(xor_package), Predictor(rent_package)
    for _ in range(50):
        xor.predict([[0.1, 0.9]])
        rent.run({"features": [[0.7, 3, 40]]})
    for predictor in (xor, rent):
        executor = predictor._executor
        assert executor is not None and executor._pool is not None
        assert [len(free) for free in executor._pool._free.values()] == [1]


@pytest.mark.parametrize("size", [1, 64, 2**16, 2**16 + 1, 200_000])
def test_a_single_value_that_is_not_finite_is_seen_wherever_it_stands(size: int) -> None:
    array = np.full(size, np.finfo(np.float32).max, np.float32)
    assert all_finite(array)
    for place in {0, size // 2, size - 1}:
        for value in (np.nan, np.inf):
            changed = array.copy()
            changed[place] = value
            assert not all_finite(changed)
