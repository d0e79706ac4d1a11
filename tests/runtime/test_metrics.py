import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from parity_runtime import InputError
from parity_runtime.evaluation.exact_sum import ExactSum, exact_square
from parity_runtime.evaluation.metrics import (
    ClassificationMetrics,
    RegressionMetrics,
    classification_metrics,
    regression_metrics,
)
from parity_runtime.evaluation.ranking import AllScores, ScoreBins
from parity_runtime.evaluation.running_stats import RunningStats

SAME = 1e-12
"""How far a metric may be from scikit-learn's: both round float64 sums of some hundred rows."""


def test_a_probability_of_minus_zero_is_zero() -> None:
    bins, true = ScoreBins(3), np.array([0, 1, 2])
    bins.update(true, np.array([[-0.0, 1, 0], [0, 1, -0.0], [0, -0.0, 1]], np.float32))
    same = ScoreBins(3)
    same.update(true, np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]], np.float32))
    assert bins.result() == same.result()


def test_binary_metrics_by_hand() -> None:
    true, predicted = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 1, 1, 0])
    p = np.array([0.9, 0.25, 0.5, 0.5, 0.2])
    metrics = classification_metrics(true, predicted, np.stack([1 - p, p], axis=1))
    assert (metrics["tp"], metrics["tn"], metrics["fp"], metrics["fn"]) == (2, 1, 1, 1)
    assert metrics["confusion"] == [[1, 1], [1, 2]]
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == pytest.approx(2 / 3)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.25, 0.5, 0.5, 0.8]).mean())


def test_several_classes_are_averaged_over_those_that_are_true_or_predicted() -> None:
    metrics = classification_metrics(np.array([0, 1]), np.array([0, 0]), np.eye(3, dtype=np.float32)[[0, 0]])
    assert metrics["precision"] == pytest.approx((0.5 + 0) / 2)
    assert metrics["recall"] == pytest.approx((1 + 0) / 2)
    assert np.isfinite(metrics["log_loss"])


