"""The test step of the notebook: a trained network on rows that it has not seen, all of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parity_runtime.evaluation.metrics import classification_metrics, regression_metrics
from parity_training.data.training_data import TrainingData

ROWS_AT_ONCE = 2**12


@torch.no_grad()
def outputs_of(model: nn.Module, data: Tensor | Sequence[Tensor], rows: Tensor) -> Tensor:
    """Return what a model gives for some rows, in eval mode and without gradients, on the CPU.

    Args:
        model: on any device.
        data: float32 ``[rows, features]``, or all of the model's inputs, each ``[rows, ...]``.
        rows: int64 row numbers.
    """
    inputs = (data,) if isinstance(data, Tensor) else data
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    pieces = torch.split(rows, ROWS_AT_ONCE)
    outputs = [model(*(tensor[piece].to(device) for tensor in inputs)).cpu() for piece in pieces]
    model.train(was_training)
    return torch.cat(outputs)


def probabilities_of(logits: Tensor) -> NDArray[np.float32]:
    """Return float32 ``[rows, classes]`` of logits ``[rows, 1]`` (two classes) or ``[rows, classes]``."""
    found = torch.sigmoid(torch.cat([-logits, logits], 1)) if logits.shape[1] == 1 else torch.softmax(logits, 1)
    return found.numpy()


def predicted_of(logits: Tensor, logit_threshold: float | None) -> NDArray[np.int64]:
    """Return class indices, int64 ``[rows]``: by the threshold for two classes, else the largest logit."""
    return (logits[:, 0] >= (logit_threshold or 0.0) if logits.shape[1] == 1 else logits.argmax(dim=1)).long().numpy()


def metrics_of(training_data: TrainingData, outputs: Tensor, rows: Tensor) -> dict[str, Any]:
    """Return the metrics of a problem's rows.

    Args:
        training_data: with the truth.
        outputs: of a network for these rows, float32 ``[rows, outputs]``.
        rows: int64 row numbers.

    Raises:
        InputError: there are no rows.
    """
    true = training_data.target[rows].numpy()
    if training_data.contract.task == "regression":
        return regression_metrics(true, outputs[:, 0].numpy())
    predicted = predicted_of(outputs, training_data.contract.logit_threshold)
    return classification_metrics(true, predicted, probabilities_of(outputs))
