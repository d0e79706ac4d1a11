"""What evaluation.json holds beside the metrics: curves, calibration, what the network looks at, its worst rows."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from parity_runtime.evaluation.metrics import calibration_bins, calibration_error
from parity_training import (
    NetworkChoice,
    Run,
    TableDataset,
    TableSettings,
    TrainingData,
    TrainSettings,
    XORSettings,
    table_data,
    train_model,
    train_xor,
)
from parity_training.diagnostics import importance
from parity_training.diagnostics.calibration import calibration
from parity_training.diagnostics.curves import curves
from parity_training.diagnostics.importance import permutation_importance
from parity_training.diagnostics.partial_dependence import partial_dependence
from parity_training.diagnostics.residuals import residuals
from parity_training.diagnostics.row_losses import Truth
from parity_training.diagnostics.sampled_rows import SampledRows
from parity_training.fitting.evaluation import inputs_of, outputs_of
from tests.training.tables import write_table


def evaluation_of(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.path / "evaluation.json").read_bytes())
    return found


def read(path: Path, target: str, **settings: Any) -> TrainingData:
    chosen = TableSettings(target, **settings)
    return table_data(TableDataset(path, chosen), chosen, "t")


def trapezoids(x: NDArray[Any], y: NDArray[Any]) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def mixed_table(path: Path, rows: int = 600) -> Path:
    """A number, a truth value, a category, a date, and two columns that say nothing; the target is the class."""
    random = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "open", "kind", "day", "noise", "still", "sold"])
        for _ in range(rows):
            size, opened, kind = random.normal(), random.random() < 0.5, random.choice(["a", "b", "c"])
            day = np.datetime64("2019-01-15") + random.integers(0, 1400)
            score = 2 * size + 1.5 * opened + 2 * (kind == "c") + 3 * (day > np.datetime64("2021-01-01")) - 2
            cell = "" if random.random() < 0.1 else f"{size:.3f}"
            writer.writerow([cell, str(bool(opened)).lower(), kind, day, f"{random.normal():.3f}",
                             f"{random.normal():.3f}", "yes" if score + random.normal() / 2 > 0 else "no"])  # fmt: skip
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, SampledRows]:
    folder = tmp_path_factory.mktemp("mixed")
    problem = read(mixed_table(folder / "t.csv"), "sold", test=0.3)
    run = train_model(problem, NetworkChoice(), TrainSettings(epochs=60, learning_rate=0.01), folder / "run")
    return run, SampledRows.of(problem, run.module(), "test", Truth.of(problem, "test"), 1000)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_areas_are_scikit_learn_s(classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(classes)
    probabilities = random.dirichlet(np.ones(classes), 500).round(2)  # ties
    true = random.integers(0, classes, 500)
    found = curves(true, probabilities, tuple(range(classes)))
    for kind, area in (("roc", metrics.roc_auc_score), ("precision_recall", metrics.average_precision_score)):
        told = {one["class"]: one for one in found[kind]["classes"]}
        assert sorted(told) == ([1] if classes == 2 else [*range(classes)])
        for label, one in told.items():
            assert one["area"] == pytest.approx(area(true == label, probabilities[:, label]), rel=1e-5)
            assert one["rows"] == (true == label).sum()
        assert (found[kind]["left_out"], found[kind]["undefined"]) == (0, 0)


def test_few_points_enclose_the_area_of_all() -> None:
    random = np.random.default_rng(0)
    score = random.random(20_000)
    true = (random.random(20_000) < score).astype(int)
    found = curves(true, np.stack([1 - score, score], 1), ("no", "yes"))
    x, y = np.array(found["roc"]["classes"][0]["points"]).T
    assert len(x) <= 200 and (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert trapezoids(x, y) == pytest.approx(found["roc"]["classes"][0]["area"], abs=1e-3)
    x, y = np.array(found["precision_recall"]["classes"][0]["points"]).T
    assert len(x) <= 200 and x[-1] == 1
    assert (np.diff(x) * y[1:]).sum() == pytest.approx(found["precision_recall"]["classes"][0]["area"], abs=5e-3)


def test_of_many_classes_the_worst_are_drawn_and_the_others_are_counted() -> None:
    random = np.random.default_rng(0)
    true = random.integers(0, 28, 3000)  # two of the classes have no row
    probabilities = random.dirichlet(np.ones(30) / 5, 3000)
    probabilities[true > 5, true[true > 5]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = curves(true, probabilities, tuple(f"class {index}" for index in range(30)))
    for kind in ("roc", "precision_recall"):
        told = found[kind]
        areas = [one["area"] for one in told["classes"]]
        assert len(areas) == 5 and areas == sorted(areas)
        assert {one["class"] for one in told["classes"]} <= {f"class {index}" for index in range(6)}
        assert (told["left_out"], told["undefined"], told["mean"]["classes"]) == (23, 2, 28)
        assert told["undefined_classes"] == ["class 28", "class 29"]
        assert told["mean"]["area"] > areas[-1]
    x, y = np.array(found["roc"]["mean"]["points"]).T
    assert trapezoids(x, y) == pytest.approx(found["roc"]["mean"]["area"], abs=5e-3)


def test_calibration_counts_every_row_once() -> None:
    random = np.random.default_rng(2)
    probabilities = random.dirichlet(np.ones(3), 400)
    true, predicted = random.integers(0, 3, 400), probabilities.argmax(axis=1)
    found = calibration(true, predicted, probabilities, ("a", "b", "c"))
    assert [one["class"] for one in found["classes"]] == ["a", "b", "c"]
    for one in (found["predicted_class"], *found["classes"]):
        assert sum(rows for rows, *_ in one["bins"]) == 400
        summed = sum(rows * abs(fraction - probability) for rows, probability, fraction in one["bins"]) / 400
        assert summed == pytest.approx(one["error"], rel=1e-4)
    bins = calibration_bins(predicted == true, probabilities.max(axis=1))
    assert found["predicted_class"]["error"] == pytest.approx(calibration_error(bins), rel=1e-5)


def test_residuals_are_told_with_an_outlier_and_with_a_constant() -> None:
    random = np.random.default_rng(3)
    predicted = random.normal(size=1000)
    true = predicted + random.normal(size=1000) * 0.1
    true[7] += 1e6
    found = residuals(true, predicted, "price")
    histogram = found["histogram"]
    assert sum(histogram["counts"]) + histogram["below"] + histogram["above"] == 1000
    assert histogram["edges"][-1] < 1
    assert sum(group["rows"] for group in found["by_prediction"]) == 1000
    assert abs(found["quantiles"]["0.5"]) < 0.02
    assert residuals(np.ones(3), np.ones(3), "price")["quantiles"]["0.99"] == 0
    assert residuals(np.ones(3), np.full(3, np.nan), "price") == {"target": "price"}


def test_importance_finds_what_the_target_was_made_of(mixed: tuple[Run, SampledRows]) -> None:
    told = evaluation_of(mixed[0])["importance"]
    means = {feature["name"]: feature["mean"] for feature in told["features"]}
    assert [feature["name"] for feature in told["features"]] == sorted(means, key=lambda name: -means[name])
    assert {*list(means)[:4]} == {"size", "open", "kind", "day"} and next(iter(means)) == "size"
    assert abs(means["noise"]) < means["open"] / 3 and abs(means["still"]) < means["open"] / 3
    assert (told["metric"], told["rows"], told["repeats"], told["left_out"]) == ("log_loss", 180, 5, 0)
    assert told["value"] == pytest.approx(evaluation_of(mixed[0])["log_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "metric", "of"),
    [
        ("quantile=0.9", "pinball_loss", lambda metrics, *rows: metrics.mean_pinball_loss(*rows, alpha=0.9)),
        ("poisson", "poisson_deviance", lambda metrics, *rows: metrics.mean_poisson_deviance(*rows)),
        ("huber", "mae", lambda metrics, *rows: metrics.mean_absolute_error(*rows)),
        ("MSELoss", "rmse", lambda metrics, *rows: metrics.mean_squared_error(*rows) ** 0.5),
    ],
)
def test_importance_is_measured_by_what_training_minimizes(
    tmp_path: Path, loss: str, metric: str, of: Callable[..., float]
) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(0)
    x, noise = random.normal(size=(2, 400)).round(3)
    columns: dict[str, Any] = {"x": x, "noise": noise, "y": random.poisson(np.exp(x))}
    problem = read(write_table(tmp_path / "t.csv", columns), "y", task="regression")
    run = train_model(problem, NetworkChoice(), TrainSettings(epochs=8, loss=loss), tmp_path / "run")
    found = evaluation_of(run)
    true = problem.targets("test").numpy().ravel()
    predicted = outputs_of(run.module(), inputs_of(problem, "test"))[:, 0].numpy()
    assert found["importance"]["metric"] == metric and found["importance"]["features"][0]["name"] == "x"
    assert found["importance"]["value"] == pytest.approx(of(metrics, true, predicted), rel=1e-4)
    worst = found["worst_rows"]["rows"][0]
    assert worst["loss"] == pytest.approx(np.abs(true - predicted).max(), rel=1e-4)


def test_a_date_is_shuffled_as_a_whole(mixed: tuple[Run, SampledRows]) -> None:
    rows = mixed[1]
    date = next(feature for feature in rows.problem.contract.features if feature.kind == "datetime")
    (year,), calendar = rows.columns_of(date)
    found: list[torch.Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = rows.model

        def forward(self, data: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
            found.append(torch.cat([data[:, [year]].nan_to_num(-1), indices[:, calendar].float()], 1))
            return self.model(data, indices)

    permutation_importance(SampledRows(rows.problem, Watching(), rows.inputs, rows.truth))
    dates = {tuple(row) for row in found[0].tolist()}
    assert len(dates) > 100 and all({tuple(row) for row in piece.tolist()} == dates for piece in found)


def test_a_wide_table_is_screened_and_costs_no_more_than_it_may(
    mixed: tuple[Run, SampledRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = mixed[1]
    monkeypatch.setattr(importance, "_MOST_REFINED", 3)
    monkeypatch.setattr(importance, "_CALL", rows.cost_of_a_row * 20)  # a call costs as much as 20 rows
    monkeypatch.setattr(importance, "WORK", rows.cost_of_a_row * 6 * (100 + 20))
    found = permutation_importance(rows)
    assert (found["screened_by"], found["rows"], found["repeats"], found["left_out"]) == (100, 60, 3, 3)
    assert next(feature["name"] for feature in found["features"]) == "size"


def test_partial_dependence_is_the_mean_of_changed_rows(mixed: tuple[Run, SampledRows]) -> None:
    run, rows = mixed
    told = {one["name"]: one for one in evaluation_of(run)["partial_dependence"]["features"]}
    assert {"size", "open", "kind", "day"} <= set(told)
    problem = rows.problem
    (inputs,) = inputs_of(problem, "test")
    changed = [inputs[0].clone(), inputs[1].clone()]
    changed[0][:, 0] = torch.tensor(told["size"]["values"][3])
    mean = torch.sigmoid(outputs_of(run.module(), [changed])).mean()
    assert told["size"]["outputs"][0]["means"][3] == pytest.approx(float(mean), rel=1e-4)
    means = np.array(told["size"]["outputs"][0]["means"])
    assert told["size"]["outputs"][0]["class"] == "yes" and means[-1] > means[0] + 0.3
    kinds = dict(zip(told["kind"]["values"], told["kind"]["outputs"][0]["means"], strict=True))
    assert set(kinds) == {"a", "b", "c"} and kinds["c"] > kinds["a"] + 0.1
    days = told["day"]["values"]
    assert days == sorted(days) and days[0].startswith("2019-") and days[-1].startswith("2022-")
    assert told["day"]["outputs"][0]["means"][-1] > told["day"]["outputs"][0]["means"][0] + 0.2
    assert told["open"]["values"] == [0, 1]
    assert partial_dependence(rows, []) == {"rows": 180, "of": "probability", "features": []}


def test_values_far_from_zero_keep_the_digits_in_which_they_differ() -> None:
    true = 1_000_000 + np.arange(40.0)
    groups = residuals(true, true.astype(np.float32), "price")["by_prediction"]
    assert len({group["true"] for group in groups}) == len(groups) == len({group["low"] for group in groups})
    assert groups[0]["predicted"] == 1_000_001


def test_the_worst_rows_are_rows_of_the_test_table(mixed: tuple[Run, SampledRows]) -> None:
    run, rows = mixed
    with (run.path / "test.csv").open() as file:
        table = list(csv.DictReader(file))
    told = evaluation_of(run)["worst_rows"]["rows"]
    assert len(told) == 10 and [row["loss"] for row in told] == sorted((row["loss"] for row in told), reverse=True)
    for row in told:
        original = table[row["row"] - 1]
        assert row["true"] == original["sold"] and row["cells"] == {name: original[name] for name in row["cells"]}
        assert row["loss"] == pytest.approx(-math.log(row["probability"]), rel=1e-3)
        assert list(row["cells"])[:2] == ["row", "size"]
    losses = rows.truth.losses(outputs_of(run.module(), inputs_of(rows.problem, "test")))
    assert told[0]["loss"] == pytest.approx(losses.max(), rel=1e-4)


def test_the_notebook_s_problem_has_all_sections_and_none_of_a_regression(tmp_path: Path) -> None:
    found = evaluation_of(train_xor(tmp_path / "run", XORSettings(size=200, epochs=2)))
    assert {"curves", "calibration", "importance", "partial_dependence", "worst_rows"} <= set(found)
    assert "residuals" not in found
    assert [feature["name"] for feature in found["importance"]["features"]] != []
    assert set(found["worst_rows"]["rows"][0]["cells"]) == {"x1", "x2"}


@pytest.mark.slow
def test_a_hundred_classes_and_five_hundred_columns_take_less_than_300_kb(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = random.integers(0, 100, 3000)
    columns = random.normal(size=(3000, 500)).astype(np.float32)
    columns[:, 0] = kinds
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"column {index}" for index in range(500)), "kind"])
        writer.writerows([*row, f"kind {kind}"] for row, kind in zip(columns.tolist(), kinds, strict=True))
    problem = read(tmp_path / "t.csv", "kind")
    run = train_model(problem, NetworkChoice(), TrainSettings(epochs=2), tmp_path / "run")
    assert (run.path / "evaluation.json").stat().st_size < 300_000
    found = evaluation_of(run)
    assert len(found["importance"]["features"]) + found["importance"]["left_out"] == 500
    assert len(found["worst_rows"]["rows"][0]["cells"]) <= 13
