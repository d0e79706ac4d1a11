"""The training loop of several networks that are trained at once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.restarts import Restarts


@dataclass(repr=False)
class RestartsLoop(TrainingLoop):
    """A `TrainingLoop` whose networks each learn from their own loss, and of which the average or the best is kept."""

    model: Restarts

    def __post_init__(self) -> None:
        device = next(self.model.parameters()).device
        self._several = torch.tensor(float(self.model.stack.count), device=device)

    @property
    def kept(self) -> nn.Module:
        """What is kept of the networks: their average, or one of them."""
        return self.model.kept

    def _backward(self, loss: Tensor) -> None:
        loss.backward(self._several)  # type: ignore[no-untyped-call] # the loss is the mean over the networks

    def _clip(self, _parameters: list[nn.Parameter], most: float) -> None:
        self.model.stack.clip_gradients(most)

    def _weights(self) -> dict[str, Tensor]:
        return self.model.snapshot()

    def weight_shapes(self) -> dict[str, torch.Size]:
        """Return the names and shapes of ``progress.best_weights``."""
        return self.model.snapshot_shapes()

    def _kept_state(self) -> dict[str, Tensor]:
        return self.model.kept_state(self.progress.best_weights)
