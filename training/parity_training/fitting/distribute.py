"""What changes in a training that several processes do together: its loop, its batches, its device."""

from dataclasses import fields

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_training.data.problem import ROWS_AT_ONCE, Problem
from parity_training.fitting.distributed_loop import DistributedLoop
from parity_training.fitting.evaluation import inputs_of, outputs_of
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.process_group import ProcessGroup, local_place
from parity_training.fitting.whole_batch import RowWeights, SharedLoader
from parity_training.settings import TrainSettings


def distribute(
    training: TrainingLoop, group: ProcessGroup, settings: TrainSettings, weights: RowWeights, *, own: bool
) -> TrainingLoop:
    """Return a training as one process of several does it.

    Args:
        training: as one process would do it alone.
        group: the processes.
        settings: the training's.
        weights: returns what rows weigh in the mean over a batch by their targets; None weighs them alike.
        own: whether the network is one of Parity's.

    Raises:
        InputError: the network or a setting does not go with several processes.
    """
    _refuse(training.model, settings, group)
    validate = training.validate
    taken = {item.name: getattr(training, item.name) for item in fields(TrainingLoop) if item.init}
    taken["loader"] = SharedLoader(training.loader, group, weights)
    if validate is not None:
        taken["validate"] = lambda: group.told(validate())
    return DistributedLoop(**taken, group=group, user_seed=None if own else settings.seed)


def _refuse(model: nn.Module, settings: TrainSettings, group: ProcessGroup) -> None:
    processes = f"{group.size} processes"
    if settings.num_workers:
        raise InputError(
            f"{argument('num_workers')} cannot be used with {processes}, which take their rows from memory; leave it "
            "out"
        )
    if settings.batch_size < group.size:
        raise InputError(
            f"{argument('batch_size')} is {settings.batch_size}, fewer rows than the {processes} that share a batch; "
            f"make it at least {group.size}"
        )
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise InputError(
            f"batch normalization cannot be used with {processes}: its mean is that of the whole batch, of which each "
            "has a part; leave it out of the network, or train in one process"
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


def shared_outputs(group: ProcessGroup, model: nn.Module, problem: Problem, part: str) -> Tensor:
    """Return what a model gives for the rows of a part, as `outputs_of`: each process computes some, and all have all.

    The parts are whole pieces of the rows, so that the answers are those of one process.
    """
    if group.size == 1:
        return outputs_of(model, inputs_of(problem, part))
    rows = problem.num_rows(part)
    first, last = (min(end * ROWS_AT_ONCE, rows) for end in group.share(-(-rows // ROWS_AT_ONCE)))
    own = (first, last) if first < last else (0, 1)  # a process without any computes one, for its width
    found = outputs_of(model, inputs_of(problem, part, *own))
    outputs = torch.zeros(rows, found.shape[1])
    outputs[first:last] = found[: last - first]
    return group.sum(outputs)
