"""The classifier and the regressor on real tables, in scikit-learn's own hands."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")

import pandas
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from parity_runtime import InputError
from parity_training import TableNetwork
from parity_training.sklearn import ParityClassifier, ParityRegressor
from tests.python_path import python_path

QUICK: dict[str, Any] = {"epochs": 20, "learning_rate": 0.03, "batch_size": 32, "random_state": 0}
IN_SMALL_STEPS: dict[str, Any] = {"epochs": 20, "learning_rate": 0.01, "random_state": 0}


class Linear(nn.Module):
    """A network of one's own."""

    def __init__(self, num_inputs: int, num_outputs: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(num_inputs, num_outputs), dropout

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.layer(features)
        return output


def mixed_table(rows: int = 300) -> tuple[Any, Any]:
    """Columns of every kind, a missing cell in most, and classes that follow from three of them."""
    random = np.random.default_rng(0)
    frame = pandas.DataFrame({
        "size": random.normal(5, 2, rows),
        "color": random.choice(["red", "green", "blue"], rows),
        "sent": pandas.date_range("2021-03-01", periods=rows, freq="7h"),
        "fragile": random.random(rows) < 0.5,
        "grade": pandas.Categorical(random.choice(["A", "B"], rows)),
        "name": [f"row {number}" for number in range(rows)],
    })  # fmt: skip
    loud = (frame["size"] > 5) ^ (frame["color"] == "red")
    target = pandas.Series(np.where(loud & (frame["grade"] == "A"), "loud", np.where(loud, "odd", "quiet")), name="how")
    for row, column in enumerate(("size", "color", "sent", "grade")):
        frame.loc[row, column] = None
    return frame, target


def test_it_learns_real_tables() -> None:
    for load in (load_breast_cancer, load_wine):
        train, test, labels, truth = train_test_split(*load(return_X_y=True), random_state=0)
        assert ParityClassifier(**QUICK).fit(train, labels).score(test, truth) > 0.93
    train, test, values, truth = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    assert ParityRegressor(**IN_SMALL_STEPS).fit(train, values).score(test, truth) > 0.3


def test_the_network_is_that_of_a_table_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estimator = ParityClassifier(**QUICK).fit(*load_wine(return_X_y=True))
    assert isinstance(estimator.network_, TableNetwork) and not estimator.network_.training
    assert estimator.contract_.classes == (0, 1, 2) and len(estimator.contract_.features) == 13
    assert list(tmp_path.iterdir()) == []


def test_what_it_learned_can_be_followed() -> None:
    X, y = load_wine(return_X_y=True)
    estimator = ParityClassifier(epochs=300, patience=3, learning_rate=0.02, random_state=0).fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == len(estimator.validation_scores_) < 300
    assert estimator.best_epoch_ == estimator.n_iter_ - 3
    assert min(estimator.validation_loss_curve_) == estimator.validation_loss_curve_[estimator.best_epoch_ - 1]
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0] / 2 and max(estimator.validation_scores_) > 0.9
    without = ParityRegressor(epochs=4, validation_fraction=0, random_state=0).fit(X, y)
    assert without.n_iter_ == without.best_epoch_ == 4 and without.validation_scores_ == []


def test_the_same_seed_gives_the_same_and_leaves_torchs_generator_alone() -> None:
    import torch

    X, y = load_wine(return_X_y=True)
    before = torch.get_rng_state()
    one, two, other = (ParityClassifier(epochs=2, random_state=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    assert (one == two).all() and not (one == other).all()
    assert (torch.get_rng_state() == before).all()


def test_it_goes_through_a_pipeline_and_a_grid() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), ParityClassifier(**QUICK))
    grid = {"parityclassifier__hidden": [(), (8,)], "parityclassifier__learning_rate": np.array([1e-5, 1e-2])}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_["parityclassifier__learning_rate"] == 1e-2 and search.best_score_ > 0.95
    assert search.score(X, y) > 0.95 and set(search.classes_) == {0, 1}


def test_it_is_cross_validated() -> None:
    X, y = load_wine(return_X_y=True)
    assert cross_val_score(ParityClassifier(**QUICK), X, y, cv=3).min() > 0.9
    assert cross_val_predict(ParityClassifier(**QUICK), X, y, cv=3, method="predict_proba").shape == (178, 3)
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(ParityRegressor(**QUICK), X, y, cv=3).min() > 0.3


