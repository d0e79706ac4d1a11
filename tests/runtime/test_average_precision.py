import numpy as np
import pytest

from parity_runtime.evaluation.average_precision import average_precision
from parity_runtime.evaluation.ranking import AllScores, ScoreBins
from tests.soak import sampled

SAME = 1e-12
"""How far it may be from scikit-learn's: both round a float64 sum of some hundred rows."""


@pytest.mark.parametrize(
    ("positive", "score"),
    [
        ([0, 1], [0.1, 0.9]),
        ([1, 0], [0.1, 0.9]),
        ([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5]),
        ([0, 1, 0, 1, 0, 0], [0.0, -0.0, 1.0, 1.0, 0.5, 0.25]),
        ([0] * 99 + [1], np.linspace(1, 0, 100)),
    ],
)
def test_it_is_that_of_scikit_learn_also_of_few_and_of_equal_scores(positive: list[int], score: list[float]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    found = average_precision(np.array(positive) == 1, np.array(score))
    assert found == pytest.approx(sklearn.average_precision_score(positive, score), rel=SAME)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_that_of_scikit_learn_on_random_scores_that_tie(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(seed)
    positive, score = random.random(500) < 0.1, random.random(500).round(seed % 3 + 1).astype(np.float32)
    assert average_precision(positive, score) == pytest.approx(
        sklearn.average_precision_score(positive, score), rel=SAME
    )


@pytest.mark.parametrize("positive", [[], [True, True], [False]])
def test_rows_of_one_kind_have_none(positive: list[bool]) -> None:
    assert average_precision(np.array(positive, bool), np.zeros(len(positive))) is None


@pytest.mark.parametrize("power", [1, 3])
@pytest.mark.parametrize("columns", sampled([1, 3, 300, 2000], {"1", "3", "300"}))
@pytest.mark.parametrize("decimals", [2, 5, 9])
def test_binned_it_is_as_far_from_the_exact_one_as_it_says(columns: int, power: int, decimals: int) -> None:
    random = np.random.default_rng(power)
    scores = (random.random((4000, columns)) ** power).round(decimals).astype(np.float32)
    scores[::2] = 1 - scores[::2]
    true = random.integers(0, max(columns, 2), 4000)
    true[: max(columns, 2)] = np.arange(max(columns, 2))
    exact, binned = AllScores(), ScoreBins(columns)
    for ranking in (exact, binned):
        ranking.update(true, scores)
    found, wanted = binned.result(), exact.result()["average_precision"]
    average, error = found["average_precision"], found["average_precision_error"]
    assert wanted is not None and average is not None and error is not None
    assert abs(average - wanted) <= error
    assert error < (0.5 if columns >= 300 else 0.02 if decimals > 2 else 0.06)  # 0.5: of 0.3 % of rows, in few bins


@pytest.mark.parametrize("order", ["best", "worst"])
def test_rows_of_one_bin_may_lie_in_any_order(order: str) -> None:
    """Five positive and five negative rows in one bin: all of one kind score higher, or all of the other."""
    true = np.repeat([1, 0] if order == "best" else [0, 1], 5)
    scores = np.nextafter(np.float32(0.25), np.float32(1)) * np.ones((10, 1), np.float32)
    scores[5:] = 0.25
    binned, exact = ScoreBins(1), AllScores()
    for ranking in (binned, exact):
        ranking.update(true, scores)
    found, wanted = binned.result(), exact.result()["average_precision"]
    assert wanted == (1.0 if order == "best" else 0.5)
    assert found["average_precision"] is not None and found["average_precision_error"] is not None
    assert abs(found["average_precision"] - wanted) <= found["average_precision_error"] < 0.5
