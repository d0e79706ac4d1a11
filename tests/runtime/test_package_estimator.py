"""A package in the hands of scikit-learn's tools, as the estimator that it is."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.contract import ModelContract
from tests.python_path import python_path

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")

from parity_runtime.sklearn import PackageClassifier, PackageRegressor, load_estimator

if TYPE_CHECKING:
    import pandas

DATA = Path(__file__).parent.parent / "data"
CLASSIFIERS, ALL = ["xor", "species", "mixed"], ["xor", "species", "mixed", "rent"]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def frame_of(contract: ModelContract, rows: int = 300) -> "pandas.DataFrame":
    """Rows of every kind that the model takes, a missing cell in each column that may have one."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    random, columns = np.random.default_rng(0), {}
    for feature in contract.features:
        low, high = feature.range or (0.0, 1.0)
        column: Any = random.uniform(low, high, rows)
        if feature.is_text:
            column = random.choice([*feature.categories, "unseen"], rows).astype(object)
        elif feature.kind == "datetime":
            column = column.astype("int64").astype("datetime64[s]")
        elif feature.kind == "boolean":
            column = (column > 0.5).astype(object)
        columns[feature.name] = pandas.Series(column)
        if feature.missing == "impute":
            columns[feature.name].iloc[3] = None
    return pandas.DataFrame(columns)


@pytest.mark.parametrize("name", ALL)
def test_a_frame_whose_names_are_numbers_is_taken_by_place(name: str) -> None:
    estimator = load_estimator(DATA / name)
    rows = frame_of(estimator.predictor_.contract)
    numbered = rows.set_axis(range(rows.shape[1]), axis=1)
    assert (estimator.predict(numbered) == estimator.predict(rows)).all()
    assert estimator.score(numbered, estimator.predict(rows)) == 1
    if name in CLASSIFIERS:
        assert (estimator.predict_proba(numbered) == estimator.predict_proba(rows)).all()
        assert (estimator.decision_function(numbered) == estimator.decision_function(rows)).all()
    with pytest.raises(InputError, match="is missing; found 1"):
        estimator.predict(numbered.iloc[:, 1:])


@pytest.fixture(params=ALL)
def package(request: pytest.FixtureRequest) -> Path:
    return DATA / str(request.param)


@pytest.fixture(params=CLASSIFIERS)
def classifier_package(request: pytest.FixtureRequest) -> Path:
    return DATA / str(request.param)


def truth_of(estimator: Any, rows: Any) -> Any:
    """Predictions, a fifth of them another row's."""
    truth = np.asarray(estimator.predict(rows)).copy()
    truth[::5] = truth[::-5]
    return truth


def test_it_answers_as_the_predictor(package: Path) -> None:
    estimator, predictor = load_estimator(package), Predictor(package)
    rows = frame_of(predictor.contract)
    assert (estimator.predict(rows) == predictor.predict(rows)).all()
    assert list(estimator.feature_names_in_) == list(predictor.feature_names_in_)
    truth = truth_of(estimator, rows)
    assert estimator.score(rows, truth) == predictor.score(rows, truth) < 1
    if isinstance(estimator, PackageClassifier):
        assert (estimator.predict_proba(rows) == predictor.predict_proba(rows)).all()
        assert (estimator.decision_function(rows) == predictor.decision_function(rows)).all()


def test_it_is_an_estimator_with_parameters(package: Path) -> None:
    from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
    from sklearn.utils.validation import check_is_fitted

    estimator = load_estimator(str(package), threads=2)
    assert isinstance(estimator, BaseEstimator)
    assert is_classifier(estimator) == isinstance(estimator, PackageClassifier) != is_regressor(estimator)
    copy = clone(estimator)
    check_is_fitted(copy)
    assert copy.get_params() == estimator.get_params() and copy.get_params()["threads"] == 2
    rows = frame_of(estimator.predictor_.contract)
    assert (copy.predict(rows) == estimator.predict(rows)).all()
    assert f"path={str(package)!r}" in repr(estimator)


def test_a_parameter_that_changes_opens_the_other_package(xor_package: Path, species_package: Path) -> None:
    estimator = PackageClassifier(xor_package)
    assert estimator.n_features_in_ == 2
    assert estimator.set_params(path=species_package).n_features_in_ == 4


def test_a_pickle_holds_the_model(package: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(package, tmp_path / "moved"))
    estimator = load_estimator(moved)
    rows = frame_of(estimator.predictor_.contract)
    expected, data = estimator.predict(rows), pickle.dumps(estimator)
    shutil.rmtree(moved)
    assert (pickle.loads(data).predict(rows) == expected).all()


