"""What a run says beside a prediction that knows nothing of a row."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parity_runtime import ModelContract, TensorSpec
from parity_training import TableDataset, TableSettings, TrainingData, XORSettings, table_data, xor_data
from parity_training.data.split import Split
from parity_training.data.split_rule import SplitRule
from parity_training.data.training_targets import training_targets
from parity_training.fitting.evaluation import metrics_of
from tests.training.tables import prices_table


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    path = prices_table(tmp_path_factory.mktemp("prices") / "t.csv")
    settings = TableSettings("price")
    return table_data(TableDataset(path, settings), settings, "t")


def train_prices(data: TrainingData) -> np.ndarray:
    return data.targets("train").numpy().astype(np.float64)


@pytest.mark.parametrize(
    ("objective", "name", "constant"),
    [
        (None, "mean", np.mean),
        ("median", "median", lambda values: np.quantile(values, 0.5, method="inverted_cdf")),
        ("quantile 0.85", "quantile 0.85", lambda values: np.quantile(values, 0.85, method="inverted_cdf")),
    ],
)
def test_the_constant_is_taken_from_the_training_rows_alone(
    prices: TrainingData, objective: str | None, name: str, constant: Any
) -> None:
    contract = replace(prices.contract, objective=objective)
    true = prices.targets("test").numpy().astype(np.float64)
    found = metrics_of(prices, torch.from_numpy(true).float()[:, None], "test", contract=contract)
    wanted = constant(train_prices(prices))
    assert found["rmse"] == 0 and found["baseline"]["name"] == name
    assert found["baseline"]["predicts"] == pytest.approx(wanted, rel=1e-14)
    assert found["baseline"]["rmse"] == pytest.approx(np.sqrt(np.mean((true - wanted) ** 2)), rel=1e-12)


def in_time(data: TrainingData) -> TrainingData:
    """The same rows, in time from the last to the first."""
    return replace(data, rule=SplitRule(np.zeros(len(data.data), np.int64), times=-np.arange(len(data.data))))


def test_the_last_value_is_that_of_the_row_before_and_the_mean_of_the_first() -> None:
    rising = several(np.arange(40, dtype=np.float32)[:, None])
    data = replace(rising, rule=SplitRule(np.zeros(40, np.int64), times=np.arange(40)))
    found = metrics_of(data, torch.zeros(10, 1), "test")["baseline"]
    before = np.array([np.arange(30).mean(), *range(30, 39)])
    assert found["name"] == "last value" and "predicts" not in found and found["rows"] == 10
    assert found["mae"] == pytest.approx(np.abs(np.arange(30, 40) - before).mean(), rel=1e-6)


def test_a_row_before_that_says_less_than_the_constant_is_no_baseline(prices: TrainingData) -> None:
    true = prices.targets("test").numpy().astype(np.float64)
    found = metrics_of(in_time(prices), torch.zeros(len(true), 1), "test")["baseline"]
    assert found == metrics_of(prices, torch.zeros(len(true), 1), "test")["baseline"]
    assert found["name"] == "mean" and found["rmse"] < np.sqrt(np.mean(np.diff(true) ** 2))


@pytest.mark.parametrize("lasting", [True, False])
def test_of_classes_the_last_value_is_the_class_of_the_row_before(lasting: bool) -> None:
    labels = np.zeros(200, np.int64)
    labels[(slice(185, None) if lasting else slice(9, None, 10))] = 1
    data = xor_data(XORSettings(size=160, validation_size=20, test_size=20))
    label = torch.from_numpy(labels).to(data.target.dtype)
    data = replace(data, target=label, rule=SplitRule(labels, times=np.arange(200)))
    data = replace(data, split=Split(np.arange(160), np.arange(160, 180), np.arange(180, 200)))
    found = metrics_of(data, torch.zeros(20, 1), "test")["baseline"]
    assert found["name"] == ("last value" if lasting else "most frequent class")
    assert found["accuracy"] == (0.95 if lasting else 0.9) and "confusion" not in found


def test_always_the_most_frequent_class_of_the_training() -> None:
    data = xor_data(XORSettings(size=200, test_size=50))
    counts, true = data.class_counts(), data.targets("test").numpy()
    found = metrics_of(data, torch.zeros(50, 1), "test")["baseline"]
    assert found["predicts"] == data.contract.classes[counts.argmax()]
    assert found["accuracy"] == np.mean(true == counts.argmax())
    shares = counts / counts.sum()
    assert found["log_loss"] == pytest.approx(-np.log(shares[true]).mean())


def test_a_constant_target_has_a_baseline_that_is_right() -> None:
    data = several(np.full((40, 1), 7.5, np.float32))
    found = metrics_of(data, torch.full((10, 1), 7.5), "test")
    assert (found["r2"], found["baseline"]["predicts"], found["baseline"]["rmse"]) == (1.0, 7.5, 0.0)


def test_several_targets_have_a_constant_each() -> None:
    targets = np.random.default_rng(0).normal([1, 100], [1, 5], (40, 2)).cumsum(axis=0).astype(np.float32)
    data = several(targets)
    profiles = training_targets(data, "quantile 0.9")
    assert [profile.name for profile in profiles] == ["a", "b"]
    assert [set(profile.quantiles) for profile in profiles] == [{0.5, 0.9}] * 2
    found = metrics_of(data, torch.from_numpy(targets[30:]), "test")
    assert found["mae"] == 0 and found["targets"].keys() == {"a", "b"}
    for place, name in enumerate("ab"):
        baseline = found["baseline"]["targets"][name]
        assert baseline["predicts"] == pytest.approx(targets[:30, place].mean(dtype=np.float64), rel=1e-12)
    one_by_one = replace(data, rule=SplitRule(np.zeros(len(targets), np.int64), times=np.arange(len(targets))))
    last = metrics_of(one_by_one, torch.from_numpy(targets[30:]), "test")["baseline"]
    assert last["targets"]["b"]["mae"] == pytest.approx(
        np.abs(targets[30:, 1] - [targets[:30, 1].mean(), *targets[30:-1, 1]]).mean(), rel=1e-5
    )


def several(targets: np.ndarray) -> TrainingData:
    """Return 30 training rows and ten test rows of a regression of some targets."""
    names = tuple("abc"[: targets.shape[1]])
    contract = ModelContract(
        "several", "regression", (TensorSpec("features", "float32", ("batch", 1)),),
        (TensorSpec("value", "float32", ("batch", len(names))),), targets=names,
    )  # fmt: skip
    rows = np.arange(40)
    split = Split(rows[:30], rows[:0], rows[30:])
    target = torch.from_numpy(targets if len(names) > 1 else targets[:, 0])
    return TrainingData(torch.zeros(40, 1), target, split, contract, {"source": "tests"}, preprocessed=False)


def test_a_poisson_target_with_zeros_has_a_deviance_beside_that_of_the_mean() -> None:
    counts = np.random.default_rng(0).poisson(2, (40, 1)).astype(np.float32)
    data = several(counts)
    contract = replace(data.contract, objective="poisson")
    found = metrics_of(data, torch.full((10, 1), 2.0), "test", contract=contract)
    assert (counts == 0).any() and found["poisson_deviance"] > 0
    assert found["baseline"]["name"] == "mean" and found["baseline"]["poisson_deviance"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "objective", "name"),
    [("MSELoss", None, "mean"), ("L1Loss", "median", "median"), ("HuberLoss", "huber", "median"),
     ("quantile=0.85", "quantile 0.85", "quantile 0.85")],
)  # fmt: skip
def test_a_package_is_beside_the_constant_that_its_run_was_beside(
    parity: Any, tmp_path: Path, loss: str, objective: str | None, name: str
) -> None:
    table = prices_table(tmp_path / "t.csv")
    trained = parity("train", table, "--target", "price", "--loss", loss, "--epochs", 2, "--out", tmp_path / "run")
    assert trained.code == 0 and f"always predicting the training {name}" in trained.out, trained
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    contract = json.loads((tmp_path / "package" / "contract.json").read_text())
    assert contract.get("objective") == objective and ("objective" in contract) == (objective is not None)
    evaluated = parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv", "--json")
    found, trained = json.loads(evaluated.out), json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["baseline"].pop("name") == trained["baseline"].pop("name") == name
    assert found["baseline"] == pytest.approx(trained["baseline"], rel=1e-6)
    assert found["rmse"] == pytest.approx(trained["rmse"], rel=1e-4)
