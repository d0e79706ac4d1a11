"""What is predicted beside the mean: quantiles, rates, several targets; and rows that weigh differently."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import InputError, Predictor
from parity_training import Run, TableSettings, TrainSettings, stream_table
from parity_training.fitting.objectives import make_objective
from tests.training.tables import write_table

ROWS = 900


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 2)).round(5)
    return write_table(
        tmp_path_factory.mktemp("objectives") / "t.csv",
        {
            "a": x[:, 0],
            "b": x[:, 1],
            "visits": random.poisson(np.exp(0.8 * x[:, 0])),
            "cost": (100 + 20 * x[:, 0] + random.exponential(10, ROWS)).round(4),
            "length": (3 + x[:, 1] + random.normal(0, 0.1, ROWS)).round(4),
            "weight": random.integers(0, 3, ROWS),
            "below": [-1] * ROWS,
            "nothing": [0] * ROWS,
        },
    )


def train(parity, table: Path, out: Path, *options: object) -> Run:  # type: ignore[no-untyped-def]
    answer = parity("train", table, "--features", "a,b", *options, "--out", out)
    assert answer.code == 0, answer.err
    return Run.open(out)


def test_a_quantile_is_above_as_many_rows_as_it_says(parity, table: Path, tmp_path: Path) -> None:
    run = train(parity, table, tmp_path / "run", "--target", "cost", "--loss", "quantile=0.9", "--epochs", 60)
    assert run.recipe.training["loss"] == "quantile=0.9"
    assert parity("export", run.path, tmp_path / "p", "--no-plots", "--effort", "quick").code == 0
    rows = np.genfromtxt(table, delimiter=",", skip_header=1)
    found = Predictor(tmp_path / "p").predict(rows[:, :2].astype(np.float32))
    assert 0.85 < (rows[:, 3] <= np.ravel(found)).mean() < 0.95


def test_a_poisson_regression_predicts_rates_that_are_positive(parity, table: Path, tmp_path: Path) -> None:
    run = train(parity, table, tmp_path / "run", "--target", "visits", "--loss", "poisson", "--epochs", 60)
    assert run.recipe.preprocessing is not None and run.recipe.preprocessing["link"] == "log"
    assert parity("export", run.path, tmp_path / "p", "--no-plots", "--effort", "quick").code == 0
    grid = np.linspace(-2, 2, 9, dtype=np.float32)
    found = np.ravel(Predictor(tmp_path / "p").predict(np.stack([grid, np.zeros(9, np.float32)], axis=1)))
    assert (found > 0).all()
    assert found[[2, 4, 6]] == pytest.approx(np.exp(0.8 * grid[[2, 4, 6]]), rel=0.3)


def test_several_targets_are_one_model(parity, table: Path, tmp_path: Path) -> None:
    run = train(parity, table, tmp_path / "run", "--target", "cost", "--target", "length", "--epochs", 40)
    assert run.recipe.contract.targets == ("cost", "length")
    assert parity("export", run.path, tmp_path / "p", "--no-plots", "--effort", "quick").code == 0
    rows = np.genfromtxt(table, delimiter=",", skip_header=1)
    found = Predictor(tmp_path / "p").predict(rows[:, :2].astype(np.float32))
    assert found.shape == (ROWS, 2)
    assert np.abs(found[:, 0] - rows[:, 3]).mean() < 10 and np.abs(found[:, 1] - rows[:, 4]).mean() < 0.2


@pytest.mark.parametrize("memory", [(), ("--memory", "5MB")])
def test_every_target_is_looked_at_as_the_only_one_is(parity, tmp_path: Path, memory: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    x, second = random.normal(size=60), [*random.normal(size=60).round(3)]
    said = {"1e39": "second is infinite, or beyond float32", None: "cannot tell the values of second apart"}
    for cell, why in said.items():
        cells = [*second[:-1], cell] if cell else [f"{1e12 + value:.3f}" for value in second]
        path = write_table(tmp_path / "t.csv", {"x": x, "first": x + 1, "second": cells})
        answer = parity(
            "train", path, "--target", "first", "--target", "second", *memory, "--out", tmp_path / "refused"
        )
        assert answer.code == 1 and why in answer.err, answer.err
    path = write_table(tmp_path / "t.csv", {"x": x, "first": x + 1, "second": [*second[:-2], "-", "?"]})
    answer = parity(
        "train", path, "--target", "first", "--target", "second", *memory, "--epochs", 1, "--out", tmp_path / "run"
    )
    assert answer.code == 0, answer.err
    assert "2 rows have no first or second and are left out" in answer.err


def test_several_targets_are_numbers(parity, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": range(20), "y": ["a", "b"] * 10, "z": range(20)})
    answer = parity("train", path, "--target", "y", "--target", "z", "--out", tmp_path / "run")
    assert answer.code == 1 and "y holds classes, and several targets are numbers; train a model for each" in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "cost", "--loss", "quantile=1.5"), "the quantile 1.5 is not between 0 and 1"),
        (("--target", "cost", "--loss", "quantile"), "write --loss quantile=0.9"),
        (("--target", "cost", "--loss", "quantile=0"), "the quantile 0 is not between 0 and 1"),
        (("--target", "below", "--loss", "poisson"), "below holds -1, and a Poisson regression predicts counts"),
        (("--target", "nothing", "--loss", "poisson"), "nothing is 0 in every training row"),
        (("--target", "cost", "--loss", "CrossEntropyLoss"), "cannot be used with the task regression"),
        (("--target", "cost", "--loss", "quantile="), "a quantile has a level; write --loss quantile=0.9"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused_in_one_line(
    parity, table: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    answer = parity("train", table, "--features", "a,b", *options, "--out", tmp_path / "run")
    assert answer.code == 1 and said in answer.err, answer.err
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.unfinished").exists()


@pytest.mark.parametrize("loss", ["MSELoss", "HuberLoss", "quantile=0.3", "PoissonNLLLoss"])
def test_a_weighted_loss_is_that_of_repeated_rows(loss: str) -> None:
    outputs, target = torch.rand(4, 1) + 0.5, torch.tensor([1.0, 2.0, 0.0, 3.0])
    weights = torch.tensor([2.0, 0.0, 1.0, 1.0])
    scale = torch.tensor([2.0])
    settings = TrainSettings(loss=loss)
    weighted = make_objective(settings, "regression", np.zeros(0, np.int64), scale, mean_weight=1.0)
    plain = make_objective(settings, "regression", np.zeros(0, np.int64), scale)
    repeated = [0, 0, 2, 3]
    found = weighted.loss_function(torch.device("cpu"))(outputs, weighted.prepare(target, weights))
    expected = plain.loss_function(torch.device("cpu"))(outputs[repeated], plain.prepare(target[repeated]))
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(("task", "width"), [("binary", 1), ("multiclass", 3)])
@pytest.mark.parametrize("class_weights", [None, "balanced"])
def test_weights_of_rows_and_of_classes_go_together(task: str, width: int, class_weights: str | None) -> None:
    outputs, target = torch.randn(6, width), torch.tensor([0, 1, 1, 0, 1, 1])
    weights, repeated = torch.tensor([2.0, 0.0, 1.0, 1.0, 0.0, 2.0]), [0, 0, 2, 3, 5, 5]
    counts = np.array([2, 4, 1][: max(width, 2)])
    settings = TrainSettings(class_weights=class_weights)
    weighted = make_objective(settings, task, counts, mean_weight=1.0)  # type: ignore[arg-type]
    plain = make_objective(settings, task, counts)  # type: ignore[arg-type]
    found = weighted.loss_function(torch.device("cpu"))(outputs, weighted.prepare(target, weights))
    expected = plain.loss_function(torch.device("cpu"))(outputs[repeated], plain.prepare(target[repeated]))
    if task == "multiclass" and class_weights:  # torch divides by the classes' weights, and those of rows are beside
        of_classes = weighted.class_weights
        assert of_classes is not None
        ratio = float(of_classes[target[repeated]].sum() / of_classes[target].sum())
        assert float(found) == pytest.approx(float(expected) * ratio, rel=1e-5)
    else:
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_rows_of_weight_zero_change_nothing_that_is_learned(parity, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=400).round(4)
    wrong = np.arange(400) % 2 == 1
    path = write_table(
        tmp_path / "t.csv", {"x": x, "y": np.where(wrong, 1000 - x, 3 * x).round(5), "w": np.where(wrong, 0, 1)}
    )
    for memory in ((), ("--memory", "5MB")):
        run = train_one(parity, path, tmp_path / "run", *memory)
        found = run.module()(torch.tensor([[0.0], [1.0]])).ravel().tolist()
        assert found == pytest.approx([0.0, 3.0], abs=60)  # of a target whose deviation is 500


def train_one(parity, path: Path, out: Path, *options: object) -> Run:  # type: ignore[no-untyped-def]
    command = ("train", path, "--target", "y", "--weight", "w", *options, "--out", out, "--force", "--epochs", 60)
    answer = parity(*command)
    assert answer.code == 0, answer.err
    assert "w" not in json.loads((out / "recipe.json").read_text())["data"]["features"]
    return Run.open(out)


def test_streamed_rows_have_their_weights(table: Path) -> None:
    settings = TableSettings("cost", features=("a", "b"), weight="weight")
    data = stream_table(table, settings, "t", memory=2**20).data
    weights = np.concatenate([data.weights(part) for part in ("train", "validation", "test")])  # type: ignore[list-item]
    rows = np.genfromtxt(table, delimiter=",", skip_header=1)
    assert sorted(weights) == sorted(rows[:, 5])


def test_weights_that_are_all_zero_are_refused() -> None:
    settings = TableSettings("y", weight="w")
    from parity_training import TableDataset, table_data

    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": range(20), "y": [float(value) ** 2 for value in range(20)], "w": [0.0] * 20})
    with pytest.raises(InputError, match="every training row has the weight 0"):
        table_data(TableDataset(frame, settings), settings, "t").mean_weight()
