"""What a training says while it runs: a line an epoch in metrics.jsonl, TensorBoard, and MLflow where asked for."""

import contextlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parity_runtime import InputError, MissingExtraError
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import MAX_BYTES, parse_json
from parity_runtime.files.open_file import read_regular
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.mlflow_run import MLflowRun

METRICS, TENSORBOARD = "metrics.jsonl", "tensorboard"


class TrainingLog:
    """Writes epochs; `flush` before a checkpoint, so that what it counts is on disk."""

    def __init__(self, write: Callable[[EpochResult], None], flush: Callable[[], None]) -> None:
        self.write, self.flush = write, flush


def check_tensorboard() -> None:
    """Refuse to train where the log cannot be written, before anything is; importing it takes half a second.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtraError(
            'training needs tensorboard, which is not installed; from a checkout of Parity: pip install ".[train]"'
        )


def read_epochs(folder: Path) -> list[dict[str, Any]]:
    """Read the epochs of a run, the lines of metrics.jsonl.

    Raises:
        InputError: there are none, or a line is not written as docs/reference/run-format.md says.
    """
    path = folder / METRICS
    try:
        lines = read_regular(path, MAX_BYTES).splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not lines:
        raise InputError(f"{path} holds no epochs; train the run again")
    epochs = [parse_json(line, str(path)) for line in lines]
    if not all(_is_epoch(epoch, epochs[0]) for epoch in epochs):
        raise InputError(f"{path} is not written as docs/reference/run-format.md says; train the run again")
    return epochs


def _is_epoch(line: dict[str, Any], first: dict[str, Any]) -> bool:
    """Whether a line holds the figures of an epoch, the same ones as the first line."""
    validated = line.get("validation_loss") is not None
    figures = ["epoch", "loss", *(["validation_loss", *_metrics(line)] if validated else [])]
    numbers = all(type(line.get(name)) in (int, float) and abs(line[name]) < 1e300 for name in figures)
    return (
        numbers
        and "validation_loss" in line
        and line.keys() == first.keys()
        and len(figures) != 3
        and (validated == (first["validation_loss"] is not None))
    )


def _metrics(line: dict[str, Any]) -> list[str]:
    return [name for name in ("accuracy", "rmse") if name in line]


@contextlib.contextmanager
def open_log(
    folder: Path, finished_epochs: int, mlflow: MLflowRun | None = None, gradients: str = "autograd's"
) -> Iterator[TrainingLog]:
    """Open the log of a run, after the epochs that a checkpoint has; later ones, of a killed process, are dropped.

    Args:
        folder: of the run.
        finished_epochs: how many lines stay.
        mlflow: the run there; it gets the epochs that it lacks, those of an earlier process too.
        gradients: whose they are, which TensorBoard shows.
    """
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 -- half a second that an export does not need

    path = folder / METRICS
    lines = path.read_bytes().splitlines(keepends=True)[:finished_epochs] if path.is_file() else []
    write_file(path, b"".join(lines))
    if mlflow:
        for line in lines:
            mlflow.write(parse_json(line, str(path)))
    with (
        path.open("a", encoding="utf-8") as metrics,
        SummaryWriter(str(folder / TENSORBOARD), purge_step=finished_epochs + 1) as board,
    ):

        def write(result: EpochResult) -> None:
            epoch = result.to_json()
            metrics.write(json.dumps(epoch) + "\n")
            board.add_scalar("loss/train", result.loss, result.epoch)
            if result.validation_loss is not None:
                board.add_scalar("loss/validation", result.validation_loss, result.epoch)
            for name, value in result.metrics.items():
                board.add_scalar(f"{name}/validation", value, result.epoch)
            if mlflow:
                mlflow.write(epoch)

        def flush() -> None:
            metrics.flush()
            if mlflow:
                mlflow.flush()

        board.add_text("gradients", gradients, finished_epochs)
        flush()
        yield TrainingLog(write, flush)
