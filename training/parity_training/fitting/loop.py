"""The training loop, explicit as in the notebook."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from parity_runtime import InputError
from parity_training.data.batches import Batch, BatchLoader
from parity_training.fitting.objectives import LossFunction, Objective
from parity_training.fitting.optimizers import plain_descent
from parity_training.fitting.stop_signals import StopRequest
from parity_training.fitting.threads import threads_for
from parity_training.fitting.written_gradients import WrittenGradients

Validate = Callable[[], tuple[float, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one pass over the training data gave.

    Attributes:
        epoch: counted from 1.
        loss: mean loss over the training rows, measured while training, in the loss function's unit.
        validation_loss: mean loss over the validation rows after the epoch; None without any.
        metrics: of the validation rows after the epoch: ``accuracy``, or ``rmse`` in the target's unit.
        best: whether no earlier epoch had a smaller validation loss (without validation: the last one).
        fold: of a cross-validation, counted from 1; 0 of the training of the run itself.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    best: bool
    fold: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, a line of metrics.jsonl."""
        return {"epoch": self.epoch, "loss": self.loss, "validation_loss": self.validation_loss} | self.metrics


@dataclass
class Progress:
    """How far a training has come: what a checkpoint keeps beside weights, optimizer and random state.

    Attributes:
        epoch: finished epochs.
        step: steps done of the next one.
        loss_sum: of the losses of these steps, each times the rows of its batch; float64, a scalar.
        best_loss: the smallest validation loss.
        best_epoch: where it was.
        best_weights: the state_dict there.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64), repr=False)
    best_loss: float = math.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict, repr=False)


@dataclass
class TrainingLoop:
    """Everything that takes part in the loop.

    Attributes:
        model: trained in place, on the device where it lies.
        loader: gives batches: what the model takes, and behind it the targets.
        optimizer: over the model's parameters.
        loss_function: from outputs and targets to the mean loss of a batch.
        num_epochs: passes over the data, at most.
        scheduler: of the learning rate, stepped once an epoch; None keeps it.
        clip_norm: the largest norm of all gradients together; None clips nothing.
        repeats: whether the optimizer wants to ask for the loss itself, as LBFGS does.
        patience: epochs without a smaller validation loss after which it ends; None: never.
        validate: returns the loss and the metrics of the validation rows; None where there are none.
        stop: whether somebody asked to stop.
        after_step: is called when a step is done, and ``progress`` says so.
        progress: where it starts, and how far it has come.
        objective: the loss, of which the gradients may be written out; None leaves all of them to autograd.
    """

    model: nn.Module
    loader: BatchLoader
    optimizer: torch.optim.Optimizer
    loss_function: LossFunction
    num_epochs: int
    scheduler: Any = None
    clip_norm: float | None = None
    repeats: bool = False
    patience: int | None = None
    validate: Validate | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    after_step: Callable[[], None] = lambda: None
    progress: Progress = field(default_factory=Progress)
    objective: Objective | None = None

    @property
    def gradients(self) -> WrittenGradients | None:
        """The gradients, where they are written out: to the bit what autograd computes, in less time.

        Chosen for each epoch, since layers may get hooks between two.
        """
        return None if self.objective is None else WrittenGradients.of(self.model, self.objective)

    @property
    def kept(self) -> nn.Module:
        """The network that is kept, which takes the best weights."""
        return self.model

    def __repr__(self) -> str:
        names = f"{type(self.kept).__name__}, {type(self.optimizer).__name__}"
        return f"TrainingLoop({names}, epoch {self.progress.epoch} of {self.num_epochs})"

    def epochs(self) -> Iterator[EpochResult]:
        """Train, and yield after each epoch; ends early when asked to stop, in the middle of an epoch too.

        Raises:
            InputError: the loss is no longer finite.
        """
        while not self._finished():
            with threads_for(self.model, self.loader.batch_size):
                self._train_epoch()
                if self._stopping():
                    return
                result = self._end_epoch()
            yield result

    def _finished(self) -> bool:
        """Whether all epochs are done, or early stopping ends the training: no better epoch within the patience."""
        progress = self.progress
        early_stopping = self.patience is not None and progress.epoch - progress.best_epoch >= self.patience
        return progress.epoch >= self.num_epochs or early_stopping

    def _train_epoch(self) -> None:
        progress, device = self.progress, next(self.model.parameters()).device
        self.model.train()
        progress.loss_sum = progress.loss_sum.to(device)
        self.loader.sampler.set_epoch(progress.epoch, progress.step * self.loader.batch_size)
        written = None if self.repeats else self.gradients
        for steps, losses in self._steps(device) if written is None else self._written_steps(written, device):
            progress.loss_sum.add_(losses)
            progress.step += steps
            self.after_step()
            if self._stopping():
                return

    def _batches(self, device: torch.device) -> Iterator[Batch]:
        """Give the batches, on the device where the model lies."""
        if device.type == "cpu":
            return iter(self.loader)  # where they are already
        return (tuple(tensor.to(device) for tensor in batch) for batch in self.loader)

    def _steps(self, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Take a step for each batch, and yield how many steps that is, and their mean losses times their rows."""
        parameters = self._learning()
        for *inputs, targets in self._batches(device):  # Step 0: the batch.
            loss: Any
            if self.repeats:  # such as LBFGS, which asks for the loss several times a step
                loss = self.optimizer.step(lambda: self._loss_and_gradients(parameters, inputs, targets))  # noqa: B023
            else:
                loss = self._loss_and_gradients(parameters, inputs, targets)
                self.optimizer.step()  # Step 5: the parameters go against their gradients.
            rows = self._rows_until(self.progress.step + 1) - self._rows_until(self.progress.step)
            yield 1, loss.detach().double() * rows

    def _written_steps(self, written: WrittenGradients, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Do the same without autograd; several small steps at once, whose losses are computed together."""
        move, at_once = self._move(), written.steps_at_once(self.loader.batch_size)
        kept: list[Tensor] = []
        true: list[Tensor] = []
        for *inputs, targets in self._batches(device):
            of_loss, gradients = written(inputs, targets)
            move(gradients)
            kept.append(of_loss)
            true.append(targets)
            if len(kept) == at_once:
                yield at_once, written.loss.total(kept, true)
                kept, true = [], []
        if kept:
            yield len(kept), written.loss.total(kept, true)

    def _learning(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _move(self) -> Callable[[list[Tensor]], None]:
        """Return what moves the parameters against their gradients."""
        parameters = self._learning()

        def step(gradients: list[Tensor]) -> None:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            if self.clip_norm is not None:
                self._clip(parameters, self.clip_norm)
            self.optimizer.step()

        return (plain_descent(self.optimizer) if self.clip_norm is None else None) or step

    def _stopping(self) -> bool:
        return bool(self.stop.signal_number)

    def _loss_and_gradients(self, parameters: list[nn.Parameter], inputs: list[Tensor], targets: Tensor) -> Any:
        for parameter in parameters:  # Step 1: no gradients. optimizer.zero_grad() takes a sixth of a small step.
            parameter.grad = None
        outputs = self.model(*inputs)  # Step 2: predictions, [batch, outputs].
        loss = self.loss_function(outputs, targets)  # Step 3: the mean loss of the batch.
        self._backward(loss)  # Step 4: backpropagation into the parameters' gradients, whose hooks it calls.
        if self.clip_norm is not None:
            self._clip(parameters, self.clip_norm)
        return loss

    def _backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def _clip(self, parameters: list[nn.Parameter], most: float) -> None:
        nn.utils.clip_grad_norm_(parameters, most)

    def _end_epoch(self) -> EpochResult:
        progress = self.progress
        loss = self._mean_loss()
        validation_loss, metrics = (None, {}) if self.validate is None else self.validate()
        if not math.isfinite(loss) or not math.isfinite(validation_loss or 0.0):
            found = loss if validation_loss is None or not math.isfinite(loss) else validation_loss
            raise InputError(f"the loss is {found} in epoch {progress.epoch + 1}; lower the learning rate")
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss if validation_loss is None else validation_loss)
        elif self.scheduler is not None:
            self.scheduler.step()
        progress.epoch += 1
        progress.step, progress.loss_sum = 0, torch.zeros_like(progress.loss_sum)
        best = validation_loss is None or validation_loss < progress.best_loss
        if best:
            progress.best_loss, progress.best_epoch = validation_loss or 0.0, progress.epoch
            progress.best_weights = self._weights()
        return EpochResult(progress.epoch, loss, validation_loss, metrics, best)

    def _weights(self) -> dict[str, Tensor]:
        """Return the weights of what would be kept now, as copies."""
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def weight_shapes(self) -> dict[str, torch.Size]:
        """Return the names and shapes of ``progress.best_weights``."""
        return {name: tensor.shape for name, tensor in self.model.state_dict().items()}

    def finished_network(self) -> nn.Module:
        """Return the network that is kept, with its best weights, on the CPU."""
        network = self.kept.cpu()
        network.load_state_dict(self._kept_state())
        return network

    def _kept_state(self) -> dict[str, Tensor]:
        return self.progress.best_weights

    def _mean_loss(self) -> float:
        """Return the mean over the rows of the epoch."""
        return float(self.progress.loss_sum) / self._rows_until(self.progress.step)

    def _rows_until(self, step: int) -> int:
        """Return how many rows the first steps of an epoch take; every batch but the last has the same size."""
        return min(step * self.loader.batch_size, self.loader.sampler.rows)
