import pickle

import numpy as np
import pytest

from parity_runtime import FormatError
from parity_runtime.evaluation.metrics import RegressionMetrics, SeveralTargets, regression_metrics
from parity_runtime.objective import check_objective, quantile_level, quantile_objective

SAME = 1e-12
"""How far a metric may be from scikit-learn's: both round float64 sums of some hundred rows."""


def values(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(rows)
    return random.poisson(3, rows).astype(np.float64), random.gamma(2, 1.5, rows)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_the_pinball_loss_of_a_quantile_is_that_of_scikit_learn(level: float) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true, predicted = values()
    predicted[:10] = true[:10]
    found = regression_metrics(true, predicted, quantile_objective(level))
    assert found["pinball_loss"] == pytest.approx(sklearn.mean_pinball_loss(true, predicted, alpha=level), rel=SAME)
    assert "pinball_loss" not in regression_metrics(true, predicted)


@pytest.mark.parametrize("true", [[0.0, 0.0], [0.0, 3.0], [2.5, 1e-9]])
def test_the_poisson_deviance_is_that_of_scikit_learn_also_of_nothing_counted(true: list[float]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    predicted = np.array([0.5, 2.5])
    found = regression_metrics(np.array(true), predicted, "poisson")["poisson_deviance"]
    assert found == pytest.approx(sklearn.mean_poisson_deviance(true, predicted), rel=SAME)


def test_the_poisson_deviance_of_many_rows_is_that_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    found = regression_metrics(*values(), "poisson")["poisson_deviance"]
    assert found == pytest.approx(sklearn.mean_poisson_deviance(*values()), rel=SAME)


@pytest.mark.parametrize(("true", "predicted"), [([1.0, 2.0], [1.0, 0.0]), ([1.0, -2.0], [1.0, 1.0])])
def test_there_is_no_poisson_deviance_where_it_is_not_defined(true: list[float], predicted: list[float]) -> None:
    found = regression_metrics(np.array(true), np.array(predicted), "poisson")
    assert found["poisson_deviance"] is None and found["mae"] >= 0.5


@pytest.mark.parametrize(("predicted", "r2"), [([2.0, 2.0], 1.0), ([2.0, 3.0], 0.0)])
def test_a_constant_target_has_the_r2_of_scikit_learn(predicted: list[float], r2: float) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true = np.full(2, 2.0)
    assert regression_metrics(true, np.array(predicted))["r2"] == r2 == sklearn.r2_score(true, predicted)


@pytest.mark.parametrize("objective", [None, "median", "huber", "poisson", "quantile 0.9"])
def test_an_objective_in_parts_has_the_bits_of_all_rows(objective: str | None) -> None:
    true, predicted = values(1000)
    whole, merged = regression_metrics(true, predicted, objective), RegressionMetrics(objective)
    for rows in reversed(np.split(np.random.default_rng(0).permutation(1000), [3, 500])):
        part = RegressionMetrics(objective)
        part.update(true[rows], predicted[rows])
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert merged.result() == whole


def test_several_targets_have_metrics_each_and_their_means_as_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true, predicted = (np.stack([one, 10 * one[::-1]], axis=1) for one in values())
    parts = [SeveralTargets(["a", "b"]) for _ in range(2)]
    parts[0].update(true[:7], predicted[:7])
    parts[1].update(true[7:], predicted[7:])
    parts[1].merge(parts[0])
    found = parts[1].result()
    targets = found.pop("targets")
    assert found == pytest.approx({
        "rows": 300,
        "mae": sklearn.mean_absolute_error(true, predicted),
        "rmse": sklearn.root_mean_squared_error(true, predicted),
        "r2": sklearn.r2_score(true, predicted),
    }, rel=SAME)  # fmt: skip
    for place, target in enumerate("ab"):
        alone = regression_metrics(true[:, place], predicted[:, place])
        assert targets[target] | {"rows": alone["rows"]} == alone


def test_several_targets_lack_what_one_of_them_lacks() -> None:
    targets = SeveralTargets(["a", "b"], "poisson")
    targets.update(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]]))
    found = targets.result()
    assert found["poisson_deviance"] is None and found["targets"]["a"]["poisson_deviance"] == 0


@pytest.mark.parametrize(
    "objective", ["quantile 0", "quantile 1", "quantile nan", "quantile x", "quantile", "mode", ""]
)
def test_what_is_no_objective_is_refused(objective: str) -> None:
    with pytest.raises(FormatError, match="objective"):
        check_objective(objective, "regression")


def test_an_objective_goes_with_a_regression() -> None:
    with pytest.raises(FormatError, match="is for a regression; the task is binary"):
        check_objective("median", "binary")
    check_objective(None, "binary")


def test_a_level_is_read_back_as_it_was() -> None:
    assert quantile_level(quantile_objective(0.1 + 0.2)) == 0.1 + 0.2
