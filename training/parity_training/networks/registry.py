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
"""The networks that Parity has, by their names: ``MLP`` and ``XORClassifier``."""


def build_network(name: str, arguments: Mapping[str, Any], user_network: Network | None = None) -> nn.Module:
    """Make a network by its name, and return it with random weights.

    >>> from parity_training import build_network
    >>> type(build_network("MLP", {"num_inputs": 4, "num_outputs": 3})).__name__
    'MLP'

    Args:
        name: a name in `NETWORKS`. With ``user_network`` it may be any name, for error messages.
        arguments: the network's keyword arguments.
        user_network: a callable to call instead of the named network.

    Raises:
        FormatError: the name is unknown, or the network does not accept the arguments.
        MemoryError: the network needs more memory than there is.
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
