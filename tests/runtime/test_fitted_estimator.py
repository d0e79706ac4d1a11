"""A predictor in the hands of scikit-learn's tools."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from parity_runtime import InputError, Predictor

DATA = Path(__file__).parent.parent / "data"
TABLES = ["xor", "species", "rent"]


def rows_of(predictor: Predictor, count: int = 60) -> NDArray[np.float64]:
    random = np.random.default_rng(0)
    ends = [feature.range or (0.0, 1.0) for feature in predictor.contract.columns]
    return np.column_stack([random.uniform(low, high, count) for low, high in ends])


@pytest.fixture
def sklearn():  # type: ignore[no-untyped-def]
    return pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")


@pytest.mark.parametrize("name", TABLES)
def test_names_and_number_of_features_are_the_contracts(name: str) -> None:
    predictor = Predictor(DATA / name)
    assert list(predictor.feature_names_in_) == [feature.name for feature in predictor.contract.columns]
    assert predictor.n_features_in_ == len(predictor.contract.features)


def test_a_model_over_tensors_has_no_features(series_package: Path) -> None:
    predictor = Predictor(series_package)
    assert not hasattr(predictor, "n_features_in_") and not hasattr(predictor, "feature_names_in_")


def test_the_decision_function_has_the_sign_of_the_class(xor_package: Path, species_package: Path) -> None:
    binary, several = Predictor(xor_package), Predictor(species_package)
    rows = rows_of(binary, 500)
    decision = binary.decision_function(rows)
    assert decision.dtype == np.float32 and decision.shape == (500,)
    assert (binary.classes_[(decision >= 0).astype(int)] == binary.predict(rows)).all()
    rows = rows_of(several)
    decision = several.decision_function(rows)
    assert decision.shape == (60, 3)
    assert (several.classes_[decision.argmax(axis=1)] == several.predict(rows)).all()


def test_what_is_no_classifier_has_no_decision_function(rent_package: Path) -> None:
    with pytest.raises(InputError, match="rent is not a classifier"):
        Predictor(rent_package).decision_function([[1, 2, 3]])


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_score_is_that_of_scikit_learn(sklearn, name: str, weighted: bool) -> None:
    from sklearn.metrics import accuracy_score, r2_score

    predictor = Predictor(DATA / name)
    random, rows = np.random.default_rng(1), rows_of(predictor)
    weights = random.uniform(0.1, 2, len(rows)) if weighted else None
    truth = predictor.predict(rows)
    if predictor.contract.is_classifier:
        truth = np.where(random.random(len(rows)) < 0.3, predictor.classes_[0], truth)
        wanted = accuracy_score(truth, predictor.predict(rows), sample_weight=weights)
    else:
        truth = truth + random.normal(0, 1, truth.shape)
        wanted = r2_score(truth, predictor.predict(rows), sample_weight=weights)
    assert predictor.score(rows, truth, weights) == pytest.approx(wanted)


@pytest.mark.parametrize("truth", [[1.0], [], ["1", "0"]], ids=["shape", "empty", "text"])
def test_a_truth_that_cannot_be_compared_is_refused(xor_package: Path, truth: list[object]) -> None:
    with pytest.raises(InputError, match="the truth"):
        Predictor(xor_package).score([[0, 1], [1, 1]], truth)
    with pytest.raises(InputError, match="the truth has the shape"):
        Predictor(xor_package).score(np.empty((0, 2)), [])


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [[1.0, 1.0]]])
def test_weights_that_do_not_fit_are_refused(xor_package: Path, weights: list[object]) -> None:
    with pytest.raises(InputError, match="give each of 2 rows a weight"):
        Predictor(xor_package).score([[0, 1], [1, 1]], [1, 0], weights)


def test_it_is_not_fitted_again(xor_package: Path) -> None:
    with pytest.raises(InputError, match="FrozenEstimator"):
        Predictor(xor_package).fit([[0, 1]], [1])


@pytest.mark.parametrize(("name", "kind"), [("xor", "classifier"), ("species", "classifier"), ("rent", "regressor"),
                                            ("series", None)])  # fmt: skip
def test_it_is_a_fitted_estimator_of_its_kind(sklearn, name: str, kind: str | None) -> None:
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    predictor = Predictor(DATA / name)
    check_is_fitted(predictor)
    assert (is_classifier(predictor), is_regressor(predictor)) == (kind == "classifier", kind == "regressor")
    assert get_tags(predictor).estimator_type == kind
    assert clone(predictor) is predictor


@pytest.mark.parametrize("name", TABLES)
def test_inspection_asks_it_as_any_other(sklearn, name: str) -> None:
    from sklearn.inspection import partial_dependence, permutation_importance

    predictor = Predictor(DATA / name)
    rows = rows_of(predictor)
    truth = predictor.predict(rows)
    found = permutation_importance(predictor, rows, truth, n_repeats=3, random_state=0)
    assert found.importances_mean.shape == (predictor.n_features_in_,) and (found.importances_mean > 0).any()
    average = partial_dependence(predictor, rows, [0], grid_resolution=4)["average"]
    kinds = {"xor": 1, "species": 3, "rent": 2}
    assert average.shape == (kinds[name], 4)


@pytest.mark.parametrize("name", TABLES)
def test_a_frozen_one_goes_where_estimators_are_fitted(sklearn, name: str) -> None:
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import make_pipeline

    predictor = Predictor(DATA / name)
    rows = rows_of(predictor)
    pipeline = make_pipeline(FrozenEstimator(predictor)).fit(rows, predictor.predict(rows))
    assert (pipeline.predict(rows) == predictor.predict(rows)).all()


def test_a_frozen_classifier_is_calibrated(sklearn, xor_package: Path) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    predictor = Predictor(xor_package)
    rows = rows_of(predictor)
    calibrated = CalibratedClassifierCV(FrozenEstimator(predictor)).fit(rows, predictor.predict(rows))
    assert calibrated.predict_proba(rows).shape == (60, 2)
    with pytest.raises(InputError, match="FrozenEstimator"):
        CalibratedClassifierCV(predictor).fit(rows, predictor.predict(rows))


def test_its_plots_are_drawn(sklearn, xor_package: Path, species_package: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed").use("Agg")
    from matplotlib import pyplot
    from sklearn.inspection import PartialDependenceDisplay
    from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

    binary, several = Predictor(xor_package), Predictor(species_package)
    rows = rows_of(binary)
    truth = binary.predict(rows)
    for response in ("predict_proba", "decision_function"):
        assert RocCurveDisplay.from_estimator(binary, rows, truth, response_method=response).roc_auc == 1
    names = list(several.feature_names_in_)
    drawn = PartialDependenceDisplay.from_estimator(
        several, rows_of(several), ["a"], feature_names=names, target="setosa"
    )
    assert len(drawn.pd_results) == 1
    assert ConfusionMatrixDisplay.from_estimator(binary, rows, truth).confusion_matrix.sum() == 60
    pyplot.close("all")
