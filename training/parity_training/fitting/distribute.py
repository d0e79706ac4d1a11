"""What changes in a training that several processes do together: its loop, its batches, its device."""

from dataclasses import fields

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_training.data.batches import TensorLoader
from parity_training.fitting.distributed_loop import DistributedLoop
from parity_training.fitting.evaluation import ROWS_AT_ONCE, outputs_of
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.process_group import ProcessGroup, local_place
from parity_training.fitting.whole_batch import SharedLoader
from parity_training.settings import TrainSettings


def distribute(
    training: TrainingLoop, group: ProcessGroup, settings: TrainSettings, weights: Tensor | None, *, own: bool
) -> TrainingLoop:
    """Return a training as one process of several does it.

    Args:
        training: as one process would do it alone.
        group: the processes.
        settings: the training's.
        weights: of each row in the mean over a batch, float32 ``[rows]``; None weighs them alike.
        own: whether the network is one of Parity's.

    Raises:
        InputError: the network or a setting does not go with several processes.
    """
    _refuse(training.model, settings, group)
    loader, validate = training.loader, training.validate
    taken = {item.name: getattr(training, item.name) for item in fields(TrainingLoop)}
    taken["loader"] = SharedLoader(
        loader.inputs, loader.target, loader.sampler, loader.batch_size,
        drop_last=loader.drop_last, part=_rows(loader), group=group, weights=weights,
    )  # fmt: skip
    if validate is not None:
        taken["validate"] = lambda: group.told(validate())
    return DistributedLoop(**taken, group=group, user_seed=None if own else settings.seed)


def _rows(loader: TensorLoader) -> Tensor:
    return torch.arange(loader.sampler.rows) if loader.part is None else loader.part


def _refuse(model: nn.Module, settings: TrainSettings, group: ProcessGroup) -> None:
    processes = f"{group.size} processes"
    if settings.num_workers:
        raise InputError(
            f"{argument('num_workers')} does not go with {processes}, which take their rows from memory; leave it out"
        )
    if settings.batch_size < group.size:
        raise InputError(
            f"{argument('batch_size')} is {settings.batch_size}, fewer rows than the {processes} that share a batch; "
            f"make it at least {group.size}"
        )
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise InputError(
            f"batch normalization does not go with {processes}: its mean is that of the whole batch, of which each has "
            "a part; leave it out of the network, or train in one process"
        )


def own_device(device: torch.device, group: ProcessGroup) -> torch.device:
    """Return a process's own device: of the machine's GPUs the one of its number.

    Raises:
        InputError: there are fewer GPUs than processes on this machine.
    """
    if group.size == 1 or device.type != "cuda":
        return device
    number, there = local_place()[0], torch.cuda.device_count()
    if local_place()[1] > there:
        raise InputError(
            f"{local_place()[1]} processes need a GPU each, and this machine has {there}; start fewer, or use "
            + argument("device", "cpu")
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def shared_outputs(group: ProcessGroup, model: nn.Module, data: tuple[Tensor, ...], rows: Tensor) -> Tensor:
    """Return what a model gives for some rows, as `outputs_of`: each process computes a part, and all have the whole.

    The parts are whole pieces of the rows, so that the answers are those of one process.
    """
    if group.size == 1:
        return outputs_of(model, data, rows)
    first, last = (min(end * ROWS_AT_ONCE, len(rows)) for end in group.share(-(-len(rows) // ROWS_AT_ONCE)))
    part = outputs_of(model, data, rows[first : max(last, first + 1)] if first < len(rows) else rows[:1])
    outputs = torch.zeros(len(rows), part.shape[1])
    outputs[first:last] = part[: last - first]
    return group.sum(outputs)
