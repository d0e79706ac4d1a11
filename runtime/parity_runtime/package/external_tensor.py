"""A tensor of an ONNX model whose data lie in another file, as the model describes it."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from math import prod

from parity_runtime.package.weights_file import DTYPES, WEIGHTS
from parity_runtime.printable import shown

_NUMBER = re.compile("0|[1-9][0-9]{0,15}")
_KEYS = {"location", "offset", "length"}
MOST_DIMS = 64
"""Of a tensor in weights.bin; numpy has no more."""


@dataclass(frozen=True, slots=True)
class ExternalTensor:
    """An initializer of the main graph whose data lie in weights.bin.

    Attributes:
        name: of the initializer.
        dtype: its ``TensorProto.data_type``, one of `DTYPES`.
        dims: its shape.
        location: the file's name, beside the model.
        offset: where its data begin, in bytes.
        length: of its data, in bytes.
    """

    name: str
    dtype: int
    dims: tuple[int, ...]
    location: str
    offset: int
    length: int


class OutsideError(Exception):
    """A tensor's data lie outside the file, where no package has them; the text says which tensor."""


def external_tensor(
    name: str, dtype: int, dims: Sequence[int], entries: Sequence[tuple[str, str]], known: Container[str]
) -> ExternalTensor:
    """Return what a TensorProto of the main graph says of its data in weights.bin.

    Args:
        name: of the tensor.
        dtype: its ``data_type``.
        dims: its ``dims``.
        entries: its ``external_data``, keys and values.
        known: the tensors that are handed over beside the model.

    Raises:
        OutsideError: it lies in another file, or is none of ``known``.
        ValueError: what it says is no offset or length, or does not fit its shape.
    """
    values = dict(entries)
    if values.get("location") != WEIGHTS:
        raise OutsideError(f"the tensor {shown(name)} in {shown(values.get('location', ''))}")
    if name not in known:
        raise OutsideError(f"the tensor {shown(name)} in {WEIGHTS}, which was not passed,")
    numbers = [values.get("offset", "0"), values.get("length", "")]
    if len(entries) != len(values) or not set(values) <= _KEYS or not all(map(_NUMBER.fullmatch, numbers)):
        raise ValueError(f"the tensor {shown(name)} says {shown(values)} of its data")
    offset, length = map(int, numbers)
    if dtype not in DTYPES:
        raise ValueError(f"the tensor {shown(name)} has the data type {dtype}, which cannot lie in {WEIGHTS}")
    if len(dims) > MOST_DIMS or length != prod(dims) * DTYPES[dtype].itemsize:
        raise ValueError(f"the tensor {shown(name)} of the shape {shown(list(dims))} says that it has {length} bytes")
    return ExternalTensor(name, dtype, tuple(dims), WEIGHTS, offset, length)