@pytest.mark.parametrize(("true", "predicted"), [([0, 1, 1], [0, 1, 0]), ([0, 0, 0], [2, 2, 1]), ([3, 3], [3, 3])])
def test_an_absent_class_is_averaged_as_by_scikit_learn(true: list[int], predicted: list[int]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    found = classification_metrics(np.array(true), np.array(predicted), np.eye(5)[predicted])
    wanted = sklearn.precision_recall_fscore_support(true, predicted, average="macro", zero_division=0)[:3]
    assert [found[name] for name in ("precision", "recall", "f1")] == pytest.approx(list(wanted))


def test_regression_metrics_by_hand() -> None:
    metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert metrics == {"rows": 3, "mae": 1.0, "rmse": pytest.approx(np.sqrt(3)), "r2": pytest.approx(1 - 9 / 2)}


def predictions(classes: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    probabilities = random.dirichlet(np.ones(classes), rows).round(2) + 0.01  # rounded, so that scores tie
    true = random.integers(0, classes, rows)
    return true, probabilities.argmax(axis=1), probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classification_metrics_are_those_of_scikit_learn(classes: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true, predicted, probabilities = predictions(classes)
    found = classification_metrics(true, predicted, probabilities)
    average = "binary" if classes == 2 else "macro"
    scores = probabilities[:, 1] if classes == 2 else probabilities
    wanted = {
        "accuracy": sklearn.accuracy_score(true, predicted),
        "balanced_accuracy": sklearn.balanced_accuracy_score(true, predicted),
        "log_loss": sklearn.log_loss(true, probabilities),
        "precision": sklearn.precision_score(true, predicted, average=average),
        "recall": sklearn.recall_score(true, predicted, average=average),
        "f1": sklearn.f1_score(true, predicted, average=average),
        "roc_auc": sklearn.roc_auc_score(true, scores, multi_class="ovr"),
        "average_precision": sklearn.average_precision_score(true, scores),
        "brier": sklearn.brier_score_loss(true, probabilities[:, 1] if classes == 2 else probabilities),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=SAME)
    assert found["confusion"] == sklearn.confusion_matrix(true, predicted).tolist()


@pytest.mark.parametrize("classes", [2, 5])
def test_the_calibration_error_is_that_of_scikit_learns_curve(classes: int) -> None:
    calibration = pytest.importorskip("sklearn.calibration", reason="scikit-learn is not installed")
    true, predicted, probabilities = predictions(classes)
    right, confidence = true == predicted, probabilities.max(axis=1)
    accuracy, mean = calibration.calibration_curve(right, confidence, n_bins=15)
    counts = np.histogram(-confidence, -np.linspace(0, 1, 16)[::-1])[0][
        ::-1
    ]  # mirrored: its bins are open on the right
    wanted = (np.abs(accuracy - mean) * counts[counts > 0]).sum() / len(true)
    assert classification_metrics(true, predicted, probabilities)["calibration_error"] == pytest.approx(
        wanted, rel=1e-6
    )


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(0)
    true, predicted = random.normal(100, 30, 300), random.normal(100, 30, 300)
    assert regression_metrics(true, predicted) == pytest.approx({
        "rows": 300,
        "mae": sklearn.mean_absolute_error(true, predicted),
        "rmse": sklearn.root_mean_squared_error(true, predicted),
        "r2": sklearn.r2_score(true, predicted),
    })  # fmt: skip


def test_one_kind_of_row_has_no_roc_curve() -> None:
    true = np.zeros(3, np.int64)
    assert classification_metrics(true, true, np.full((3, 2), 0.5))["roc_auc"] is None
    assert classification_metrics(true, true, np.full((3, 3), 1 / 3))["roc_auc"] is None


def test_always_no_on_rows_of_which_few_are_yes_is_no_good_model() -> None:
    true, no = np.repeat([0, 1], [97, 3]), np.zeros(100, np.int64)
    metrics = classification_metrics(true, no, np.tile([0.97, 0.03], (100, 1)))
    assert metrics["accuracy"] == 0.97 and metrics["recall"] == 0 and metrics["roc_auc"] == 0.5
    assert metrics["balanced_accuracy"] == 0.5
    assert metrics["average_precision"] == pytest.approx(0.03, rel=SAME)
    assert metrics["brier"] == pytest.approx(0.97 * 0.03**2 + 0.03 * 0.97**2, rel=SAME)


def test_a_class_without_rows_has_no_recall_to_balance() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true, predicted = np.array([0, 0, 1, 3]), np.array([0, 1, 1, 3])
    found = classification_metrics(true, predicted, np.eye(5)[predicted])
    assert found["balanced_accuracy"] == pytest.approx(sklearn.balanced_accuracy_score(true, predicted), rel=SAME)
    assert found["average_precision"] is None and found["roc_auc"] is None
    assert found["brier"] == 2 / 4  # one row is wrong, by 1 in two classes


def test_a_single_class_is_balanced_in_itself() -> None:
    ones = np.ones(4, np.int64)
    found = classification_metrics(ones, np.array([1, 1, 0, 1]), np.full((4, 2), 0.5))
    assert (found["balanced_accuracy"], found["average_precision"], found["brier"]) == (0.75, None, 0.25)


def test_no_rows_are_refused() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(InputError):
        classification_metrics(nothing, nothing, np.zeros((0, 2)))
    with pytest.raises(InputError):
        regression_metrics(nothing, nothing)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_running_stats_are_those_of_all_rows_at_once(offset: float) -> None:
    random = np.random.default_rng(5)
    rows = random.normal(offset, [1.0, 3.0, 1e-3], (1000, 3))
    rows[random.random(rows.shape) < 0.2] = np.nan
    rows = np.column_stack([rows, np.full(1000, np.nan), np.full(1000, offset)])
    stats = RunningStats(5)
    for piece in np.split(rows, [0, 1, 7, 7, 500]):
        stats.update(piece)
    known = rows[:, [0, 1, 2, 4]]
    assert stats.count.tolist() == (~np.isnan(rows)).sum(axis=0).tolist()
    assert stats.mean[[0, 1, 2, 4]] == pytest.approx(np.nanmean(known, axis=0), rel=1e-14)
    assert stats.deviation[[0, 1, 2, 4]] == pytest.approx(np.nanstd(known, axis=0), rel=1e-5)
    assert (stats.mean[3], stats.deviation[3]) == (0, 0)


def test_sums_are_exact_whatever_the_order_and_the_parts() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=3000) * 2.0 ** random.integers(-300, 300, 3000)
    values[:3] = 5e-324, -1.7e308, 1.7e308
    groups = random.integers(0, 3, 3000)
    wanted = [math.fsum(values[groups == group]) for group in range(3)]
    for order in (np.arange(3000), random.permutation(3000)):
        parts = [ExactSum(3) for _ in range(4)]
        for part, rows in zip(parts, np.split(order, [0, 7, 1500]), strict=True):
            part.update(values[rows], groups[rows])
        for part in parts[1:]:
            parts[0].merge(pickle.loads(pickle.dumps(part)))
        assert parts[0].values().tolist() == wanted


def test_sums_of_what_is_not_finite_are_not_either() -> None:
    total = ExactSum(2)
    total.update([1.0, math.inf, math.nan], np.array([0, 0, 1]))
    assert total.values()[0] == math.inf and math.isnan(total.values()[1])


def test_a_square_has_no_rounding() -> None:
    values = np.random.default_rng(0).normal(1e5, 1e4, 1000)
    for value, square, rest in zip(values, *exact_square(values), strict=True):
        total = ExactSum()
        total.update([square, rest])
        assert total.exact()[0] == Fraction(value) ** 2


@pytest.mark.parametrize("classes", [2, 5])
def test_metrics_of_parts_in_any_order_are_the_bits_of_all_rows(classes: int) -> None:
    true, predicted, probabilities = predictions(classes, 2000)
    whole = classification_metrics(true, predicted, probabilities)
    order = np.random.default_rng(1).permutation(2000)
    merged, binned = ClassificationMetrics(classes), ClassificationMetrics(classes, binned=True)
    for rows in np.split(order, [1, 400, 401]):
        for metrics in (merged, binned):
            part = ClassificationMetrics(classes, binned=metrics is binned)
            part.update(true[rows], predicted[rows], probabilities[rows])
            metrics.merge(pickle.loads(pickle.dumps(part)))
    assert merged.result() == whole
    found = binned.result()
    for area in ("roc_auc", "average_precision"):
        assert abs(found.pop(area) - whole.pop(area)) <= found.pop(f"{area}_error")
    assert found == whole


def test_a_regression_in_parts_has_the_bits_of_all_rows_also_far_from_zero() -> None:
    random = np.random.default_rng(0)
    true = random.normal(1e9, 1e-2, 1000)
    predicted = true + random.normal(0, 1e-2, 1000)
    whole, merged = regression_metrics(true, predicted), RegressionMetrics()
    for rows in np.split(random.permutation(1000), [3, 500]):
        part = RegressionMetrics()
        part.update(true[rows], predicted[rows])
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert merged.result() == whole
    spread = np.var([Fraction(value) for value in true]) * 1000
    assert whole["r2"] == pytest.approx(1 - 1000 * whole["rmse"] ** 2 / float(spread), rel=1e-12)


@pytest.mark.parametrize("power", [1, 3])
@pytest.mark.parametrize("columns", [1, 3, 2000])
def test_the_binned_curve_is_as_far_from_the_curve_as_it_says(columns: int, power: int) -> None:
    """Scores near 0, and near 1, are told apart as others are; of many classes more coarsely."""
    random = np.random.default_rng(power)
    scores = (random.random((4000, columns)) ** power).astype(np.float32)
    scores[::2] = 1 - scores[::2]
    true = random.integers(0, max(columns, 2), 4000)
    true[: max(columns, 2)] = np.arange(max(columns, 2))
    exact, binned = AllScores(), ScoreBins(columns)
    for curve in (exact, binned):
        curve.update(true, scores)
    found = binned.result()
    assert found["roc_auc"] is not None and found["roc_auc_error"] is not None
    assert abs(found["roc_auc"] - exact.result()["roc_auc"]) <= found["roc_auc_error"] + 1e-12
    assert found["roc_auc_error"] < (1e-3 if columns < 2000 else 0.2)


def test_a_binned_curve_of_equal_scores_says_that_it_knows_nothing_and_without_a_class_none() -> None:
    curve = ScoreBins(1)
    curve.update(np.array([0, 1, 1]), np.full((3, 1), 0.25))
    found = curve.result()
    assert (found["roc_auc"], found["roc_auc_error"]) == (0.5, 0.5)
    alone = ScoreBins(1)
    alone.update(np.array([1, 1]), np.full((2, 1), 0.25))
    assert set(alone.result().values()) == {None}
