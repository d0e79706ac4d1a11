"""scikit-learn's own checks of an estimator, all of them."""

from typing import Any

import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")

from sklearn.utils.estimator_checks import parametrize_with_checks

from parity_training.sklearn import ParityClassifier, ParityRegressor

BATCHES = "a row of weight 2 stands in one batch, two equal rows in two: the steps, the split and the order differ"
FLOAT32 = "it wants float64, and the network and its package compute in float32, as `predict` of one target says too"


def expected(estimator: Any) -> dict[str, str]:
    """The checks that fail, each with its reason."""
    found = {"check_sample_weight_equivalence_on_dense_data": BATCHES}
    return found | ({"check_regressor_multioutput": FLOAT32} if isinstance(estimator, ParityRegressor) else {})


SETTINGS: dict[str, Any] = {"epochs": 30, "learning_rate": 0.03, "batch_size": 32}


@parametrize_with_checks(
    [ParityClassifier(**SETTINGS), ParityRegressor(**SETTINGS)],
    expected_failed_checks=expected,
)
def test_the_check_passes(estimator: Any, check: Any) -> None:
    check(estimator)