@pytest.mark.slow
def test_it_is_cross_validated_in_processes() -> None:
    X, y = load_wine(return_X_y=True)
    alone = cross_val_score(ParityClassifier(**QUICK), X, y, cv=3)
    assert (cross_val_score(ParityClassifier(**QUICK), X, y, cv=3, n_jobs=2) == alone).all()


def test_it_is_calibrated_and_votes() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    calibrated = CalibratedClassifierCV(ParityClassifier(**QUICK), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.95
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    votes = VotingClassifier([("net", ParityClassifier(**QUICK)), ("linear", linear)], voting="soft").fit(X, y)
    assert votes.score(X, y) > 0.95
    X, y = load_diabetes(return_X_y=True)
    assert VotingRegressor([("net", ParityRegressor(**QUICK)), ("linear", Ridge())]).fit(X, y).score(X, y) > 0.4


def test_a_clone_has_the_parameters_and_a_pickle_the_network() -> None:
    X, y = mixed_table()
    estimator = ParityClassifier((12,), categorical=["fragile"], optimizer="SGD", **QUICK).fit(X, y)
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)
    restored = pickle.loads(pickle.dumps(estimator))
    assert (restored.predict_proba(X) == estimator.predict_proba(X)).all()
    assert copy.set_params(hidden=(3,)).fit(X, y).network_.body.layers[0].out_features == 3


def test_columns_of_every_kind_are_learned_from() -> None:
    X, y = mixed_table()
    estimator = ParityClassifier(epochs=60, learning_rate=0.01, random_state=0).fit(X, y)
    assert estimator.score(X, y) > 0.9
    assert list(estimator.classes_) == ["loud", "odd", "quiet"] == list(estimator.contract_.classes)
    kinds = {feature.name: feature.kind for feature in estimator.contract_.features}
    assert kinds == {"size": "numeric", "color": "categorical", "sent": "datetime", "fragile": "boolean",
                     "grade": "categorical"}  # fmt: skip
    assert list(estimator.feature_names_in_) == list(X.columns) and estimator.n_features_in_ == 6
    assert estimator.contract_.targets == ("how",)
    for row in (0, 1, 2, 3, 50):
        assert estimator.predict(X[row : row + 1]) == estimator.predict(X)[row]


def test_a_frame_of_another_library_is_the_same_table() -> None:
    polars, pyarrow = (pytest.importorskip(name, reason=f"{name} is not installed") for name in ("polars", "pyarrow"))
    X, y = mixed_table()
    expected = ParityClassifier(**QUICK).fit(X, y)
    for frame in (polars.from_pandas(X), pyarrow.Table.from_pandas(X)):
        estimator = ParityClassifier(**QUICK).fit(frame, y)
        assert (estimator.predict_proba(frame) == expected.predict_proba(X)).all()
        assert (expected.predict_proba(frame) == expected.predict_proba(X)).all()


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_frame_without_a_number_is_learned_from(restarts: int) -> None:
    frame, _ = mixed_table()
    frame = frame[["color", "grade"]]
    value = np.where(frame["color"] == "red", 1.0, 5.0)
    regressor = ParityRegressor(restarts=restarts, **QUICK | {"epochs": 60}).fit(frame, value)
    assert regressor.score(frame, value) > 0.9


def test_one_number_is_one_hidden_layer() -> None:
    X, y = load_wine(return_X_y=True)
    one, listed = (ParityClassifier(hidden=hidden, **QUICK).fit(X, y) for hidden in (8, (8,)))
    assert (one.predict_proba(X) == listed.predict_proba(X)).all()


def test_numbers_of_numpy_and_names_in_any_collection_are_taken() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    numpys = {"dropout": np.float64(0.1), "batch_norm": np.bool_(True), "epochs": np.int64(2), "calibrate": np.bool_(1)}
    python = {name: value.item() for name, value in numpys.items()}
    expected = ParityClassifier(hidden=(8, 4), random_state=0, **python).fit(X, y).predict_proba(X)
    for hidden in (np.array([8, 4]), (np.int64(8), 4)):
        found = ParityClassifier(hidden=hidden, random_state=np.int64(0), numeric=X.columns[:2], **numpys).fit(X, y)
        assert (found.predict_proba(X) == expected).all()
    named = ParityClassifier(drop_columns="mean radius", **QUICK).fit(X, y)
    assert len(named.contract_.features) == X.shape[1] - 1
    assert ParityClassifier(hidden=np.int64(8), **QUICK).fit(X, y).score(X, y) > 0.9


