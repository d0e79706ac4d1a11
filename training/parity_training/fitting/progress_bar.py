"""A bar that shows how far a training is, in a notebook or on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from parity_runtime import MissingExtraError
from parity_training.fitting.loop import EpochResult
from parity_training.settings import TrainSettings

OnEpoch = Callable[[EpochResult], None]


def figures(result: EpochResult) -> str:
    """Return the loss and the metrics of an epoch as a bar shows them."""
    metrics = (f", {name} {value:.4g}" for name, value in result.metrics.items())
    fold = f"fold {result.fold}, " if result.fold else ""
    return f"{fold}loss {result.loss:.4f}" + "".join(metrics)


def with_bar(on_epoch: OnEpoch, *, progress: bool) -> OnEpoch:
    """Return what is called after each epoch: with a bar behind it, if one is asked for.

    Raises:
        MissingExtraError: tqdm is not installed.
    """
    return _Bar(on_epoch) if progress else on_epoch


@contextmanager
def shown(on_epoch: OnEpoch, settings: TrainSettings, done: int) -> Iterator[None]:
    """Show the bar of ``on_epoch`` while the block trains, if it has one.

    Args:
        on_epoch: of `with_bar`.
        settings: of the training.
        done: epochs that were trained before it was resumed.
    """
    if not isinstance(on_epoch, _Bar):
        yield
        return
    on_epoch.open(settings, done)
    try:
        yield
        on_epoch.complete()
    finally:
        on_epoch.close()


class _Bar:
    """tqdm's bar: a widget in a notebook, a line of text on stderr elsewhere."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        try:
            from tqdm.auto import tqdm  # noqa: PLC0415 -- of an extra
        except ImportError as error:
            raise MissingExtraError(
                'progress=True needs tqdm, which is not installed; from a checkout of Parity: pip install ".[notebook]"'
            ) from error
        self._make, self._on_epoch = tqdm, on_epoch
        self._epochs = 0
        self._bar: Any = None

    def __call__(self, result: EpochResult) -> None:
        self._bar.set_postfix_str(figures(result), refresh=False)
        self._bar.update(result.fold * self._epochs + result.epoch - self._bar.n)
        self._on_epoch(result)

    def open(self, settings: TrainSettings, done: int) -> None:
        self._epochs = settings.epochs
        total = settings.epochs * (1 + (settings.folds or 0))
        unseen = sys.stderr is None  # closed, as a service has it: tqdm would write to it
        self._bar = self._make(total=total, initial=done, desc="training", unit="epoch", disable=unseen)

    def complete(self) -> None:
        """Say that no epoch is left: training may have ended early."""
        self._bar.total = self._bar.n
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
