"""Networks that answer together: the mean of what each of them returns."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity_training.networks.network_stack import StateDict
from parity_training.networks.table_network import TableNetwork


class Ensemble(nn.Module):
    """The mean of the outputs of networks of one kind.

    >>> import torch
    >>> from parity_training import XORClassifier
    >>> from parity_training.networks.ensemble import Ensemble
    >>> Ensemble([XORClassifier() for _ in range(3)])(torch.zeros(5, 2)).shape
    torch.Size([5, 1])

    Args:
        networks: one or more.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return logits or values, float32 ``[batch, outputs]``."""
        return _mean([network(*inputs) for network in self.networks])

    def combined(self, states: Sequence[StateDict]) -> StateDict:
        """Return the state_dict of the whole, from those of its networks."""
        return {
            f"networks.{number}.{name}": value for number, state in enumerate(states) for name, value in state.items()
        }


class TableEnsemble(TableNetwork):
    """`TableNetwork` whose answer is the mean over several bodies, each with embeddings of its own.

    The mean is of logits, or of values in the target's unit: of rates, not of their logarithms.

    Preprocessing is the same for all, and computed once.

    Args:
        bodies: as `TableNetwork` takes one.
        told: all other arguments of `TableNetwork`.
    """

    def __init__(self, bodies: Sequence[nn.Module], **told: Any) -> None:
        super().__init__(nn.ModuleList(bodies), **told)
        learned = {name: table for name, table in self.tables.items() if isinstance(table, nn.Embedding)}
        self.embeddings = nn.ModuleList(
            nn.ModuleDict({name: _like(table) for name, table in learned.items()}) for _ in bodies
        )
        for name in learned:
            self.tables[name] = nn.Identity()  # the indices, which each body looks up in its own table

    def forward(self, features: Tensor | None = None, indices: Tensor | None = None) -> Tensor:
        """Return logits or values, float32 ``[batch, outputs]``; arguments as of `TableNetwork`."""
        parts = self.parts(features, indices)
        first = len(parts) - len(self.tables)
        names = [None] * first + list(self.tables)
        values = []
        for body, tables in zip(self.body, self.embeddings, strict=True):  # type: ignore[call-overload]
            own = [tables[name](part) if name in tables else part for name, part in zip(names, parts, strict=True)]
            values.append(self.target(body(own[0] if len(own) == 1 else torch.cat(own, 1))))
        return _mean(values)

    def combined(self, states: Sequence[StateDict]) -> StateDict:
        """Return the state_dict of the whole, from those of a `TableNetwork` for each body."""
        found: dict[str, Tensor] = {}
        for number, state in enumerate(states):
            for name, value in state.items():
                found[_renamed(name, number, self.embeddings[number])] = value
        return found


def _renamed(name: str, number: int, embeddings: Mapping[str, Any] | nn.Module) -> str:
    """Return where a tensor of one network stands in the ensemble's state_dict."""
    kind, _, rest = name.partition(".")
    if kind == "body":
        return f"body.{number}.{rest}"
    if kind == "tables" and rest.partition(".")[0] in embeddings:  # type: ignore[operator]
        return f"embeddings.{number}.{rest}"
    return name


def _like(table: nn.Embedding) -> nn.Embedding:
    return nn.Embedding(table.num_embeddings, table.embedding_dim)


def _mean(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)
