"""Which integers a module takes where no domain says it: the highest index that torch accepts, found by trial."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from parity_export.sources.batch_axis import row_axis
from parity_export.sources.domain_arrays import example
from parity_export.sources.input_domain import InputDomain
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import batch_name
from parity_runtime.inference.input_validation import Arrays

HIGHEST_INTEGER = 2**16  # so that integers which are no indices stay exact in float32
_HIGHEST_INDEX = 2**26  # no vocabulary is larger; what torch accepts beyond is no index
_TRIED_ROWS = 2

Range = tuple[int, int]


def integer_ranges(
    contract: ModelContract, dimensions: Mapping[str, int], accepts: Callable[[Arrays], bool]
) -> dict[str, Range]:
    """Return the lowest and highest value of each integer input.

    A domain says it. Where none does, torch refuses an index that leaves its table: the highest that it accepts is
    found by doubling and halving. An input that is no index takes any integer, negative ones too.

    Args:
        contract: of the model.
        dimensions: the size of every dynamic dimension but the batch.
        accepts: whether torch answers rows, rows first.
    """
    batch = batch_name(contract)
    rows = {spec.name: _example(spec, batch, dimensions) for spec in contract.inputs}

    def taken(spec: TensorSpec, value: int) -> bool:
        return accepts(rows | {spec.name: np.full_like(rows[spec.name], value)})

    return {
        spec.name: _said(spec, dimensions) or _integer_range(spec, taken)
        for spec in contract.inputs
        if spec.dtype.startswith(("int", "uint")) and not contract.features_of(spec.name)
    }


def _example(spec: TensorSpec, batch: str | None, dimensions: Mapping[str, int]) -> NDArray[np.generic]:
    axis = row_axis(spec, batch)
    sizes = [size for index, size in enumerate(spec.shape) if index != axis]
    shape = [_TRIED_ROWS, *(dimensions[size] if isinstance(size, str) else size for size in sizes)]
    if not spec.domain:
        return np.zeros(shape, spec.numpy_dtype)
    return example(InputDomain.of(spec), shape, dimensions, 0, spec.numpy_dtype)


def _said(spec: TensorSpec, dimensions: Mapping[str, int]) -> Range | None:
    """Return the range that a domain says; an end that it leaves open is as far away as that of any integer."""
    if not spec.domain:
        return None
    low, high = InputDomain.of(spec).integer_ends(dimensions)
    limits = np.iinfo(spec.dtype)
    if low is None and high is None:
        return max(int(limits.min), -HIGHEST_INTEGER), min(int(limits.max), HIGHEST_INTEGER)
    first = low if low is not None else max(int(limits.min), (high or 0) - HIGHEST_INTEGER)
    return first, high if high is not None else min(int(limits.max), first + HIGHEST_INTEGER)


def _integer_range(spec: TensorSpec, taken: Callable[[TensorSpec, int], bool]) -> Range:
    limits = np.iinfo(spec.dtype)
    ceiling = min(_HIGHEST_INDEX, int(limits.max))
    if taken(spec, ceiling):
        highest = min(HIGHEST_INTEGER, ceiling)
        negative = limits.min < 0 and taken(spec, -1)
        return (max(int(limits.min), -highest) if negative else 0), highest
    accepted, refused = 0, ceiling
    while refused - accepted > 1:
        middle = (accepted + refused) // 2
        accepted, refused = (middle, refused) if taken(spec, middle) else (accepted, middle)
    return 0, accepted