def test_an_index_and_an_order_of_rows_say_nothing() -> None:
    X, y = mixed_table()
    rows = np.random.default_rng(1).permutation(len(X))
    estimator = ParityClassifier(**QUICK).fit(X.iloc[rows], y.iloc[rows])
    assert [feature.name for feature in estimator.contract_.features] == ["size", "color", "sent", "fragile", "grade"]
    assert (estimator.predict(X.iloc[rows]) == estimator.predict(X)[rows]).all()


def test_a_frame_without_names_takes_columns_by_their_place() -> None:
    X, y = load_wine(return_X_y=True)
    frame = pandas.DataFrame(X)
    estimator = ParityClassifier(**QUICK).fit(frame, y)
    assert not hasattr(estimator, "feature_names_in_") and estimator.contract_.features[0].name == "x0"
    assert (estimator.predict(frame) == estimator.predict(X)).all()


def test_an_array_after_a_frame_has_its_columns_and_is_warned_of() -> None:
    X, y = mixed_table()
    estimator = ParityClassifier(**QUICK).fit(X, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found = estimator.predict(X.to_numpy())
    assert (found == estimator.predict(X)).all()


def test_a_missing_cell_is_imputed_where_training_had_none() -> None:
    X, y = load_wine(return_X_y=True)
    for rows in (X, pandas.DataFrame(X, columns=[f"c{place}" for place in range(13)])):
        estimator = ParityClassifier(**QUICK).fit(rows, y)
        holes = rows.copy()
        holes[::3] = np.nan
        assert np.isfinite(estimator.predict_proba(holes)).all()
    X[::3, 0] = np.nan
    assert ParityClassifier(**QUICK).fit(X, y).network_.indicators.columns.tolist() == [0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([3, 7], (3, 7)), ([0.0, 1.0], (0, 1)), ([False, True], ("false", "true")), (["NA", "a"], ("NA", "a")),
     ([0.5, 1.5], None)],
)  # fmt: skip
@pytest.mark.parametrize("as_frame", [False, True])
def test_labels_of_any_type_are_classes(labels: list[Any], classes: tuple[Any, ...] | None, as_frame: bool) -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=as_frame)
    truth = np.array(labels)[np.asarray(y)]
    if classes is None:
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            ParityClassifier(**QUICK).fit(X, truth)
        return
    estimator = ParityClassifier(**QUICK).fit(X, truth)
    assert estimator.contract_.classes == classes and estimator.classes_.dtype == truth.dtype
    assert estimator.score(X, truth) > 0.9 and estimator.predict(X).dtype == truth.dtype
    assert ((estimator.decision_function(X) >= 0) == (estimator.predict(X) == labels[1])).all()


def test_weights_of_rows_and_of_classes_move_the_prediction() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    shuffled = np.random.default_rng(0).permutation(y)  # nothing can be learned but how often each stands
    plain = ParityClassifier(**QUICK).fit(X, shuffled).predict_proba(X)[:, 1].mean()
    rows = ParityClassifier(**QUICK).fit(X, shuffled, sample_weight=np.where(shuffled, 9.0, 1.0))
    classes = ParityClassifier(class_weight={1: 9}, **QUICK).fit(X, shuffled)
    balanced = ParityClassifier(class_weight="balanced", **QUICK).fit(X, shuffled)
    assert rows.predict_proba(X)[:, 1].mean() > plain + 0.1
    assert classes.predict_proba(X)[:, 1].mean() > plain + 0.1
    assert balanced.predict_proba(X)[:, 1].mean() < plain


@pytest.mark.parametrize("as_frame", [False, True])
def test_weights_of_rows_move_a_regression(as_frame: bool) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=as_frame)
    plain = ParityRegressor(**QUICK).fit(X, y).predict(X).mean()
    weighted = ParityRegressor(**QUICK).fit(X, y, sample_weight=np.where(np.asarray(y) > 200, 50.0, 1.0))
    assert weighted.predict(X).mean() > plain + 20


def test_validation_rows_that_weigh_nothing_decide_nothing() -> None:
    X, y = load_diabetes(return_X_y=True)
    weights = np.zeros(len(X))
    weights[:3] = 1
    regressor = ParityRegressor(epochs=7, patience=2, random_state=0).fit(X, y, sample_weight=weights)
    assert regressor.n_iter_ == regressor.best_epoch_ == 7 and regressor.validation_loss_curve_ == []


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_target_that_is_the_same_everywhere_is_predicted(as_frame: bool) -> None:
    X, _ = load_diabetes(return_X_y=True, as_frame=as_frame)
    found = ParityRegressor(**QUICK).fit(X, np.full(len(X), 0.1)).predict(X)
    np.testing.assert_allclose(found, 0.1, atol=0.1)


