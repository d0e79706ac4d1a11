"""Tensors that are one in the module under several names, as the embedding and the head of a language model."""

from pathlib import Path

import torch
from torch import Tensor

from parity_runtime import InputError
from parity_runtime.printable import shown
from parity_training.weights.weights_file import StateDict


def tied_tensors(expected: StateDict, taken: StateDict) -> dict[str, str]:
    """Return which missing tensors are, in the module, the same memory as one that was found: GPT-2's lm_head.

    Files of safetensors hold such a tensor once.
    """
    found: dict[tuple[object, ...], str] = {}
    for name in taken:
        found.setdefault(_memory(expected[name]), name)
    memories = {name: _memory(tensor) for name, tensor in expected.items() if name not in taken and tensor.numel()}
    return {name: found[memory] for name, memory in memories.items() if memory in found}


def _memory(tensor: Tensor) -> tuple[object, ...]:
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def refuse_untied(taken: StateDict, expected: StateDict, path: Path) -> None:
    """Refuse different values for tensors that the module ties: the last one would be taken for all.

    Raises:
        InputError: names two of them.
    """
    first: dict[tuple[object, ...], str] = {}
    for name, tensor in taken.items():
        if not tensor.numel():
            continue
        other = first.setdefault(_memory(expected[name]), name)
        if other != name and not torch.equal(tensor, taken[other]):
            raise InputError(
                f"{path}: {shown(other)} and {shown(name)} differ, and the network has one tensor for both; is "
                "it another network's?"
            )
