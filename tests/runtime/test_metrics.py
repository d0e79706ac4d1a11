import numpy as np
import pytest

from parity_runtime import InputError
from parity_runtime.metrics import classification_metrics, regression_metrics


def test_binary_metrics_by_hand() -> None:
    true, predicted = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 1, 1, 0])
    p = np.array([0.9, 0.25, 0.5, 0.5, 0.2])
    metrics = classification_metrics(true, predicted, np.stack([1 - p, p], axis=1))
    assert (metrics["tp"], metrics["tn"], metrics["fp"], metrics["fn"]) == (2, 1, 1, 1)
    assert metrics["confusion"] == [[1, 1], [1, 2]]
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == pytest.approx(2 / 3)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.25, 0.5, 0.5, 0.8]).mean())


def test_several_classes_are_averaged_and_an_absent_one_counts_as_zero() -> None:
    metrics = classification_metrics(np.array([0, 1]), np.array([0, 0]), np.eye(3, dtype=np.float32)[[0, 0]])
    assert metrics["precision"] == pytest.approx((0.5 + 0 + 0) / 3)
    assert metrics["recall"] == pytest.approx((1 + 0 + 0) / 3)
    assert np.isfinite(metrics["log_loss"])


def test_regression_metrics_by_hand() -> None:
    metrics = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
    assert metrics == {"rows": 3, "mae": 1.0, "rmse": pytest.approx(np.sqrt(3)), "r2": pytest.approx(1 - 9 / 2)}


def test_no_rows_are_refused() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(InputError):
        classification_metrics(nothing, nothing, np.zeros((0, 2)))
    with pytest.raises(InputError):
        regression_metrics(nothing, nothing)
