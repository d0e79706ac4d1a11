"""Whether a module whose logits decide something returns what it was declared to return, by its outputs."""

import numpy as np
import torch
from numpy.typing import NDArray

from parity_export.gate.batching import Batches
from parity_export.gate.probes import Probes
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import counted

_SUM_TOLERANCE = 1e-4  # a float32 softmax over thousands of classes sums to 1 within that
_FEW = 64  # sequences: the logits over a vocabulary are many, and all alike in this
_SPREAD = 0.5  # logits that never leave [0, 1] while they fill half of it would call every row positive


def check_output_spec(source: ModelSource, probes: Probes) -> None:
    """Refuse a module whose outputs contradict its declaration.

    Probabilities must lie in [0, 1] and, where one of several classes is chosen, sum to 1. Logits must not: several
    outputs in [0, 1] that all sum to 1, or others that fill half of [0, 1] and never leave it.

    Raises:
        InputError: says what was found and which declaration fits.
    """
    if source.contract.decision is None:
        return
    values = _returned(source, probes)
    finite = values[np.isfinite(values).all(axis=-1)]
    chooses = source.contract.task != "multilabel" and values.shape[-1] > 1
    if source.module_output == "probabilities":
        _check_probabilities(source, finite, chooses=chooses)
    elif _look_like_probabilities(finite, chooses=chooses):
        way_out = f"say so with {argument('output', _called(source, 'probabilities'))}"
        if source.contract.task == "language_model":
            way_out = f"return what they are made of: {argument('task', source.contract.task)} takes logits"
        raise InputError(
            f"the module's outputs over {counted(len(values), 'row')} are probabilities (within [0, 1]), not logits; "
            + way_out
        )


def _returned(source: ModelSource, probes: Probes) -> NDArray[np.float32]:
    if source.contract.task == "language_model":
        probes = probes.take(np.arange(min(len(probes), _FEW)))
    call = Batches(source.contract).call(probes.inputs, np.arange(len(probes)))
    with torch.no_grad():
        returned = source.call(*map(torch.from_numpy, source.arrays(call)))
    columns: NDArray[np.float32] = (returned[:, None] if returned.ndim == 1 else returned).numpy()
    return columns


def _check_probabilities(source: ModelSource, values: NDArray[np.float32], *, chooses: bool) -> None:
    if values.size and (values.min() < 0 or values.max() > 1):
        outside = values.min() if values.min() < 0 else values.max()
        raise InputError(
            f"the module was declared to return probabilities, but it returned {outside:.4g}; "
            f"say so with {argument('output', _called(source, 'logits'))}"
        )
    if chooses and not _sum_to_one(values):
        raise InputError("the module was declared to return probabilities, but its rows do not sum to 1; "
                         f"leave them without a meaning: {argument('task', 'tensors')}")  # fmt: skip


def _called(source: ModelSource, meaning: str) -> str:
    """Return how an option says what the one output is: of a file with several, which one."""
    return meaning if source.adopted is None else f"{source.adopted.graph.output[0].name}={meaning}"


def _look_like_probabilities(values: NDArray[np.float32], *, chooses: bool) -> bool:
    if values.size == 0 or values.min() < 0 or values.max() > 1:
        return False
    if chooses:
        return _sum_to_one(values)
    return bool(values.max() - values.min() > _SPREAD)


def _sum_to_one(values: NDArray[np.float32]) -> bool:
    return bool((np.abs(values.sum(axis=-1) - 1) < _SUM_TOLERANCE).all())
