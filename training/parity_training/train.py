"""From nothing to a run: the notebook's life-cycle for XOR."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from parity_runtime import InputError
from parity_runtime.files import refuse_existing, write_file
from parity_runtime.table import write_csv
from parity_training.evaluation import evaluate_binary
from parity_training.loop import EpochResult, train_epochs
from parity_training.networks import XORClassifier
from parity_training.run import (
    CHECKPOINT,
    EVALUATION,
    METRICS,
    RECIPE,
    STATE_DICT,
    TENSORBOARD,
    TEST_TABLE,
    Recipe,
    Run,
)
from parity_training.weights import save_object
from parity_training.xor import FEATURE_NAMES, XORDataset, xor_contract


@dataclass(frozen=True, slots=True)
class XORSettings:
    """The notebook's figures.

    Attributes:
        size: training points.
        test_size: held-out points.
        std: standard deviation of the noise.
        hidden: neurons of the hidden layer.
        learning_rate: of SGD.
        batch_size: rows of one step.
        epochs: passes over the data.
        seed: of the points, the initial weights and the order of the rows.
    """

    size: int = 5000
    test_size: int = 500
    std: float = 0.1
    hidden: int = 4
    learning_rate: float = 0.03
    batch_size: int = 128
    epochs: int = 200
    seed: int = 1234


def train_xor(
    out: str | Path,
    settings: XORSettings | None = None,
    *,
    replace: bool = False,
    on_epoch: Callable[[EpochResult], None] = lambda _: None,
) -> Run:
    """Train the notebook's network on the continuous XOR problem and write a run.

    Args:
        out: the run folder to make.
        settings: the notebook's figures by default.
        replace: remove a run that stands there already.
        on_epoch: called after each epoch, for a progress bar.

    Raises:
        InputError: the folder exists, or a setting is out of range.
    """
    settings = settings or XORSettings()
    _check(settings)
    train, test = xor_datasets(settings)
    recipe = _recipe(settings, train)
    run = Run(_fresh_folder(Path(out), replace=replace), recipe)
    run.write_json(RECIPE, recipe.to_json())
    _write_table(run.path / TEST_TABLE, test)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = XORClassifier(**recipe.arguments)
        _train(run, model, train, settings, on_epoch)
    save_object(model.state_dict(), run.path / STATE_DICT)
    evaluation = evaluate_binary(model, test.data, test.label, recipe.contract.logit_threshold or 0.0)
    run.write_json(EVALUATION, evaluation)
    return run


def xor_datasets(settings: XORSettings) -> tuple[XORDataset, XORDataset]:
    """Return the training points and the held-out points of ``settings``, the same every time."""
    train = XORDataset(settings.size, settings.std, seed=settings.seed)
    return train, XORDataset(settings.test_size, settings.std, seed=settings.seed + 1)


def _check(settings: XORSettings) -> None:
    for name, value in asdict(settings).items():
        lowest, highest = (0 if name in ("std", "seed") else 1e-12), (2**63 - 1 if isinstance(value, int) else 1e6)
        if not lowest <= value <= highest:
            raise InputError(
                f"{name} is {value}; it must be {'at least' if lowest == 0 else 'above'} 0 and at most {highest:g}"
            )


def _recipe(settings: XORSettings, train: XORDataset) -> Recipe:
    values = asdict(settings)
    data = {"source": "xor"} | {key: values.pop(key) for key in ("size", "test_size", "std")}
    arguments = {"num_inputs": 2, "num_hidden": values.pop("hidden"), "num_outputs": 1}
    training = {"loss": "BCEWithLogitsLoss", "optimizer": "SGD"} | values
    return Recipe("XORClassifier", arguments, xor_contract(train), data, training)


def _fresh_folder(path: Path, *, replace: bool) -> Path:
    refuse_existing(path, replace=replace)
    if path.exists():
        if any(path.iterdir()) and not (path / RECIPE).is_file():
            raise InputError(f"{path} is not empty and holds no run; it is not replaced, choose another name")
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def _train(
    run: Run,
    model: nn.Module,
    train: XORDataset,
    settings: XORSettings,
    on_epoch: Callable[[EpochResult], None],
) -> None:
    loader: DataLoader[Any] = DataLoader(train, batch_size=settings.batch_size, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    with _log(run.path) as log:
        for result in train_epochs(model, loader, optimizer, nn.BCEWithLogitsLoss(), settings.epochs):
            log(result)
            on_epoch(result)
    checkpoint = {
        "epoch": settings.epochs,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
    }
    save_object(checkpoint, run.path / CHECKPOINT)


@contextlib.contextmanager
def _log(folder: Path) -> Iterator[Callable[[EpochResult], None]]:
    """Give a function that writes one epoch to metrics.jsonl and to TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 -- half a second that an export does not need

    with (
        (folder / METRICS).open("w", encoding="utf-8") as metrics,
        SummaryWriter(str(folder / TENSORBOARD)) as board,
    ):

        def write(result: EpochResult) -> None:
            metrics.write(json.dumps(asdict(result)) + "\n")
            board.add_scalar("loss/train", result.loss, result.epoch)
            board.add_scalar("accuracy/train", result.accuracy, result.epoch)

        yield write


def _write_table(path: Path, points: XORDataset) -> None:
    rows = ([*map(str, row), str(label)] for row, label in zip(points.data.numpy(), points.label.tolist(), strict=True))
    write_file(path, write_csv([*FEATURE_NAMES, "label"], rows))
