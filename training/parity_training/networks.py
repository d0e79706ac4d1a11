"""The networks that a run can name. A recipe resolves names here and nowhere else."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from parity_runtime import FormatError


class XORClassifier(nn.Module):
    """The notebook's network: one hidden layer with tanh, and a linear output that is a logit.

    Its sigmoid is left out, because the loss (BCEWithLogitsLoss) and the label are computed more precisely on
    logits; the exporter puts the sigmoid into the graph. The parameters are ``linear1.*`` and ``linear2.*``.

    Args:
        num_inputs: features of a row.
        num_hidden: neurons of the hidden layer.
        num_outputs: logits of a row; 1 for two classes.
    """

    def __init__(self, num_inputs: int = 2, num_hidden: int = 4, num_outputs: int = 1) -> None:
        super().__init__()
        self.linear1 = nn.Linear(num_inputs, num_hidden)
        self.activation_f1 = nn.Tanh()
        self.linear2 = nn.Linear(num_hidden, num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, float32 ``[batch, num_outputs]``, of ``features``, float32 ``[batch, num_inputs]``."""
        hidden = self.activation_f1(self.linear1(features))  # [batch, num_hidden]
        logits: Tensor = self.linear2(hidden)  # [batch, num_outputs]
        return logits


NETWORKS: dict[str, Callable[..., nn.Module]] = {"XORClassifier": XORClassifier}
"""Every network by the name that a recipe uses."""


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network by its name, in eval mode, its weights not yet loaded.

    Raises:
        FormatError: the name is unknown, or the network does not take the arguments.
    """
    if name not in NETWORKS:
        raise FormatError(f"unknown network {name!r}; known are {', '.join(sorted(NETWORKS))}")
    try:
        with torch.random.fork_rng(devices=[]):
            return NETWORKS[name](**arguments).eval()
    except (TypeError, ValueError, RuntimeError) as error:
        raise FormatError(f"the network {name} does not take {dict(arguments)!r}: {error}") from error
