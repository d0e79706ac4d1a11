"""The training loop on several processes: each has its rows of every batch, and all take the same step."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from parity_training.fitting.loop import EpochResult, TrainingLoop
from parity_training.fitting.more_processes import slower
from parity_training.fitting.process_group import ALONE, ProcessGroup
from parity_training.fitting.whole_batch import SharedLoader


@dataclass(repr=False)
class DistributedLoop(TrainingLoop):
    """A `TrainingLoop` whose gradients are those of the whole batch, over all processes.

    Attributes:
        loader: gives this process's rows of each batch.
        group: the processes.
        user_seed: of what a network that is none of Parity's draws by chance; None of one of Parity's, which draws
            what it would in one process.
    """

    loader: SharedLoader
    group: ProcessGroup = ALONE
    user_seed: int | None = None
    _parallel: Any = field(default=None, init=False)
    _somebody_stops: bool = field(default=False, init=False)

    @property
    def gradients(self) -> None:
        """None are written out: those of autograd have hooks, which sum them over the processes."""

    def epochs(self) -> Iterator[EpochResult]:
        """Train, and yield after each epoch; ends early, on all processes in the same step, when one is asked to stop.

        Raises:
            InputError: the loss is no longer finite.
            LostProcessError: another process has ended.
        """
        with self.group.still_there():
            self._take_over()
            self._say_what_it_costs()
            self._parallel = self._in_parallel(self.model)
        if self.user_seed is None:
            self.loader.part_of_batch.draws_in(self.model)
        yield from super().epochs()
        self._agree_at_the_end()

    def _take_over(self) -> None:
        """Begin where the leading process does; `DistributedDataParallel` hands on the weights."""
        device = next(self.model.parameters()).device
        progress, scheduler = self.progress, self.scheduler
        state = self.group.told({
            "optimizer": _on_cpu(self.optimizer.state_dict()),
            "scheduler": None if scheduler is None else scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "loss_sum": progress.loss_sum.cpu(),
            "best": (progress.best_loss, progress.best_epoch),
            "place": (progress.epoch, progress.step),
        })  # fmt: skip
        if self.group.leads:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        if scheduler is not None:
            scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"], device)
        progress.loss_sum = state["loss_sum"]
        (progress.best_loss, progress.best_epoch), (progress.epoch, progress.step) = state["best"], state["place"]

    def _in_parallel(self, model: nn.Module) -> nn.Module:
        device = next(model.parameters()).device
        return DistributedDataParallel(
            model,
            device_ids=[device] if device.type == "cuda" else None,
            # The buffers of Parity's networks are alike everywhere; of a user's the leading process's count.
            forward_sync_buffers=self.user_seed is not None,
            find_unused_parameters=self.user_seed is not None,
        )

    def _say_what_it_costs(self) -> None:
        if self.objective is None:
            return
        said = slower(self.group, self.model, self._in_parallel, self.objective, self.loader)
        if said and self.group.leads:
            warnings.warn(said, stacklevel=2)

    def _loss_and_gradients(self, parameters: list[nn.Parameter], inputs: list[Tensor], targets: Tensor) -> Tensor:
        for parameter in parameters:
            parameter.grad = None
        self._seed_step()
        stopping = torch.tensor(float(bool(self.stop.signal_number)))
        with self.group.still_there():
            asked = dist.all_reduce(stopping, async_op=True)  # while the step is computed
            loss = self.loss_function(self._parallel(*inputs), targets)
            # The mean over the processes, which the gradients become, is the mean over the batch's rows.
            loss = loss * (self.loader.part_of_batch.weight * self.group.size)
            loss.backward()  # type: ignore[no-untyped-call]
            asked.wait()
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)
        self._somebody_stops = bool(stopping)
        return self.group.sum(loss.detach() / self.group.size)

    def _seed_step(self) -> None:
        """Let a user's network draw numbers of its own on each process, the same ones after a restart."""
        if self.user_seed is not None:
            steps = -(-self.loader.sampler.rows // self.loader.batch_size)  # of an epoch from its beginning
            place = (self.progress.epoch * steps + self.progress.step) * self.group.size + self.group.rank
            torch.manual_seed((self.user_seed + (place + 1) * 0x9E3779B97F4A7C15) % 2**63)

    def _stopping(self) -> bool:
        return self._somebody_stops

    def _agree_at_the_end(self) -> None:
        """Take over on every process the signal that one of them has."""
        number = torch.tensor(float(self.stop.signal_number))
        with self.group.still_there():
            dist.all_reduce(number, dist.ReduceOp.MAX)
        self.stop.signal_number = int(number)


def _on_cpu(value: Any) -> Any:
    """Return a state with its tensors on the CPU: every process has a device of its own."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {name: _on_cpu(item) for name, item in value.items()}
    return [_on_cpu(item) for item in value] if isinstance(value, list) else value
