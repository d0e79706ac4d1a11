"""An array that the caller hands in for the probabilities."""

from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor

ROWS = 200_000  # more than a tile


@pytest.mark.parametrize("rows", [0, 1, 5, 20_000, ROWS])
def test_the_array_that_is_handed_in_holds_the_same_bits(xor_package: Path, rows: int) -> None:
    predictor = Predictor(xor_package)
    points = np.random.default_rng(0).random((rows, 2), np.float32)
    out = np.full((rows, 2), np.nan, np.float32)
    for batch in (points, points.astype(np.float64), points.tolist()):
        out[...] = np.nan
        assert predictor.predict_proba(batch, out=out) is out
        assert out.tobytes() == predictor.predict_proba(points).tobytes()


def test_a_part_of_a_larger_array_takes_a_batch(xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    points = np.random.default_rng(0).random((10, 2), np.float32)
    whole = np.zeros((10, 2), np.float32)
    for start in range(0, 10, 5):
        predictor.predict_proba(points[start : start + 5], out=whole[start : start + 5])
    assert whole.tobytes() == predictor.predict_proba(points).tobytes()


def test_a_model_of_text_and_dates_writes_into_it_as_well(mixed_package: Path) -> None:
    predictor, rows = Predictor(mixed_package), [["red", 1.5, "2020-01-01", True, 3]] * 3
    expected = predictor.predict_proba(rows)
    out = np.empty_like(expected)
    assert predictor.predict_proba(rows, out=out) is out
    assert out.tobytes() == expected.tobytes()
    with pytest.raises(InputError, match=r"it takes a float32 array \[3, 2\]"):
        predictor.predict_proba(rows, out=np.empty((2, 2), np.float32))


WRONG = {
    "float64": (np.empty((5, 2)), "float64"),
    "another shape": (np.empty((4, 2), np.float32), r"\[4, 2\]; it takes a float32 array \[5, 2\]"),
    "a row": (np.empty(10, np.float32), r"\[10\]"),
    "columns": (np.empty((2, 5), np.float32).T, "not C-contiguous"),
    "a step": (np.empty((10, 2), np.float32)[::2], "not C-contiguous"),
    "a list": ([[0.0, 0.0]] * 5, "out is a list"),
    "masked": (np.ma.zeros((5, 2), np.float32), "MaskedArray"),
    "read-only": (np.frombuffer(bytes(40), np.float32).reshape(5, 2), "read-only"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_array_that_cannot_take_them_is_refused(xor_package: Path, kind: str) -> None:
    out, message = WRONG[kind]
    with pytest.raises(InputError, match=message):
        Predictor(xor_package).predict_proba(np.zeros((5, 2), np.float32), out=out)  # type: ignore[arg-type]


def test_the_rows_themselves_are_refused(xor_package: Path) -> None:
    points = np.zeros((5, 2), np.float32)
    with pytest.raises(InputError, match="shares memory with the rows"):
        Predictor(xor_package).predict_proba(points, out=points)
    assert not points.any()


def test_rows_that_are_refused_leave_the_array_as_it_was(xor_package: Path) -> None:
    out = np.full((2, 2), 7, np.float32)
    with pytest.raises(InputError, match="row 2"):
        Predictor(xor_package).predict_proba(np.array([[0, 1], [np.inf, 1]], np.float32), out=out)
    assert (out == 7).all()
