"""The networks that a run can name. A recipe resolves names here and nowhere else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from parity_runtime import FormatError
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.printable import shown


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


MOST_LAYERS = 1000
"""Hidden layers of an MLP; one takes some 10 kB beside its weights."""


class MLP(nn.Module):
    """A multilayer perceptron: per hidden layer a linear map, batch normalization if asked for, activation, dropout.

    Args:
        num_inputs: features of a row.
        num_outputs: logits or values of a row.
        hidden: neurons of each hidden layer.
        activation: a module of torch.nn by name (ReLU, Tanh, GELU, ...).
        dropout: the probability with which a neuron is silenced in training.
        batch_norm: whether to normalize each hidden layer over the batch.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden: Sequence[int] = (100,),
        activation: str = "ReLU",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        if not all(width > 0 for width in hidden):
            raise ValueError(f"hidden is {shown(list(hidden))}; every layer has at least one neuron")
        if len(hidden) > MOST_LAYERS:
            raise ValueError(f"hidden has {len(hidden)} layers; an MLP has {MOST_LAYERS} at most")
        layers: list[nn.Module] = []
        for width in hidden:
            layers.append(nn.Linear(num_inputs, width))
            layers += [nn.BatchNorm1d(width)] * batch_norm
            layers.append(_activation(activation))
            layers += [nn.Dropout(dropout)] * (dropout > 0)
            num_inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(num_inputs, num_outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Return float32 ``[batch, num_outputs]`` of ``features``, float32 ``[batch, num_inputs]``."""
        output: Tensor = self.layers(features)
        return output


def _activation(name: str) -> nn.Module:
    kind = getattr(nn.modules.activation, name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(f"torch.nn has no activation {name!r}")  # noqa: TRY004 -- the name is wrong, not its type
    module: nn.Module = kind()
    return module


Network = Callable[..., nn.Module]

NETWORKS: dict[str, Network] = {"MLP": MLP, "XORClassifier": XORClassifier}
"""Every network by the name that a recipe uses."""


def build_network(name: str, arguments: Mapping[str, Any], foreign: Network | None = None) -> nn.Module:
    """Build a network by its name, its weights not yet loaded.

    Args:
        name: one of `NETWORKS`, or whatever ``foreign`` is called.
        arguments: keyword arguments.
        foreign: a callable that a person handed in; it is called in place of the named network.

    Raises:
        FormatError: the name is unknown, or the network does not take the arguments.
        MemoryError: it takes more than there is.
    """
    if foreign is None and name not in NETWORKS:
        way_out = f"; hand it in with --network {name}" if ":" in name else ""
        raise FormatError(f"unknown network {shown(name)}; known are {', '.join(sorted(NETWORKS))}{way_out}")
    try:
        return (foreign or NETWORKS[name])(**arguments)
    except Exception as error:  # torch's, of every kind, and the user's own code
        if out_of_memory(error):
            raise MemoryError(f"the network {name} takes too much ({first_line(error)})") from error
        raise FormatError(f"the network {name} does not take {shown(dict(arguments))}: {first_line(error)}") from error
