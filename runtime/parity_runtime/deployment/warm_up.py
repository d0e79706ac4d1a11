"""What Triton asks a model before it says that the model is ready: test vectors of the package."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.verification.test_vectors import OrdinaryVectors

WARM_UP_FOLDER = "warmup"
"""Where Triton looks for the data, in the model's folder."""


@dataclass(frozen=True, slots=True)
class WarmUpTensor:
    """One input of a request.

    Attributes:
        name: of the input.
        dtype: of the contract.
        dims: its shape, without the batch where requests are merged.
        file: in `WARM_UP_FOLDER`.
        data: little-endian, row-major; of text each with four bytes in front of it that say how long it is.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    file: str
    data: bytes = field(repr=False)


def warm_up_tensors(contract: ModelContract, vectors: OrdinaryVectors) -> list[WarmUpTensor]:
    """Return the inputs of one request: the first row of the ordinary test vectors, or all where rows hang together.

    Args:
        contract: of the model.
        vectors: of its package.
    """
    merged = why_not_merged(contract) is None
    tensors = []
    for index, spec in enumerate(contract.inputs):
        array = vectors.inputs[spec.name]
        row = array[0] if merged else array
        data = tensor_bytes(np.asarray(row, array.dtype))
        tensors.append(WarmUpTensor(spec.name, spec.dtype, np.shape(row) or (1,), f"input_{index}", data))
    return tensors


def tensor_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as Triton reads it.

    >>> import numpy as np
    >>> tensor_bytes(np.array(["Oslo", ""], object)).hex(" ", 4), tensor_bytes(np.array([1], np.int16)).hex()
    ('04000000 4f736c6f 00000000', '0100')
    """
    if array.dtype.kind not in "OU":
        return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
    texts = [text.encode() for text in array.reshape(-1).tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
