"""What a training says while it runs: a line an epoch in metrics.jsonl, and TensorBoard."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from parity_runtime.files import write_file
from parity_training.loop import EpochResult

METRICS, TENSORBOARD = "metrics.jsonl", "tensorboard"


class Log:
    """Writes epochs; `flush` before a checkpoint, so that what it counts is on disk."""

    def __init__(self, write: Callable[[EpochResult], None], flush: Callable[[], None]) -> None:
        self.write, self.flush = write, flush


@contextlib.contextmanager
def open_log(folder: Path, finished_epochs: int) -> Iterator[Log]:
    """Open the log of a run, after the epochs that a checkpoint has; later ones, of a killed process, are dropped.

    Args:
        folder: of the run.
        finished_epochs: how many lines stay.
    """
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 -- half a second that an export does not need

    path = folder / METRICS
    lines = path.read_bytes().splitlines(keepends=True)[:finished_epochs] if path.is_file() else []
    write_file(path, b"".join(lines))
    with (
        path.open("a", encoding="utf-8") as metrics,
        SummaryWriter(str(folder / TENSORBOARD), purge_step=finished_epochs + 1) as board,
    ):

        def write(result: EpochResult) -> None:
            metrics.write(json.dumps(result.to_json()) + "\n")
            board.add_scalar("loss/train", result.loss, result.epoch)
            if result.validation_loss is not None:
                board.add_scalar("loss/validation", result.validation_loss, result.epoch)
            for name, value in result.metrics.items():
                board.add_scalar(f"{name}/validation", value, result.epoch)

        yield Log(write, metrics.flush)