@pytest.mark.parametrize("as_frame", [False, True])
def test_several_targets_are_learned_at_once(as_frame: bool) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=as_frame)
    both = np.column_stack([y, -10 * np.asarray(y)])
    targets = pandas.DataFrame(both, columns=["up", "down"]) if as_frame else both
    estimator = ParityRegressor(**IN_SMALL_STEPS).fit(X, targets)
    assert estimator.contract_.targets == (("up", "down") if as_frame else ("target0", "target1"))
    found = estimator.predict(X)
    assert found.shape == (442, 2) and estimator.score(X, targets) > 0.3
    np.testing.assert_allclose(found[:, 1], -10 * found[:, 0], rtol=0.5)


def test_restarts_are_averaged_or_the_best_is_kept() -> None:
    X, y = load_wine(return_X_y=True)
    average = ParityClassifier(restarts=3, **QUICK).fit(X, y)
    best = ParityClassifier(restarts=3, combine="best", **QUICK).fit(X, y)
    assert type(average.network_).__name__ == "TableEnsemble" and isinstance(best.network_, TableNetwork)
    assert average.score(X, y) > 0.95 and best.score(X, y) > 0.95
    assert (pickle.loads(pickle.dumps(average)).predict_proba(X) == average.predict_proba(X)).all()


def test_probabilities_are_calibrated_and_a_threshold_is_chosen() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    plain = ParityClassifier(validation_fraction=0.3, **QUICK).fit(X, y)
    calibrated = ParityClassifier(validation_fraction=0.3, calibrate=True, **QUICK).fit(X, y)
    temperature = calibrated.fitted_.decided["temperature"]
    np.testing.assert_allclose(calibrated.decision_function(X) * temperature, plain.decision_function(X), rtol=1e-4)
    found = ParityClassifier(validation_fraction=0.3, threshold_for="cost=50,1", **QUICK).fit(X, y)
    assert found.contract_.threshold != 0.5 and found.predict(X).sum() < plain.predict(X).sum()
    assert ((found.decision_function(X) >= 0) == found.predict(X)).all()
    with pytest.raises(InputError, match="threshold_for"):
        ParityClassifier(threshold_for="f1", **QUICK).fit(*load_wine(return_X_y=True))


def test_a_quantile_is_learned() -> None:
    X, y = load_diabetes(return_X_y=True)
    upper = ParityRegressor(loss="quantile=0.9", epochs=60, random_state=0).fit(X, y).predict(X)
    assert 0.8 < (y <= upper).mean() < 0.97


def test_a_network_of_ones_own_is_trained() -> None:
    X, y = load_wine(return_X_y=True)
    estimator = ParityClassifier(network=Linear, dropout=0.25, **QUICK).fit(X, y)
    body = estimator.network_.body
    assert isinstance(body, Linear) and body.dropout == 0.25 and body.layer.in_features == 13
    assert estimator.score(X, y) > 0.9
    assert (pickle.loads(pickle.dumps(estimator)).predict(X) == estimator.predict(X)).all()


def test_every_setting_of_a_training_is_taken() -> None:
    X, y = load_wine(return_X_y=True)
    estimator = ParityClassifier(
        (8, 8), activation="Tanh", dropout=0.1, batch_norm=True, epochs=3, batch_size=16, optimizer="SGD",
        optimizer_arguments={"momentum": 0.9}, learning_rate=0.05, weight_decay=1e-4, scheduler="StepLR",
        scheduler_arguments={"step_size": 1}, loss="CrossEntropyLoss", clip_norm=1.0, patience=None, random_state=3,
        device="cpu",
    ).fit(X, y)  # fmt: skip
    names = [type(layer).__name__ for layer in estimator.network_.body.layers]
    assert names == [*(["Linear", "BatchNorm1d", "Tanh", "Dropout"] * 2), "Linear"] and estimator.n_iter_ == 3