def test_inspection_asks_it(package: Path) -> None:
    from sklearn.inspection import PartialDependenceDisplay, permutation_importance

    estimator = load_estimator(package)
    rows = frame_of(estimator.predictor_.contract)
    found = permutation_importance(estimator, rows, estimator.predict(rows), n_repeats=3, random_state=0)
    assert found.importances_mean.shape == (rows.shape[1],) and (found.importances_mean > 0).any()
    numbers = [feature.name for feature in estimator.predictor_.contract.features if feature.kind == "numeric"][:1]
    target = estimator.classes_[0] if isinstance(estimator, PackageClassifier) and len(estimator.classes_) > 2 else 0
    drawn = PartialDependenceDisplay.from_estimator(estimator, rows.dropna(), numbers, target=target, grid_resolution=5)
    assert drawn.pd_results[0]["average"].shape[-1] == 5


def test_categories_have_a_partial_dependence(mixed_package: Path) -> None:
    from sklearn.inspection import PartialDependenceDisplay

    estimator = load_estimator(mixed_package)
    rows = frame_of(estimator.predictor_.contract).dropna().query("color != 'unseen'")
    drawn = PartialDependenceDisplay.from_estimator(estimator, rows, ["color"], categorical_features=["color"])
    average = drawn.pd_results[0]["average"][0]
    assert average.shape == (3,) and np.ptp(average) > 0.05


@pytest.mark.parametrize("response", ["predict_proba", "decision_function"])
@pytest.mark.parametrize("name", ["xor", "mixed"])
def test_curves_of_two_classes_are_drawn(name: str, response: str) -> None:
    from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

    estimator = load_estimator(DATA / name)
    rows = frame_of(estimator.predictor_.contract)
    truth, positive = estimator.predict(rows), estimator.predictor_.contract.positive
    options = {"response_method": response, "pos_label": positive}
    assert RocCurveDisplay.from_estimator(estimator, rows, truth, **options).roc_auc == 1
    found = PrecisionRecallDisplay.from_estimator(estimator, rows, truth, **options)
    assert found.average_precision == pytest.approx(1)


def test_calibration_and_confusion_are_drawn(mixed_package: Path) -> None:
    from sklearn.calibration import CalibrationDisplay
    from sklearn.metrics import ConfusionMatrixDisplay

    estimator = load_estimator(mixed_package)
    rows = frame_of(estimator.predictor_.contract)
    truth = truth_of(estimator, rows)
    assert len(CalibrationDisplay.from_estimator(estimator, rows, truth, n_bins=3, pos_label="yes").prob_true) > 1
    assert ConfusionMatrixDisplay.from_estimator(estimator, rows, truth).confusion_matrix.sum() == 300


def test_a_frozen_one_is_calibrated(classifier_package: Path) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    estimator = load_estimator(classifier_package)
    rows = frame_of(estimator.predictor_.contract)
    calibrated = CalibratedClassifierCV(FrozenEstimator(estimator)).fit(rows, truth_of(estimator, rows))
    probabilities = calibrated.predict_proba(rows)
    assert probabilities.shape == (300, len(estimator.classes_)) and (calibrated.classes_ == estimator.classes_).all()
    assert not np.allclose(probabilities, estimator.predict_proba(rows))


def test_frozen_ones_vote_and_are_cross_validated(mixed_package: Path) -> None:
    from sklearn.ensemble import VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import cross_val_score

    estimator = load_estimator(mixed_package)
    rows = frame_of(estimator.predictor_.contract)
    truth = truth_of(estimator, rows)
    frozen = FrozenEstimator(estimator)
    votes = VotingClassifier([("one", frozen), ("two", frozen)], voting="soft").fit(rows, truth)
    assert (votes.predict(rows) == estimator.predict(rows)).all()
    folds = cross_val_score(frozen, rows, truth, cv=4)
    assert folds.mean() == pytest.approx(estimator.score(rows, truth))


def test_it_is_not_fitted_again(xor_package: Path) -> None:
    with pytest.raises(InputError, match="FrozenEstimator"):
        PackageClassifier(xor_package).fit([[0, 1]], [1])


def test_the_wrong_kind_of_package_is_refused(xor_package: Path, rent_package: Path, series_package: Path) -> None:
    with pytest.raises(InputError, match="is not a regressor .its task is binary.; load_estimator chooses"):
        PackageRegressor(xor_package).predict([[0, 1]])
    with pytest.raises(InputError, match="is not a classifier .its task is regression."):
        PackageClassifier(rent_package).classes_  # noqa: B018
    with pytest.raises(InputError, match="has the task tensors, which scikit-learn has no estimators for"):
        load_estimator(series_package)


def test_without_scikit_learn_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['sklearn'] = None; import parity_runtime.sklearn"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": python_path(".")}, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert (
        "MissingExtraError: parity_runtime.sklearn needs scikit-learn" in last
        and 'pip install ".[cpu,sklearn]"' in last
    )
