"""Optimizers and schedulers of torch.optim by name."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer, lr_scheduler

from parity_runtime import InputError
from parity_runtime.arguments import did_you_mean
from parity_runtime.errors import first_line
from parity_runtime.printable import shown
from parity_training.settings import TrainSettings

_MORE_THAN_DESCENT = ("momentum", "dampening", "weight_decay", "nesterov", "maximize", "differentiable")
_SCHEDULERS = (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau)


def make_optimizer(model: nn.Module, settings: TrainSettings) -> Optimizer:
    """Return the optimizer that the settings name, over the model's parameters.

    Raises:
        InputError: torch.optim has no such optimizer, or it does not take the arguments.
    """
    kind = getattr(torch.optim, settings.optimizer, None)
    if kind is None or not _is_class(kind, Optimizer):
        known = [name for name, value in vars(torch.optim).items() if _is_class(value, Optimizer)]
        raise InputError(
            f"torch.optim has no optimizer {shown(settings.optimizer)}{did_you_mean(settings.optimizer, known)}"
        )
    taken = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"lr": settings.learning_rate} | settings.optimizer_arguments
    if settings.weight_decay:
        arguments["weight_decay"] = settings.weight_decay
    if "fused" in taken and not {"fused", "foreach", "differentiable"} & set(arguments):
        arguments["fused"] = True  # one kernel over all parameters
    try:
        optimizer: Optimizer = kind(model.parameters(), **arguments)
    except Exception as error:  # torch's, of every kind
        raise InputError(
            f"torch.optim.{settings.optimizer} does not take {shown(arguments)}: {first_line(error)}"
        ) from error
    return optimizer


def make_scheduler(optimizer: Optimizer, settings: TrainSettings) -> Any:
    """Return the scheduler that the settings name, or None.

    Raises:
        InputError: torch.optim.lr_scheduler has no such scheduler, or it does not take the arguments.
    """
    if settings.scheduler is None:
        return None
    kind = getattr(lr_scheduler, settings.scheduler, None)
    if kind is None or not _is_class(kind, *_SCHEDULERS):
        known = [
            name for name, value in vars(lr_scheduler).items() if name[0] != "_" and _is_class(value, *_SCHEDULERS)
        ]
        raise InputError(
            f"torch.optim.lr_scheduler has no scheduler {shown(settings.scheduler)}"
            f"{did_you_mean(settings.scheduler, known)}"
        )
    try:
        return kind(optimizer, **settings.scheduler_arguments)
    except Exception as error:
        raise InputError(
            f"the scheduler {settings.scheduler} does not take {shown(settings.scheduler_arguments)}: "
            f"{first_line(error)}"
        ) from error


def plain_descent(optimizer: Optimizer) -> Callable[[list[Tensor]], None] | None:
    """Return what moves all parameters against their gradients until the learning rate changes, in one operator.

    None where an optimizer does more than that, or somebody counts or watches its steps.
    """
    groups = optimizer.param_groups
    watched = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    own_step: Any = getattr(optimizer.step, "__func__", None)  # a scheduler puts a counter in its place
    if type(optimizer) is not SGD or len(groups) > 1 or watched or own_step is not SGD.step:
        return None
    if any(groups[0][name] for name in _MORE_THAN_DESCENT) or not isinstance(groups[0]["lr"], float):
        return None
    values, rate = [parameter.detach() for parameter in groups[0]["params"]], groups[0]["lr"]
    return lambda gradients: torch._foreach_add_(values, gradients, alpha=-rate)


def _is_class(value: object, *bases: type) -> bool:
    """Whether something is a class that is derived from one of the bases; that of all optimizers trains nothing."""
    return isinstance(value, type) and issubclass(value, bases) and value is not Optimizer


def check_optimizer(optimizer: Optimizer) -> None:
    """Refuse the state of an optimizer that was loaded from a file where its tensors do not fit their parameters.

    torch's fused kernels read and write as many elements as the parameter has, whatever the state's tensors hold.

    Raises:
        ValueError: names the first such tensor.
    """
    if "fused" not in inspect.signature(type(optimizer)).parameters:
        return  # its arithmetic is torch's own, which checks shapes
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and not (_is_number(value) if name == "step" else _is_like(value, parameter)):
                raise ValueError(f"its {name} is {value.dtype} {list(value.shape)}, and does not fit its parameter")


def _is_number(value: Tensor) -> bool:
    return value.shape == () and value.dtype == torch.float32


def _is_like(value: Tensor, parameter: Tensor) -> bool:
    """Whether a tensor has the parameter's shape and type, and an element of its own for each of the parameter's."""
    there = value.untyped_storage().nbytes() // value.element_size() - value.storage_offset()
    plain = value.layout == torch.strided and value.device == parameter.device
    return plain and value.shape == parameter.shape and value.dtype == parameter.dtype and value.numel() <= there
