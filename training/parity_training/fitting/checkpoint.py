"""Checkpoints: what resuming needs, complete on disk at any moment, and the one before it."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity_runtime import FormatError, InputError
from parity_runtime.arguments import argument
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.files.staged_folder import exchange
from parity_training.fitting.loop import Progress, TrainingLoop
from parity_training.fitting.optimizers import check_optimizer
from parity_training.weights.weights_file import load_object, save_object

_SECONDS = 1.0  # A kill loses no more work than this; one an epoch would cost tiny networks half their time.
_SHARE = 20  # Of a large network a kill loses as many times the time that saving takes, which costs no more than 5 %.


CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


class NotSavedError(InputError):
    """A checkpoint cannot be written; the one before is as it was."""


class Checkpoints:
    """Writes a training's state into its folder, and keeps the one before: a disk may damage what was written.

    Args:
        folder: of the run.
        training: what is saved.
        before: is called before it is saved: what was logged until then must not come again.
    """

    def __init__(self, folder: Path, training: TrainingLoop, before: Callable[[], None] = lambda: None) -> None:
        self._path, self._previous, self._training = folder / CHECKPOINT, folder / PREVIOUS, training
        self._before, self._due = before, time.monotonic() + _SECONDS

    def save_if_due(self) -> None:
        """Write the state if the last one is old enough: of an epoch of hours a kill must not lose all."""
        if time.monotonic() >= self._due:
            self.save()

    def save(self) -> None:
        """Write the state as it is.

        Raises:
            NotSavedError: the disk is full; the earlier checkpoint is as it was.
        """
        try:
            self._write()
        except InputError as error:
            raise NotSavedError(str(error)) from error

    def _write(self) -> None:
        self._before()
        begun, training, progress = time.monotonic(), self._training, self._training.progress
        state = {
            "model": training.model.state_dict(),
            "optimizer": training.optimizer.state_dict(),
            "scheduler": None if training.scheduler is None else training.scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "epoch": progress.epoch,
            "step": progress.step,
            "loss_sum": progress.loss_sum,
            "best_loss": progress.best_loss,
            "best_epoch": progress.best_epoch,
            "best_weights": progress.best_weights,
        }
        if self._path.is_file():
            save_object(state, self._previous)  # in place of the oldest; at no moment are there fewer than before
            exchange(self._previous, self._path)
        else:
            save_object(state, self._path)
        now = time.monotonic()
        self._due = now + max(_SECONDS, _SHARE * (now - begun))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Raises:
        InputError: there is none, or it is no file of torch.save.
        FormatError: it holds something else.
    """
    if not path.is_file():
        raise InputError(
            f"{path.parent} has no {path.name}: nothing was saved yet; train it again with "
            + argument("replace", True, option="--force")
        )
    state = load_object(path)
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise FormatError(f"{path} is not a checkpoint of this run: it holds no model")
    return state


def saved_weights(folder: Path) -> tuple[dict[str, Any], Path]:
    """Return the weights of the last checkpoint that can be read, and its path.

    Raises:
        InputError: there is no checkpoint, or none that can be read.
        FormatError: it holds something else.
    """
    path, previous = folder / CHECKPOINT, folder / PREVIOUS
    try:
        return load_checkpoint(path)["model"], path
    except (InputError, FormatError):
        if not previous.is_file():
            raise
    return load_checkpoint(previous)["model"], previous


def restore(folder: Path, training: TrainingLoop) -> None:
    """Put a training back where a checkpoint was taken: the last one, or the one before where that is damaged.

    The one before costs a second of work and changes nothing of the result, so a warning says that it is taken.

    Raises:
        InputError: there is no checkpoint, or none that can be read.
        FormatError: it is not one of this run.
    """
    path, previous = folder / CHECKPOINT, folder / PREVIOUS
    if not path.is_file() and not previous.is_file():
        raise InputError(f"{folder} has no {path.name}: nothing was saved yet; give the command that began it again")
    try:
        _restore(path, training)
    except (InputError, FormatError) as error:
        if not previous.is_file():
            raise
        _restore(previous, training)
        warnings.warn(f"{first_line(error)}; {previous} is taken instead, which is whole", stacklevel=2)


def _restore(path: Path, training: TrainingLoop) -> None:
    state = load_checkpoint(path)
    try:
        training.model.load_state_dict(state["model"])
        training.optimizer.load_state_dict(state["optimizer"])
        check_optimizer(training.optimizer)
        if training.scheduler is not None:
            training.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"])
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        training.progress = _progress(state, training)
    except Exception as error:  # torch's, of every kind
        if out_of_memory(error):
            raise MemoryError(f"{path} cannot be loaded ({first_line(error)})") from error
        raise FormatError(f"{path} is not a checkpoint of this run: {first_line(error)}") from error


def _check_best(weights: dict[str, Any], shapes: dict[str, torch.Size]) -> None:
    if {name: tensor.shape for name, tensor in weights.items()} != shapes:
        raise ValueError("its best weights are not the network's")


def _progress(state: dict[str, Any], training: TrainingLoop) -> Progress:
    loss_sum: Tensor = state["loss_sum"]
    if loss_sum.shape != () or loss_sum.dtype != torch.float64:
        raise ValueError("its sum of losses is not a number")
    if not 0 <= int(state["step"]) <= -(-training.loader.sampler.rows // training.loader.batch_size):
        raise ValueError("it has more steps than an epoch has")
    if not 0 <= int(state["best_epoch"]) <= int(state["epoch"]) <= training.num_epochs:
        raise ValueError("its epochs are not those of this training")
    if state["epoch"]:
        _check_best(state["best_weights"], training.weight_shapes())
    return Progress(
        epoch=int(state["epoch"]),
        step=int(state["step"]),
        loss_sum=loss_sum,
        best_loss=float(state["best_loss"]),
        best_epoch=int(state["best_epoch"]),
        best_weights=dict(state["best_weights"]),
    )
