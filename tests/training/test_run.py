import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from parity_runtime import FormatError, InputError
from parity_training import Run, XORClassifier, XORDataset, XORSettings, train_xor, weights_id
from parity_training.data.batches import EpochSampler, TensorLoader
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.objectives import Objective
from parity_training.reports.run_plots import plot_run

QUICK = XORSettings(size=256, validation_size=32, test_size=32, epochs=2)


def test_a_run_holds_what_the_design_says(xor_run: Run) -> None:
    names = {path.name for path in xor_run.path.iterdir()}
    assert {"state_dict.pt", "recipe.json", "checkpoint.pt", "test.csv", "metrics.jsonl", "evaluation.json",
            "profile.json", "tensorboard"} <= names  # fmt: skip
    assert any((xor_run.path / "tensorboard").glob("events*"))
    lines = (xor_run.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 201))


def test_the_state_dict_loads_into_the_bare_module(xor_run: Run) -> None:
    state_dict = torch.load(xor_run.path / "state_dict.pt", weights_only=True, map_location="cpu")
    XORClassifier().load_state_dict(state_dict)
    assert weights_id(state_dict) == weights_id(xor_run.module().state_dict())


def test_the_notebook_s_accuracy_is_reached_and_the_loss_falls(xor_run: Run) -> None:
    evaluation = json.loads((xor_run.path / "evaluation.json").read_text())
    assert evaluation["rows"] == 500  # the notebook's drop_last left 116 of them out
    assert evaluation["accuracy"] >= 0.995
    losses = [json.loads(line)["loss"] for line in (xor_run.path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.05 < 0.5 < losses[0]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    ids = [
        weights_id(train_xor(tmp_path / name, replace(QUICK, seed=seed)).state_dict())
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_training_leaves_the_caller_s_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_xor(tmp_path / "a", QUICK)
    assert torch.equal(torch.rand(3), expected)


def test_the_loop_computes_what_the_notebook_computes() -> None:
    """One epoch by hand with plain torch: the same weights, and the mean loss over rows."""
    data = XORDataset(10, seed=0)
    torch.manual_seed(0)
    model, twin = XORClassifier(), XORClassifier()
    twin.load_state_dict(model.state_dict())
    optimizer, other = (torch.optim.SGD(net.parameters(), lr=0.5) for net in (model, twin))
    loader = TensorLoader(data.data, data.label.float(), EpochSampler(10, shuffle=False, seed=0), 6)
    training = TrainingLoop(
        model, loader, optimizer, Objective("BCEWithLogitsLoss").loss_function(torch.device("cpu")), 1
    )
    (result,) = training.epochs()
    loss, total = torch.nn.BCEWithLogitsLoss(), 0.0
    for rows in (slice(0, 6), slice(6, 10)):
        other.zero_grad()
        value = loss(twin(data.data[rows])[:, 0], data.label[rows].float())
        value.backward()
        other.step()
        total += value.detach().item() * len(data.label[rows])
    assert weights_id(model.state_dict()) == weights_id(twin.state_dict())
    assert (result.epoch, result.loss) == (1, pytest.approx(total / 10))


@pytest.fixture(scope="module")
def plotted(xor_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pictures of a copy of the run, by their names."""
    copy = Path(shutil.copytree(xor_run.path, tmp_path_factory.mktemp("plotted") / "xor"))
    return {path.name: path for path in plot_run(Run.open(copy))}


def test_the_pictures_show_both_classes(plotted: dict[str, Path]) -> None:
    assert set(plotted) == {
        "loss.png", "samples.png", "boundary.png", "confusion.png", "roc.png", "precision_recall.png",
        "calibration.png", "importance.png", "partial_dependence.png"
    }  # fmt: skip
    boundary = np.asarray(Image.open(plotted["boundary.png"]).convert("RGB")).reshape(-1, 3).astype(int)
    for color in ((31, 119, 180), (255, 127, 14)):
        near = np.abs(boundary - color).sum(axis=1) < 30
        assert near.mean() > 0.1, color


def test_the_same_run_gives_the_same_pictures(plotted: dict[str, Path]) -> None:
    first = [path.read_bytes() for path in plotted.values()]
    again = plot_run(Run.open(plotted["boundary.png"].parent))
    assert again == [*plotted.values()] and first == [path.read_bytes() for path in again]


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"size": 0}, {"std": -1.0}, {"learning_rate": float("nan")}])
def test_a_setting_out_of_range_is_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, float]
) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        train_xor(tmp_path / "run", replace(QUICK, **settings))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    train_xor(tmp_path / "run", QUICK)
    before = (tmp_path / "run" / "state_dict.pt").read_bytes()
    with pytest.raises(InputError, match="with replace=True"):
        train_xor(tmp_path / "run", replace(QUICK, seed=9))
    assert (tmp_path / "run" / "state_dict.pt").read_bytes() == before
    train_xor(tmp_path / "run", replace(QUICK, seed=9), replace=True)
    assert (tmp_path / "run" / "state_dict.pt").read_bytes() != before


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds no run"):
        train_xor(tmp_path, QUICK, replace=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_unfinished_run_and_another_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run"):
        Run.open(tmp_path)
    run = train_xor(tmp_path / "run", QUICK)
    (run.path / "state_dict.pt").unlink()
    with pytest.raises(InputError, match="did not finish"):
        Run.open(run.path).module()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda recipe: recipe.update(format="parity/9"), "newer"),
        (lambda recipe: recipe.pop("network"), "lacks"),
        (lambda recipe: recipe["network"].update(name="os.system"), "unknown network 'os.system'"),
        (lambda recipe: recipe["contract"].update(task="magic"), "unknown task"),
    ],
)
def test_a_recipe_that_is_wrong_is_one_sentence(tmp_path: Path, change, words: str) -> None:
    run = train_xor(tmp_path / "run", QUICK)
    recipe = json.loads((run.path / "recipe.json").read_text())
    change(recipe)
    (run.path / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(FormatError, match=words):
        Run.open(run.path).module()
