from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from parity_runtime import InputError
from parity_training import (
    MLP,
    NetworkChoice,
    TableDataset,
    TableSettings,
    TensorLoader,
    TrainSettings,
    XORDataset,
    XORSettings,
    data_loader,
    table_data,
    train_model,
    weights_id,
    xor_data,
)
from parity_training.data.training_data import TrainingData
from parity_training.fitting.objectives import make_objective
from parity_training.fitting.training_log import read_epochs
from tests.training.tables import classes_table, prices_table

POINTS = XORDataset(103, seed=0)


class Slow(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The same rows, given one by one."""

    def __len__(self) -> int:
        return len(POINTS)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return POINTS[index]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_rows_come_in_the_same_order_from_memory_and_one_by_one(drop_last: bool, num_workers: int) -> None:
    options = {"batch_size": 10, "shuffle": True, "drop_last": drop_last, "seed": 5}
    fast, slow = data_loader(POINTS, **options), data_loader(Slow(), num_workers=num_workers, **options)  # type: ignore[arg-type]
    assert isinstance(fast, TensorLoader) and isinstance(slow, DataLoader)
    for epoch in (0, 1):
        for loader in (fast, slow):
            loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        pairs = list(zip(fast, slow, strict=True))
        assert len(pairs) == len(fast) == (10 if drop_last else 11)
        assert all(torch.equal(one[0], two[0]) and torch.equal(one[1], two[1]) for one, two in pairs)
    first = next(iter(fast))[0]
    fast.sampler.set_epoch(0)
    assert not torch.equal(next(iter(fast))[0], first)


def test_an_epoch_can_be_entered_in_its_middle() -> None:
    loader = data_loader(POINTS, 10, shuffle=True, seed=5)
    whole = [batch[0] for batch in loader]
    loader.sampler.set_epoch(0, 30)  # type: ignore[union-attr]
    assert all(torch.equal(one, two[0]) for one, two in zip(whole[3:], loader, strict=True))


def test_without_shuffling_rows_come_as_they_lie() -> None:
    assert torch.equal(torch.cat([batch[0] for batch in data_loader(POINTS, 7)]), POINTS.data)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_workers_train_the_same_weights(tmp_path: Path) -> None:
    training_data = xor_data(XORSettings(size=64, validation_size=16, test_size=16))
    ids = [
        weights_id(run_of(training_data, tmp_path / str(workers), num_workers=workers).state_dict())
        for workers in (0, 1)
    ]
    assert ids[0] == ids[1]


def run_of(training_data: TrainingData, out: Path, choice: NetworkChoice | None = None, **settings: object):  # type: ignore[no-untyped-def]
    chosen = TrainSettings(**{"epochs": 3, "batch_size": 16} | settings)  # type: ignore[arg-type]
    return train_model(training_data, choice or NetworkChoice(), chosen, out)


@pytest.fixture
def training_data(tmp_path: Path) -> TrainingData:
    settings = TableSettings("kind")
    return table_data(TableDataset(classes_table(tmp_path / "t.csv"), settings), settings, "t")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("SGD", {"momentum": 0.9, "nesterov": True}), ("Adam", {}), ("AdamW", {"betas": [0.8, 0.9]}), ("RMSprop", {}),
     ("LBFGS", {"max_iter": 3}), ("Adagrad", {})],
)  # fmt: skip
def test_any_optimizer_of_torch_trains(
    training_data: TrainingData, tmp_path: Path, name: str, arguments: dict[str, object]
) -> None:
    run = run_of(training_data, tmp_path / "run", optimizer=name, optimizer_arguments=arguments, learning_rate=0.01)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in run.state_dict().values())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("StepLR", {"step_size": 1, "gamma": 0.5}), ("ReduceLROnPlateau", {"patience": 0, "threshold": 0.9})],
)
def test_a_scheduler_changes_the_learning_rate(
    training_data: TrainingData, tmp_path: Path, name: str, arguments: dict[str, object]
) -> None:
    wild = {"optimizer": "SGD", "learning_rate": 1.0, "epochs": 8}
    plain = run_of(training_data, tmp_path / "plain", **wild)
    scheduled = run_of(training_data, tmp_path / "run", scheduler=name, scheduler_arguments=arguments, **wild)
    assert (plain.path / "metrics.jsonl").read_bytes() != (scheduled.path / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "Magic"}, "no optimizer 'Magic'"),
        ({"optimizer": "Optimizer"}, "no optimizer"),
        ({"optimizer_arguments": {"speed": 1}}, "torch.optim.Adam does not take"),
        ({"optimizer": "SGD", "optimizer_arguments": {"momentum": -1}}, "momentum"),
        ({"scheduler": "Magic"}, "no scheduler 'Magic'"),
        ({"scheduler": "StepLR"}, "does not take"),
        ({"loss": "MSELoss"}, "MSELoss cannot be used with the task binary"),
        ({"class_weights": [1.0]}, "a positive number for each of 2"),
        ({"class_weights": [1.0, float("inf")]}, "a positive number for each of 2"),
        ({"optimizer_arguments": {"betas": [0.9]}}, "torch.optim.Adam does not take"),
        ({"optimizer": "SparseAdam"}, "SparseAdam|training failed in epoch 1"),
        ({"scheduler": "LRScheduler"}, "does not take"),
        ({"scheduler": "StepLR", "scheduler_arguments": {"step_size": 0}}, "training failed in epoch 1|does not take"),
        ({"scheduler": "StepLR", "scheduler_arguments": {"step_size": "abc"}}, "training failed|does not take"),
        ({"scheduler_arguments": {"step_size": 3}}, "are for a scheduler"),
        ({"batch_size": 32.5}, "batch_size is 32.5; it must be a whole number"),
        ({"class_weights": "even"}, "balanced"),
        ({"device": "tpu9"}, "unknown device"),
        ({"learning_rate": -1.0}, "learning_rate is -1"),
        ({"clip_norm": 0.0}, "clip_norm is 0"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_before_anything_is_written(
    training_data: TrainingData, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run_of(training_data, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [{"hidden": [0]}, {"activation": "Magic"}, {"widths": 3}, {"dropout": 7}])
def test_a_network_does_not_take_what_it_does_not_know(
    training_data: TrainingData, tmp_path: Path, arguments: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="the network MLP does not take"):
        run_of(training_data, tmp_path / "run", NetworkChoice("MLP", arguments))
    assert not (tmp_path / "run").exists()


def test_an_mlp_has_the_layers_that_were_asked_for() -> None:
    kinds = [
        type(layer).__name__
        for layer in MLP(3, 2, hidden=(5, 4), activation="Tanh", dropout=0.1, batch_norm=True).layers
    ]
    assert kinds == ["Linear", "BatchNorm1d", "Tanh", "Dropout"] * 2 + ["Linear"]


def test_batch_normalization_and_dropout_train_also_with_one_row_too_many(tmp_path: Path) -> None:
    settings = TableSettings("kind", validation=0, test=0)
    training_data = table_data(TableDataset(classes_table(tmp_path / "t.csv", rows=33), settings), settings, "t")
    choice = NetworkChoice("MLP", {"batch_norm": True, "dropout": 0.5})
    run = run_of(training_data, tmp_path / "run", choice)  # 33 rows in batches of 16 leave a batch of one
    assert all(bool(torch.isfinite(tensor).all()) for tensor in run.state_dict().values())


def test_a_loss_that_explodes_is_one_sentence_and_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    settings = TableSettings("price")
    training_data = table_data(TableDataset(prices_table(tmp_path / "t.csv"), settings), settings, "t")
    with pytest.raises(InputError, match=r"the loss is .* in epoch \d+; lower the learning rate"):
        run_of(training_data, tmp_path / "run", optimizer="SGD", learning_rate=1.0, batch_size=300, epochs=50)
    checkpoint = torch.load(tmp_path / "run.unfinished" / "checkpoint.pt", weights_only=True)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in checkpoint["model"].values())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_the_rmse_of_an_epoch_neither_overflows_nor_vanishes(tmp_path: Path, scale: float) -> None:
    x = np.linspace(-1, 1, 100)
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *(f"{value},{scale * value**2}" for value in x)]))
    settings = TableSettings(target="y")
    data = table_data(TableDataset(tmp_path / "t.csv", settings), settings, "t")
    run = train_model(data, NetworkChoice("MLP", {"hidden": [4]}), TrainSettings(epochs=2), tmp_path / "run")
    assert all(0.01 < epoch["rmse"] / scale < 10 for epoch in read_epochs(run.path))


def test_training_ends_when_it_no_longer_improves_and_keeps_the_best_weights(
    training_data: TrainingData, tmp_path: Path
) -> None:
    import json

    run = run_of(training_data, tmp_path / "run", epochs=400, patience=5, learning_rate=0.05)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["validation_loss"] for line in lines]
    best = int(np.argmin(losses))
    assert len(lines) < 400
    assert len(lines) == best + 1 + 5
    rows = training_data.part("validation")
    with torch.no_grad():
        logits = run.module()(training_data.data[rows])[:, 0]
    assert nn.functional.binary_cross_entropy_with_logits(logits, training_data.target[rows].float()) == pytest.approx(
        losses[best]
    )


def test_gradients_are_clipped_together(training_data: TrainingData, tmp_path: Path) -> None:
    start = torch.load(
        run_of(training_data, tmp_path / "a", epochs=1, optimizer="SGD", learning_rate=1e-12).path / "state_dict.pt"
    )
    clipped = run_of(
        training_data, tmp_path / "b", epochs=1, batch_size=1000, optimizer="SGD", learning_rate=1.0, clip_norm=0.01
    )
    moved = [clipped.state_dict()[name] - tensor for name, tensor in start.items() if name.startswith("body")]
    assert torch.sqrt(sum((tensor**2).sum() for tensor in moved)) == pytest.approx(0.01, rel=1e-3)


class Hooked(MLP):
    """Counts how often a gradient of its first layer is ready, as memory-saving optimizers do."""

    seen: ClassVar[list[torch.Tensor]] = []

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__(num_inputs, num_outputs, hidden=(4,))
        first = next(self.parameters())
        first.register_post_accumulate_grad_hook(lambda parameter: self.seen.append(parameter.grad.clone()))


@pytest.mark.parametrize(("optimizer", "arguments"), [("SGD", {}), ("LBFGS", {"max_iter": 1, "line_search_fn": None})])
def test_hooks_on_accumulated_gradients_fire_once_a_step(
    tmp_path: Path, optimizer: str, arguments: dict[str, object]
) -> None:
    training_data = xor_data(XORSettings(size=64, validation_size=16, test_size=16))
    Hooked.seen.clear()
    choice = NetworkChoice(f"{__name__}:Hooked", user_network=Hooked)
    run_of(training_data, tmp_path / "run", choice, optimizer=optimizer, optimizer_arguments=arguments)
    assert len(Hooked.seen) == 3 * 4  # epochs times steps
    assert all(bool(gradient.abs().sum() > 0) for gradient in Hooked.seen)


@pytest.mark.parametrize("loss", ["BCEWithLogitsLoss", "BCELoss"])
def test_class_weights_weigh_rows_by_their_class(loss: str) -> None:
    target = torch.tensor([0, 0, 0, 1])
    objective = make_objective(TrainSettings(loss=loss, class_weights="balanced"), "binary", np.array([3, 1]))
    assert objective.class_weights is not None
    assert objective.class_weights.tolist() == pytest.approx([4 / 6, 2.0])  # scikit-learn's n / (classes * count)
    logits = torch.tensor([[0.3], [-0.2], [1.0], [0.1]])
    rows = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target.float(), reduction="none")
    found = objective.loss_function(torch.device("cpu"))(logits, objective.prepare(target))
    assert found == pytest.approx(float((rows * torch.tensor([1.0, 1, 1, 3])).mean()), rel=1e-6)


def test_the_losses_of_several_classes_and_of_values_are_torch_s_own() -> None:
    logits, target = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    objective = make_objective(TrainSettings(class_weights=[1.0, 2.0, 3.0]), "multiclass", np.array([2, 2, 1]))
    expected = nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0]))(logits, target)
    assert objective.loss_function(torch.device("cpu"))(logits, objective.prepare(target)) == expected
    values = torch.tensor([10.0, 20.0])
    objective = make_objective(TrainSettings(), "regression", np.zeros(0, np.int64), torch.tensor([5.0]))
    squared = objective.loss_function(torch.device("cpu"))
    assert squared(torch.tensor([[15.0], [20.0]]), values) == pytest.approx(0.5)  # in standard deviations
