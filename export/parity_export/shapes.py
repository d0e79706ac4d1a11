"""Which axes of what a module returns count rows, found by asking torch at two batch sizes."""

import torch
from torch import nn

from parity_export.batching import batch_name
from parity_export.reference import flatten
from parity_export.source import example_inputs, zeros
from parity_runtime import ModelContract

_MORE_ROWS = 3


def returned_shapes(module: nn.Module, contract: ModelContract) -> list[tuple[str, tuple[int | str, ...]]]:
    """Return the dtype and the shape of each tensor that a module returns.

    An axis that grows with the batch has the batch's name; other axes that may change are ``dim0``, ``dim1``, ...

    Args:
        module: on the CPU, in eval mode.
        contract: names the inputs.
    """
    batch, example = batch_name(contract), example_inputs(module, contract.inputs)
    sizes = {
        name: size
        for spec, tensor in zip(contract.inputs, example, strict=True)
        for name, size in zip(spec.shape, tensor.shape, strict=True)
        if isinstance(name, str)
    }
    more = {} if batch is None else {batch: sizes[batch] + _MORE_ROWS}
    with torch.no_grad():
        few, many = (flatten(module(*zeros(contract.inputs, 2, sizes | extra))) for extra in ({}, more))
    dynamic = any(name != batch for name in sizes)
    return [
        (
            str(one.dtype).removeprefix("torch."),
            tuple(
                batch if batch is not None and size != other else f"dim{axis}" if dynamic else size
                for axis, (size, other) in enumerate(zip(one.shape, two.shape, strict=True))
            ),
        )
        for one, two in zip(few, many, strict=True)
    ]
