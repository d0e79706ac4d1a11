"""A package that an estimator of scikit-learn's kind exports answers as the estimator."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")

from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import NotFittedError

from parity_runtime import InputError, Predictor, verify
from parity_runtime.package.manifest import PROFILE
from parity_runtime.sklearn import load_estimator
from parity_training.sklearn import ParityClassifier, ParityRegressor
from tests.python_path import python_path
from tests.training.test_estimators import Linear, mixed_table

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {"epochs": 15, "learning_rate": 0.01, "random_state": 0}


def assert_same(estimator: Any, predictor: Predictor, rows: Any) -> None:
    """Labels are identical, bools as the package has them; probabilities and values within what it was gated by."""
    expected, found = estimator.predict(rows), predictor.predict(rows)
    if hasattr(estimator, "classes_"):
        assert [str(label).lower() for label in found] == [str(label).lower() for label in expected]
        np.testing.assert_allclose(predictor.predict_proba(rows), estimator.predict_proba(rows), rtol=1e-4, atol=1e-6)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("labels", [
    pytest.param([0, 1], id="integers", marks=pytest.mark.soak), pytest.param(["benign", "malignant"], id="text"),
    pytest.param([False, True], id="bools", marks=pytest.mark.soak),
])  # fmt: skip
def test_a_classifier_of_an_array(labels: list[Any], tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X[::7, 3] = np.nan
    estimator = ParityClassifier(**QUICK).fit(X, np.array(labels)[y])
    exported = estimator.export(tmp_path / "cancer")
    predictor = Predictor(exported.path)
    assert predictor.contract.classes == tuple(str(label).lower() if type(label) is bool else label for label in labels)
    assert predictor.contract.name == "cancer" and list(predictor.feature_names_in_)[:2] == ["x0", "x1"]
    assert_same(estimator, predictor, X)
    assert predictor.score(X, np.array(labels)[y]) == estimator.score(X, np.array(labels)[y]) > 0.9
    assert (exported.path / PROFILE).is_file() and verify(exported.path).files


def test_a_classifier_of_a_mixed_frame(tmp_path: Path) -> None:
    X, y = mixed_table()
    estimator = ParityClassifier(**QUICK).fit(X, y)
    predictor = Predictor(estimator.export(tmp_path / "loud", plots=False, effort="quick").path)
    assert_same(estimator, predictor, X)
    changed = X.assign(color="violet", sent=X["sent"] + np.timedelta64(400, "D"))
    changed["size"] = np.nan
    with pytest.warns(UserWarning, match="cells of color are unknown"):
        assert_same(estimator, predictor, changed)
    assert (load_estimator(tmp_path / "loud").predict(X) == estimator.predict(X)).all()


def test_a_regressor(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    estimator = ParityRegressor(**QUICK).fit(X, y)
    predictor = Predictor(estimator.export(tmp_path / "diabetes", plots=False, effort="quick").path)
    assert_same(estimator, predictor, X)
    assert predictor.contract.targets == ("target",)
    assert predictor.score(X, y) == pytest.approx(estimator.score(X, y))


def test_several_targets(tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, y**0.5])
    estimator = ParityRegressor(**QUICK).fit(X, both)
    predictor = Predictor(estimator.export(tmp_path / "both", plots=False, effort="quick").path)
    assert_same(estimator, predictor, X)
    assert predictor.score(X, both) == pytest.approx(estimator.score(X, both))


def test_what_is_decided_after_training_is_in_the_package(tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    decided = {"calibrate": True, "threshold_for": "recall=0.99", "restarts": 2, "validation_fraction": 0.3}
    estimator = ParityClassifier(**decided, **QUICK).fit(X, y)
    predictor = Predictor(estimator.export(tmp_path / "cancer", plots=False, effort="quick").path)
    assert predictor.contract.threshold == estimator.contract_.threshold != 0.5
    assert_same(estimator, predictor, X)
    np.testing.assert_allclose(predictor.decision_function(X), estimator.decision_function(X), atol=1e-4)


def test_a_network_of_ones_own_with_its_error_bounds(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    estimator = ParityClassifier(network=Linear, **QUICK).fit(X, y)
    estimator.export(tmp_path / "wine", certified=True, plots=False, effort="quick")
    predictor = Predictor(tmp_path / "wine", certified=True)
    assert_same(estimator, predictor, X)
    assert predictor.certified(X).mean() > 0.9


def test_a_package_that_is_there_is_only_replaced_where_asked(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    with pytest.raises(NotFittedError):
        ParityClassifier().export(tmp_path / "wine")
    first = ParityClassifier(**QUICK).fit(X, y).export(tmp_path / "wine", plots=False, effort="quick")
    other = ParityClassifier(**QUICK | {"random_state": 1}).fit(X, y)
    with pytest.raises(InputError, match="exists"):
        other.export(tmp_path / "wine", plots=False, effort="quick")
    assert other.export(tmp_path / "wine", replace=True, plots=False, effort="quick").package_id != first.package_id
    assert_same(other, Predictor(tmp_path / "wine"), X)


def test_without_the_export_extra_it_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from sklearn.datasets import load_wine\n"
        "from parity_training.sklearn import ParityClassifier\n"
        "ParityClassifier(epochs=1).fit(*load_wine(return_X_y=True)).export('wine')"
    )
    environment = {"PYTHONPATH": python_path(".")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingExtraError: export needs onnx, which is not installed" in last, done.stderr
    assert 'pip install ".[export,cpu]"' in last and list(tmp_path.iterdir()) == []
