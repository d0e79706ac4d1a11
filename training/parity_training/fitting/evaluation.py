"""The test step of the notebook: a trained network on rows that it has not seen, all of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parity_runtime import ModelContract
from parity_runtime.drift.target_profile import TargetProfile, known_of_targets
from parity_runtime.evaluation.metrics import classification_metrics
from parity_training.data.problem import ROWS_AT_ONCE, Problem
from parity_training.data.training_targets import training_targets
from parity_training.fitting.baseline_metrics import baseline_of, values_compared
from parity_training.fitting.threads import threads_for


@torch.no_grad()
def outputs_of(model: nn.Module, pieces: Iterable[Sequence[Tensor]]) -> Tensor:
    """Return what a model gives for some rows, in eval mode and without gradients, on the CPU.

    Args:
        model: on any device.
        pieces: of the rows, one at least: of each all of the model's inputs, each ``[rows, ...]``.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    outputs = []
    for inputs in pieces:
        with threads_for(model, len(inputs[0])):
            outputs.append(model(*(tensor.to(device) for tensor in inputs)).cpu())
    model.train(was_training)
    return torch.cat(outputs)


def inputs_of(problem: Problem, part: str, first: int = 0, last: int | None = None) -> Iterator[Sequence[Tensor]]:
    """Give the network's inputs for the rows of a part, piece by piece."""
    return (inputs for *inputs, _ in problem.pieces(part, ROWS_AT_ONCE, first, last))


def in_pieces(inputs: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
    """Give a network's inputs, each ``[rows, ...]``, piece by piece."""
    return zip(*(torch.split(tensor, ROWS_AT_ONCE) for tensor in inputs), strict=True)


def probabilities_of(logits: Tensor) -> NDArray[np.float32]:
    """Return float32 ``[rows, classes]`` of logits ``[rows, 1]`` (two classes) or ``[rows, classes]``."""
    found = torch.sigmoid(torch.cat([-logits, logits], 1)) if logits.shape[1] == 1 else torch.softmax(logits, 1)
    return found.numpy()


def predicted_of(logits: Tensor, logit_threshold: float | None) -> NDArray[np.int64]:
    """Return class indices, int64 ``[rows]``: by the threshold for two classes, else the largest logit."""
    return (logits[:, 0] >= (logit_threshold or 0.0) if logits.shape[1] == 1 else logits.argmax(dim=1)).long().numpy()


def metrics_of(
    problem: Problem,
    outputs: Tensor,
    part: str,
    *,
    contract: ModelContract | None = None,
    trained: Sequence[TargetProfile] | None = None,
) -> dict[str, Any]:
    """Return the metrics of a part of a problem's rows, and as ``baseline`` those of a prediction that knows nothing.

    Of rows that are split in time that is what the row before was.

    Args:
        problem: with the truth.
        outputs: of a network for these rows, float32 ``[rows, outputs]``.
        part: ``train``, ``validation`` or ``test``.
        contract: of the network, with its threshold and its objective; None for the problem's.
        trained: what `parity_training.data.training_targets.training_targets` returned; None finds it.

    Raises:
        InputError: there are no rows.
    """
    contract = contract or problem.contract
    true = problem.targets(part).numpy()
    targets = training_targets(problem, contract.objective) if trained is None else trained
    if contract.task == "regression":
        found = values_compared(contract, true, outputs.numpy())
    else:
        predicted = predicted_of(outputs, contract.logit_threshold)
        found = classification_metrics(true, predicted, probabilities_of(outputs))
    times = problem.times(part)
    order = None if times is None else np.argsort(times, kind="stable")
    baseline = baseline_of(contract, true, known_of_targets(targets, contract), order)
    return found if baseline is None else found | {"baseline": baseline}
