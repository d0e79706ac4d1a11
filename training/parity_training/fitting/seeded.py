"""Training that gives the same again: torch's generators from a seed on, and its deterministic algorithms."""

import contextlib
from collections.abc import Iterator

import torch

from parity_runtime import InputError, ParityError
from parity_runtime.errors import first_line
from parity_training.fitting.loop import EpochResult, TrainingLoop


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Use torch's generators from a seed on, and its deterministic algorithms; all is put back afterwards."""
    deterministic, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory = torch.utils.deterministic
        fill = memory.fill_uninitialized_memory  # type: ignore[attr-defined]
        memory.fill_uninitialized_memory = False  # type: ignore[attr-defined] # it costs more than it could show
        try:
            yield
        finally:
            memory.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def explained(training: TrainingLoop) -> Iterator[EpochResult]:
    """Train, and turn what torch or somebody's own network raises into one sentence."""
    try:
        yield from training.epochs()
    except (ParityError, OSError):
        raise
    except Exception as error:  # torch's, of every kind
        raise InputError(f"training failed in epoch {training.progress.epoch + 1}: {first_line(error)}") from error
