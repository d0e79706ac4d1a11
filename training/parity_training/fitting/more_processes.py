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
from parity_training.fitting.objectives import Objective
from parity_training.fitting.process_group import ProcessGroup, local_place
from parity_training.fitting.whole_batch import SharedLoader
from parity_training.fitting.written_gradients import WrittenGradients

Job = Callable[[], object]

_SECONDS = 0.1
_MOST_STEPS = 20
_NOTICEABLE = 1.1


def slower(
    group: ProcessGroup,
    model: nn.Module,
    in_parallel: Callable[[nn.Module], nn.Module],
    objective: Objective,
    loader: SharedLoader,
) -> str | None:
    """Return a sentence where a step in one process is shorter than in all of them; measured on copies of the network.

    Args:
        group: the processes; each calls this.
        model: stays as it is, and so do torch's random numbers.
        in_parallel: makes of a network one whose gradients are summed over the processes.
        objective: the loss.
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
        parallel = _by_autograd(in_parallel(copies[0]), objective, own)
        steps = group.told(_steps(parallel, group))
        together = _seconds(parallel, steps, together=True)
        alone = _alone(copies[1], objective, batch) if group.leads else 0.0
        alone = group.told(alone)
    if together < alone * _NOTICEABLE:
        return None
    return (
        f"{group.size} processes are slower here than one: a step of {rows} rows takes {1e3 * together:.3g} ms, and "
        f"{1e3 * alone:.3g} in one; larger networks and batches gain; train this one in one process"
    )


def _alone(model: nn.Module, objective: Objective, batch: list[Tensor]) -> float:
    """Return the seconds of a step in one process: with one thread, or all that it would have."""
    threads = torch.get_num_threads()
    all_threads = threads if "OMP_NUM_THREADS" in os.environ else threads * local_place()[1]
    written = WrittenGradients.of(model, objective)
    job = _by_autograd(model, objective, batch) if written is None else _written_out(written, batch)
    try:
        return min(_with_threads(number, job) for number in {1, all_threads})
    except RuntimeError as error:
        if out_of_memory(error):  # what does not fit into one process needs several
            return math.inf
        raise
    finally:
        torch.set_num_threads(threads)


def _by_autograd(model: nn.Module, objective: Objective, batch: list[Tensor]) -> Job:
    *inputs, targets = batch
    loss_function = objective.loss_function(targets.device)

    def step() -> None:
        loss: Any = loss_function(model(*inputs), targets)
        model.zero_grad()
        loss.backward()
        loss.item()  # CUDA has finished

    return step


def _written_out(written: WrittenGradients, batch: list[Tensor]) -> Job:
    *inputs, targets = batch
    return lambda: written(inputs, targets)[1][0].sum().item()  # CUDA has finished


def _with_threads(number: int, job: Job) -> float:
    torch.set_num_threads(number)
    job()  # the first one prepares what the others use
    return _seconds(job, _MOST_STEPS)


def _steps(job: Job, group: ProcessGroup) -> int:
    """Return how many steps all processes take: those of a tenth of a second."""
    job()
    taken = _seconds(job, 1)
    steps = min(max(int(_SECONDS / max(taken, 1e-6)), 1), _MOST_STEPS)
    return steps if group.leads else 0


def _seconds(job: Job, steps: int, *, together: bool = False) -> float:
    """Return the seconds of the shortest of some steps; no more begin after a tenth of a second.

    Of steps that processes take together all take as many.
    """
    begun = time.perf_counter()
    taken: list[float] = []
    while len(taken) < steps and (together or not taken or time.perf_counter() - begun <= _SECONDS):
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return min(taken)