def test_it_tells_its_epochs_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    ParityClassifier(epochs=2, verbose=True, random_state=0).fit(*load_wine(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1", "epoch 2"] and "validation loss" in lines[0]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"batch_size": "all"}, "batch_size is 'all'; give auto, or a number of rows"),
        ({"class_weight": {5: 1.0}}, "class_weight has '5', which is not a class of y"),
        ({"class_weight": [1, 2, 1]}, "class_weight is [1, 2, 1]; give balanced, or a weight by label"),
        ({"class_weight": "even"}, "class_weights is 'even'; give balanced"),
        ({"numeric": ["x0"]}, "numeric is for a data frame"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"optimizer": "Adamm"}, "torch.optim has no optimizer 'Adamm'"),
        ({"activation": "Relu"}, "torch.nn has no activation 'Relu'"),
        ({"restarts": 2, "optimizer": "LBFGS"}, "restarts"),
        ({"calibrate": True, "validation_fraction": 0}, "needs validation rows; give validation_fraction above 0"),
        ({"network": "CNN"}, "unknown network 'CNN'"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0; it must be at least 0 and less than 1"),
        ({"learning_rate": 1e6, "optimizer": "SGD", "class_weight": {0: 1e5}}, "lower the learning rate"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        ParityClassifier(**parameters).fit(*load_wine(return_X_y=True))
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_rows_that_cannot_be_learned_from_are_refused() -> None:
    X, y = load_wine(return_X_y=True)
    classifier = ParityClassifier(**QUICK)
    with pytest.raises(InputError, match="X is an array that holds text .'a'.; give a data frame"):
        classifier.fit([["1", "a"], ["2", "b"], ["3", "c"]], [0, 1, 1])
    with pytest.raises(InputError, match="y holds 1 class .'1.0'.; a classifier needs two or more"):
        classifier.fit(X, np.ones(len(X)))
    with pytest.raises(InputError, match="labels of several types .NoneType, str., which have no order"):
        classifier.fit(X, np.where(y, "a", None))
    with pytest.raises(InputError, match="y: float32 cannot tell the values of target apart"):
        ParityRegressor(**QUICK).fit(X, 1e9 + y)
    with pytest.raises(InputError, match="several columns named 'a'; give each a name"):
        classifier.fit(pandas.DataFrame(X[:, :2], columns=["a", "a"]), y)
    with pytest.raises(ValueError, match="at least one non-zero|every training row has the weight 0"):
        ParityRegressor(**QUICK).fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.fit(pandas.DataFrame(X), y[:-1])
    with pytest.raises(InputError, match="the column 'x0' reaches 1e.09.*subtract an offset from it"):
        classifier.fit(np.column_stack([1e9 + np.arange(178.0), X]), y)
    with pytest.raises(InputError, match="leaves no column to predict from"):
        classifier.fit(pandas.DataFrame({"same": ["a"] * len(X)}), y)
    with pytest.raises(ValueError, match="now missing:\n- c1"):
        rows = pandas.DataFrame(X, columns=[f"c{place}" for place in range(13)])
        classifier.fit(rows, y).predict(rows.drop(columns="c1").assign(c99=0))


def test_a_way_out_that_is_named_is_one() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    far = X.assign(far=1e9 + np.arange(178.0) ** 1.1)
    with pytest.raises(InputError, match="drop_columns=") as refused:
        ParityClassifier(**QUICK).fit(far, y)
    way_out = eval(f"dict({str(refused.value).rpartition('leave it out with ')[2]})")  # noqa: S307 -- as a reader pastes it
    assert ParityClassifier(**way_out, **QUICK).fit(far, y).score(far, y) > 0.9


def test_nothing_of_it_needs_tensorboard_or_is_loaded_by_parity_training() -> None:
    code = (
        "import sys, parity_training; assert 'sklearn' not in sys.modules; sys.modules['tensorboard'] = None\n"
        "from sklearn.datasets import load_wine\n"
        "from parity_training.sklearn import ParityClassifier\n"
        "ParityClassifier(epochs=1).fit(*load_wine(return_X_y=True)); print('onnx' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": python_path(".")}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_without_scikit_learn_the_extra_is_named() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import parity_training.sklearn"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": python_path(".")}, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingExtraError: parity_training.sklearn needs scikit-learn" in last
    assert 'pip install ".[train,sklearn]"' in last


def test_columns_of_which_no_feature_can_be_made_are_named() -> None:
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 60)
    frame = pandas.DataFrame({"a": y + random.normal(0, 0.1, 60), "lasted": pandas.to_timedelta(range(60), unit="h")})
    with pytest.warns(UserWarning, match="lasted of X: no feature can be made of such cells"):
        fitted = ParityClassifier(epochs=2).fit(frame, y)
    assert fitted.predict(frame).shape == (60,)
    ParityClassifier(epochs=2, drop_columns=("lasted",)).fit(frame, y)  # a warning would be an error
