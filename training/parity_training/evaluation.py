"""The test step of the notebook: a trained network on rows that it has not seen."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity_runtime.metrics import classification_metrics


def evaluate_binary(model: nn.Module, data: Tensor, label: Tensor, logit_threshold: float) -> dict[str, Any]:
    """Return the metrics of a binary classifier over all rows.

    Args:
        model: returns logits ``[batch, 1]``; evaluated in eval mode, without gradients.
        data: float32 ``[rows, features]``.
        label: int64 ``[rows]``.
        logit_threshold: the logit from which on a row is positive.
    """
    model.eval()
    with torch.no_grad():
        logits = model(data)  # [rows, 1]
        probabilities = torch.sigmoid(torch.cat([-logits, logits], dim=1))  # [rows, 2]
    predicted = (logits[:, 0] >= logit_threshold).numpy().astype(np.int64)
    return classification_metrics(label.numpy(), predicted, probabilities.numpy())
