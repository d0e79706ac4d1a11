"""The network of the lecture notebook."""

from torch import Tensor, nn


class XORClassifier(nn.Module):
    """The notebook's network: one hidden layer with tanh, and a linear output that is a logit.

    Its sigmoid is left out, because the loss (BCEWithLogitsLoss) and the label are computed more precisely on
    logits; the exporter puts the sigmoid into the graph. The parameters are ``linear1.*`` and ``linear2.*``.

    >>> import torch
    >>> from parity_training import XORClassifier
    >>> XORClassifier()(torch.zeros(5, 2)).shape
    torch.Size([5, 1])

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
        """Return logits, float32 ``[batch, num_outputs]``.

        Args:
            features: float32 ``[batch, num_inputs]``.
        """
        hidden = self.activation_f1(self.linear1(features))  # [batch, num_hidden]
        logits: Tensor = self.linear2(hidden)  # [batch, num_outputs]
        return logits
