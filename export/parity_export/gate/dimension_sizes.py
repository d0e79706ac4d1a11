"""At which sizes of the dynamic dimensions other than the batch the module and the graph are run."""

import torch

from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract
from parity_runtime.contract import batch_name
from parity_runtime.errors import first_line

OTHER_SIZES = (1, 2, 5, 17, 8, 32, 64)
"""Sizes of dynamic dimensions other than the batch: the probes are run at the sizes of the sample, or at a size
that torch accepts, then again at the first four of these that torch accepts, at a long one, and one beyond each
integer at which the graph may cut an axis."""

LONG = 128


def other_dimensions(contract: ModelContract) -> list[str]:
    """Return the names of the dynamic dimensions but the batch, in the inputs' order."""
    batch = batch_name(contract)
    names = dict.fromkeys(size for spec in contract.inputs for size in spec.shape if isinstance(size, str))
    return [name for name in names if name != batch]


def main_sizes(source: ModelSource, names: list[str]) -> dict[str, int]:
    """Return the sizes of the main probes: the sample's, where there is one, else those of the export."""
    accepted = source.example.sizes
    sizes = {name: accepted[name] for name in names}
    batch = batch_name(source.contract)
    for spec in source.contract.inputs if source.sample is not None else ():
        others = [size for size in spec.shape if size != batch]
        found = (source.sample or {})[spec.name].shape[1:]
        sizes |= {name: size for name, size in zip(others, found, strict=True) if isinstance(name, str)}
    return sizes


def refusal(source: ModelSource, dimensions: dict[str, int]) -> str | None:
    """Return why the module itself does not take these sizes; None if it does."""
    try:
        with torch.no_grad():
            source.call(*source.example.tensors(dimensions))
    except Exception as error:  # the user's own code
        return first_line(error)
    return None
