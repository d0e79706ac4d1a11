"""The multilayer perceptron that tables are trained with."""

from collections.abc import Sequence

from torch import Tensor, nn

from parity_runtime.arguments import did_you_mean
from parity_runtime.printable import shown

MOST_LAYERS = 1000
"""Hidden layers of an MLP; one takes some 10 kB beside its weights."""


class MLP(nn.Module):
    """A multilayer perceptron: each hidden layer is a linear map, optional batch normalization, activation, dropout.

    >>> from parity_training import MLP
    >>> MLP(4, 3, hidden=[8], activation="Tanh")
    MLP(
      (layers): Sequential(
        (0): Linear(in_features=4, out_features=8, bias=True)
        (1): Tanh()
        (2): Linear(in_features=8, out_features=3, bias=True)
      )
    )

    Args:
        num_inputs: the number of features.
        num_outputs: the number of logits or values.
        hidden: the number of neurons in each hidden layer; a single number makes one layer.
        activation: the name of a module of torch.nn (ReLU, Tanh, GELU, ...).
        dropout: the probability that a neuron is dropped in training.
        batch_norm: whether to normalize each hidden layer over the batch.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden: int | Sequence[int] = (100,),
        activation: str = "ReLU",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        hidden = (hidden,) if isinstance(hidden, int) else hidden
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
        """Return logits or values, float32 ``[batch, num_outputs]``.

        Args:
            features: float32 ``[batch, num_inputs]``.
        """
        output: Tensor = self.layers(features)
        return output


def _activation(name: str) -> nn.Module:
    kind = getattr(nn.modules.activation, name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        known = [other for other, value in vars(nn.modules.activation).items() if isinstance(value, type)]
        hint = did_you_mean(name, known)
        raise ValueError(f"torch.nn has no activation {shown(name)}{hint}")  # noqa: TRY004 -- it is the name
    module: nn.Module = kind()
    return module
