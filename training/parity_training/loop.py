"""The training loop, explicit as in the notebook."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Batches = Iterable[tuple[Tensor, Tensor]]
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one pass over the training data gave.

    Attributes:
        epoch: counted from 1.
        loss: mean loss over the rows, in the loss function's unit.
        accuracy: the fraction of rows on the right side, measured while training.
    """

    epoch: int
    loss: float
    accuracy: float


def train_epochs(
    model: nn.Module,
    loader: Batches,
    optimizer: torch.optim.Optimizer,
    loss_function: LossFunction,
    num_epochs: int,
) -> Iterator[EpochResult]:
    """Train a binary classifier that returns logits; yield after each epoch.

    Args:
        model: returns logits ``[batch, 1]``; trained in place, on the device where it lies.
        loader: gives ``(features, labels)`` batches, float32 ``[batch, features]`` and int64 ``[batch]``.
        optimizer: over the model's parameters.
        loss_function: mean loss of logits ``[batch]`` and labels as floats ``[batch]``.
        num_epochs: passes over the data.
    """
    device = next(model.parameters()).device
    for epoch in range(1, num_epochs + 1):
        model.train()
        loss_sum, right, rows = torch.zeros((), device=device), torch.zeros((), device=device), 0
        for features, labels in loader:
            features, labels = features.to(device), labels.to(device)  # noqa: PLW2901 -- the notebook's step 0
            optimizer.zero_grad()
            logits = model(features).squeeze(dim=1)  # [batch]
            loss = loss_function(logits, labels.float())
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss_sum += loss.detach() * len(labels)
            right += ((logits.detach() >= 0) == labels.bool()).sum()
            rows += len(labels)
        yield EpochResult(epoch, float(loss_sum) / rows, float(right) / rows)
