"""The vectorized spelling of float32 against numpy's own, number by number."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from parity_runtime.tables.float_text import choice_cells, float32_cells, float32_text, interleaved, joined


def spelled(values: NDArray[np.float32]) -> list[str]:
    return [line.decode() for line in joined([float32_cells(values)], len(values))]


RANDOM = np.random.default_rng(0)
TWO = np.float32(2.0) ** np.arange(-126, 128, dtype=np.float32)
VALUES = {
    "probabilities": 1 / (1 + np.exp(-RANDOM.normal(0, 4, 20_000))),
    "bit patterns": RANDOM.integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32).view(np.float32),
    "magnitudes": 10 ** RANDOM.uniform(-6, 18, 20_000) * RANDOM.choice([-1, 1], 20_000),
    "short decimals": RANDOM.integers(-(10**6), 10**6, 20_000) / 1000,
    "integers": RANDOM.integers(-(10**9), 10**9, 5_000),
    "powers of two": TWO,
    "beside powers of two": np.concatenate([np.nextafter(TWO, np.float32(0)), np.nextafter(TWO, np.float32(1e38))]),
    "powers of ten": 10.0 ** np.arange(-8, 20),
    "ties": (RANDOM.integers(0, 2**24, 20_000) + 0.5) / 2.0 ** RANDOM.integers(0, 30, 20_000),
    "special": [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, 3.4028235e38, 9999999.0, 0.99999994],
    "none": [],
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_number_is_spelled_as_numpy_spells_it_alone(kind: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(VALUES[kind]).astype(np.float32)
    assert spelled(values) == [float32_text(value) for value in values]


@pytest.mark.parametrize("kind", ["probabilities", "bit patterns", "magnitudes", "powers of two", "ties"])
def test_the_text_reads_back_and_none_shorter_does(kind: str) -> None:
    values = np.asarray(VALUES[kind]).astype(np.float32)
    values = values[np.isfinite(values)][:5_000]
    for value, text in zip(values, spelled(values), strict=True):
        assert np.float32(text).view(np.uint32) == value.view(np.uint32)
        digits = len(text.lstrip("-").partition("e")[0].replace(".", "").strip("0"))
        assert digits <= 1 or np.float32(f"{float(value):.{digits - 2}e}") != value


def test_small_numbers_are_what_str_says() -> None:
    for value in np.array([0.1, 1.0, 1e-05, 1.5e-05, 0.0001, 123.456, np.nan, np.inf, -0.0], np.float32):
        assert float32_text(value) == str(value)


def test_other_words_for_what_is_no_number_in_json() -> None:
    cells = float32_cells(np.array([0.5, np.inf, np.nan], np.float32), lambda _: "null")
    assert [json.loads(line) for line in joined([cells], 3)] == [0.5, None, None]


def test_parts_and_records_are_put_together_row_by_row() -> None:
    choices = choice_cells(np.array([1, 0, 1]), [b"no", b"maybe"])
    endings = joined([b",", choices, b";", choices, b"\n"], 3)
    assert endings == [b",maybe;maybe\n", b",no;no\n", b",maybe;maybe\n"]
    assert interleaved([b"1", b"22", b""], endings) == b"1,maybe;maybe\n22,no;no\n,maybe;maybe\n"
