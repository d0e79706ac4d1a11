"""Optimizers and schedulers of torch.optim by name."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from parity_runtime import InputError
from parity_training.settings import TrainSettings


def make_optimizer(model: nn.Module, settings: TrainSettings) -> Optimizer:
    """Return the optimizer that the settings name, over the model's parameters.

    Raises:
        InputError: torch.optim has no such optimizer, or it does not take the arguments.
    """
    kind = getattr(torch.optim, settings.optimizer, None)
    if not (isinstance(kind, type) and issubclass(kind, Optimizer)) or kind is Optimizer:
        raise InputError(f"torch.optim has no optimizer {settings.optimizer!r}")
    taken = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"lr": settings.learning_rate} | settings.optimizer_arguments
    if settings.weight_decay:
        arguments["weight_decay"] = settings.weight_decay
    if "fused" in taken and not {"fused", "foreach", "differentiable"} & set(arguments):
        arguments["fused"] = True  # one kernel over all parameters
    try:
        return kind(model.parameters(), **arguments)
    except Exception as error:  # torch's, of every kind
        raise InputError(f"torch.optim.{settings.optimizer} does not take {arguments}: {error}") from error


def make_scheduler(optimizer: Optimizer, settings: TrainSettings) -> Any:
    """Return the scheduler that the settings name, or None.

    Raises:
        InputError: torch.optim.lr_scheduler has no such scheduler, or it does not take the arguments.
    """
    if settings.scheduler is None:
        return None
    kind = getattr(lr_scheduler, settings.scheduler, None)
    known = isinstance(kind, type) and issubclass(kind, (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau))
    if not known or kind is None:
        raise InputError(f"torch.optim.lr_scheduler has no scheduler {settings.scheduler!r}")
    try:
        return kind(optimizer, **settings.scheduler_arguments)
    except Exception as error:
        raise InputError(
            f"the scheduler {settings.scheduler} does not take {settings.scheduler_arguments}: {error}"
        ) from error
