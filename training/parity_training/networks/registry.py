"""The networks that a run can name. A recipe resolves names here and nowhere else."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from parity_runtime import FormatError
from parity_runtime.arguments import did_you_mean, either
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.printable import shown
from parity_training.networks.mlp import MLP
from parity_training.networks.xor_classifier import XORClassifier

Network = Callable[..., nn.Module]

NETWORKS: dict[str, Network] = {"MLP": MLP, "XORClassifier": XORClassifier}
"""Every network by the name that a recipe uses."""


def build_network(name: str, arguments: Mapping[str, Any], user_network: Network | None = None) -> nn.Module:
    """Return a network by its name, its weights not yet loaded.

    >>> from parity_training import build_network
    >>> type(build_network("MLP", {"num_inputs": 4, "num_outputs": 3})).__name__
    'MLP'

    Args:
        name: one of `NETWORKS`, or whatever ``user_network`` is called.
        arguments: keyword arguments.
        user_network: a callable that a person handed in; it is called in place of the named network.

    Raises:
        FormatError: the name is unknown, or the network does not take the arguments.
        MemoryError: it takes more than there is.
    """
    if user_network is None and name not in NETWORKS:
        handed_in = f"; give it with {either('user_network', f'--network {name}')}"
        way_out = handed_in if ":" in name else did_you_mean(name, NETWORKS)
        raise FormatError(f"unknown network {shown(name)}; known are {', '.join(sorted(NETWORKS))}{way_out}")
    try:
        return (user_network or NETWORKS[name])(**arguments)
    except Exception as error:  # torch's, of every kind, and the user's own code
        if out_of_memory(error):
            raise MemoryError(f"the network {name} takes too much memory ({first_line(error)})") from error
        raise FormatError(f"the network {name} does not take {shown(dict(arguments))}: {first_line(error)}") from error
