"""Several networks of one kind that are trained at once: their products are one batched product.

Values between layers are the networks' side by side, ``[batch, networks * numbers]``. Parameters have the names of one
network's, one network's behind the other's along the first axis, so that each learns as it would alone: every optimizer
that takes parameters element by element takes the same steps.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from parity_training.networks.stacked_layers import stacked, stacked_table
from parity_training.networks.table_network import TableNetwork

StateDict = dict[str, Tensor]


class NetworkStack(nn.Module):
    """Networks that are trained at once.

    >>> from parity_training import MLP
    >>> from parity_training.networks.network_stack import stack_networks
    >>> import torch
    >>> stack_networks([MLP(4, 3) for _ in range(5)])(torch.zeros(8, 4)).shape
    torch.Size([8, 15])

    Attributes:
        count: how many there are.
    """

    count: int

    def member_state(self, number: int, state: Mapping[str, Tensor] | None = None) -> StateDict:
        """Return the state_dict of one of the networks, as copies.

        Args:
            number: of the network, from 0.
            state: a state_dict of the stack; None takes what it holds.
        """
        raise NotImplementedError

    def clip_gradients(self, most: float) -> None:
        """Shrink the gradients of each network whose norm, of all of its parameters together, is larger."""
        raise NotImplementedError


class SideBySide(NetworkStack):
    """Networks of any kind, asked one after the other."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.count = len(networks)
        self.networks = nn.ModuleList(networks)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return float32 ``[batch, networks * outputs]``."""
        return torch.cat([network(*inputs) for network in self.networks], dim=1)

    def member_state(self, number: int, state: Mapping[str, Tensor] | None = None) -> StateDict:
        """Return the state_dict of one of the networks, as copies."""
        whole, prefix = self.state_dict() if state is None else state, f"networks.{number}."
        names = self.networks[number].state_dict()
        return {name: whole[prefix + name].clone() for name in names}

    def clip_gradients(self, most: float) -> None:
        """Shrink the gradients of each network whose norm is larger."""
        for network in self.networks:
            nn.utils.clip_grad_norm_(network.parameters(), most)


class BatchedNetworks(NetworkStack):
    """Networks whose layers are stacked, each with one batched product.

    Args:
        networks: of one kind.

    Raises:
        TypeError: they have a layer that cannot be stacked.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.count = len(networks)
        first = networks[0]
        tables = [network for network in networks if isinstance(network, TableNetwork)]
        self.network = stacked_table(tables) if tables else stacked(networks)
        self._shapes = {name: value.shape for name, value in first.state_dict().items()}
        state = self.network.state_dict()
        if state.keys() != self._shapes.keys() or _shares_parameters(first):
            raise TypeError(f"{type(first).__name__} holds parameters that are not stacked")
        self._shared = {name for name, shape in self._shapes.items() if state[name].shape == shape}

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return float32 ``[batch, networks * outputs]``."""
        outputs: Tensor = self.network(*inputs)
        return outputs

    def member_state(self, number: int, state: Mapping[str, Tensor] | None = None) -> StateDict:
        """Return the state_dict of one of the networks, as copies."""
        whole = self.state_dict() if state is None else state
        named = ((name, whole[f"network.{name}"], shape) for name, shape in self._shapes.items())
        return {
            name: (value if name in self._shared else value.view(self.count, *shape)[number]).clone()
            for name, value, shape in named
        }

    @torch.no_grad()
    def clip_gradients(self, most: float) -> None:
        """Shrink the gradients of each network whose norm is larger."""
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        of_each = [gradient.view(self.count, -1) for gradient in gradients]
        norms = torch.stack([gradient.norm(dim=1) for gradient in of_each]).norm(dim=0)
        factors = (most / (norms + 1e-6)).clamp(max=1)  # as torch's clip_grad_norm_ has it
        for gradient in of_each:
            gradient.mul_(factors[:, None])


def stack_networks(networks: Sequence[nn.Module]) -> NetworkStack:
    """Return networks as one that trains them at once: by batched products where their layers are known."""
    try:
        return BatchedNetworks(networks)
    except TypeError:
        return SideBySide(networks)


def _shares_parameters(network: nn.Module) -> bool:
    """Whether a parameter has two names: as one tensor it would learn from both."""
    return len(list(network.named_parameters(remove_duplicate=False))) > len(list(network.parameters()))
