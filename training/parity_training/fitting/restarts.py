"""Several networks that are trained at once from different first weights, and which of them are kept."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_training.networks.ensemble import Ensemble, TableEnsemble
from parity_training.networks.network_stack import NetworkStack, StateDict, stack_networks
from parity_training.settings import Combine, TrainSettings

_ELEMENT_BY_ELEMENT = (
    "ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD",
)  # fmt: skip
"""Optimizers that look at each parameter's elements alone, so that networks side by side do not mix."""


class Restarts(nn.Module):
    """Networks that are trained at once; what is kept of them is their average, or the best.

    Args:
        networks: of one kind, each with first weights of its own.
        kept: a module of the kind that is kept.
        combine: ``average`` or ``best``.

    Attributes:
        stack: the networks.
        best: which of them had the smallest validation loss when it was looked at last.
    """

    def __init__(self, networks: Sequence[nn.Module], kept: nn.Module, combine: Combine) -> None:
        super().__init__()
        self.stack: NetworkStack = stack_networks(networks)
        self._kept, self._combine, self.best = [kept], combine, 0  # in a list: its weights are not trained

    @property
    def kept(self) -> nn.Module:
        """A module that takes `kept_state`."""
        return self._kept[0]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return what each network gives, or their average.

        Returns:
            While they are trained float32 ``[batch, networks, outputs]``, as a loss takes it; else their average,
            ``[batch, outputs]``, or where the best is to be found all side by side, ``[batch, networks * outputs]``.
        """
        outputs: Tensor = self.stack(*inputs)
        each = outputs.view(len(outputs), self.stack.count, -1)
        if self.training:
            return each
        return each.mean(dim=1) if self._combine == "average" else outputs

    def kept_outputs(self, outputs: Tensor, loss_of: Callable[[Tensor], float]) -> Tensor:
        """Return what the kept network gives, ``[rows, outputs]``, of what `forward` returns in eval mode.

        Args:
            outputs: the average, ``[rows, outputs]``, or those of all networks, ``[rows, networks * outputs]``.
            loss_of: returns the loss of one network's outputs, ``[rows, outputs]``: the best has the smallest.
        """
        if self._combine == "average":
            return outputs
        each = outputs.view(len(outputs), self.stack.count, -1).unbind(1)
        self.best = min(range(len(each)), key=lambda number: loss_of(each[number]))
        found: Tensor = each[self.best]
        return found

    def snapshot(self) -> StateDict:
        """Return the weights of what would be kept now, as copies: of all networks, or of the best."""
        if self._combine == "best":
            return self.stack.member_state(self.best)
        return {name: value.clone() for name, value in self.stack.state_dict().items()}

    def snapshot_shapes(self) -> dict[str, torch.Size]:
        """Return the names and shapes of a `snapshot`."""
        module = self.kept if self._combine == "best" else self.stack
        return {name: value.shape for name, value in module.state_dict().items()}

    def kept_state(self, snapshot: StateDict) -> StateDict:
        """Return the state_dict of what is kept, from a snapshot."""
        if self._combine == "best":
            return snapshot
        assert isinstance(self.kept, Ensemble | TableEnsemble)  # noqa: S101 -- as the recipe has it
        return self.kept.combined([self.stack.member_state(number, snapshot) for number in range(self.stack.count)])


def check_restarts(settings: TrainSettings, processes: int, *, validates: bool) -> None:
    """Refuse settings that do not go with several networks at once.

    Args:
        settings: of the training.
        processes: that train together.
        validates: whether there are validation rows.

    Raises:
        InputError: says which.
    """
    if settings.restarts == 1:
        return
    said = argument("restarts", settings.restarts)
    if settings.optimizer not in _ELEMENT_BY_ELEMENT:
        raise InputError(
            f"{said} trains networks side by side, which {settings.optimizer} would mix; choose "
            f"{', '.join(_ELEMENT_BY_ELEMENT)}"
        )
    if processes > 1:
        raise InputError(f"{said} takes one process; leave out {argument('processes')}")
    if settings.combine == "best" and not validates:
        raise InputError(f"{argument('combine', 'best')} chooses by validation rows, and there are none")
