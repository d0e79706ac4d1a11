"""Whether several processes take a step in less time than one: small networks spend more on telling one another."""

import copy
import math
import os
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from parity_runtime.errors import out_of_memory
from parity_training.fitting.objectives import LossFunction
from parity_training.fitting.process_group import ProcessGroup, local_place
from parity_training.fitting.whole_batch import SharedLoader

_SECONDS = 0.1
_MOST_STEPS = 20
_NOTICEABLE = 1.1


def slower(
    group: ProcessGroup,
    model: nn.Module,
    in_parallel: Callable[[nn.Module], nn.Module],
    loss_function: LossFunction,
    loader: SharedLoader,
) -> str | None:
    """Return a sentence where a step in one process is shorter than in all of them; measured on copies of the network.

    Args:
        group: the processes; each calls this.
        model: stays as it is, and so do torch's random numbers.
        in_parallel: makes of a network one whose gradients are summed over the processes.
        loss_function: from outputs and targets to the mean loss of a batch.
        loader: gives the rows.
    """
    try:
        copies = copy.deepcopy(model).train(), copy.deepcopy(model).train()
    except Exception:  # somebody's network that cannot be copied is not measured
        return None
    device = next(model.parameters()).device
    batch = [tensor.to(device) for tensor in next(iter(loader.whole))]
    rows = len(batch[-1])
    first, last = group.share(rows)
    own = [tensor[first : max(last, first + 1)] for tensor in batch]
    with torch.random.fork_rng():
        parallel = in_parallel(copies[0])
        steps = group.told(_steps(parallel, loss_function, own, group))
        together = _seconds(parallel, loss_function, own, steps)
        alone = _alone(copies[1], loss_function, batch) if group.leads else 0.0
        alone = group.told(alone)
    if together < alone * _NOTICEABLE:
        return None
    return (
        f"{group.size} processes do not pay here: a step of {rows} rows takes {1e3 * together:.3g} ms, and "
        f"{1e3 * alone:.3g} in one; larger networks and batches gain, this one trains faster in one process"
    )


def _alone(model: nn.Module, loss_function: LossFunction, batch: list[Tensor]) -> float:
    """Return the seconds of a step in one process: with one thread, or all that it would have."""
    threads = torch.get_num_threads()
    all_threads = threads if "OMP_NUM_THREADS" in os.environ else threads * local_place()[1]
    try:
        return min(_with_threads(number, model, loss_function, batch) for number in {1, all_threads})
    except RuntimeError as error:
        if out_of_memory(error):  # what does not fit into one process needs several
            return math.inf
        raise
    finally:
        torch.set_num_threads(threads)


def _with_threads(number: int, model: nn.Module, loss_function: LossFunction, batch: list[Tensor]) -> float:
    torch.set_num_threads(number)
    _seconds(model, loss_function, batch, 1)  # the first one prepares what the others use
    return _seconds(model, loss_function, batch, _MOST_STEPS)


def _steps(model: nn.Module, loss_function: LossFunction, batch: list[Tensor], group: ProcessGroup) -> int:
    """Return how many steps all processes take: those of a tenth of a second."""
    _seconds(model, loss_function, batch, 1)
    taken = _seconds(model, loss_function, batch, 1)
    steps = min(max(int(_SECONDS / max(taken, 1e-6)), 1), _MOST_STEPS)
    return steps if group.leads else 0


def _seconds(model: nn.Module, loss_function: LossFunction, batch: list[Tensor], steps: int) -> float:
    """Return the seconds of the shortest of some steps; in one process no more begin after a tenth of a second."""
    *inputs, targets = batch
    begun = time.perf_counter()
    taken: list[float] = []
    alone = not isinstance(model, nn.parallel.DistributedDataParallel)  # else all processes take as many
    while len(taken) < steps and not (alone and taken and time.perf_counter() - begun > _SECONDS):
        start = time.perf_counter()
        loss: Any = loss_function(model(*inputs), targets)
        model.zero_grad()
        loss.backward()
        loss.item()  # CUDA has finished
        taken.append(time.perf_counter() - start)
    return min(taken)
