"""What Triton asks a model before it says that the model is ready: rows of the package's test vectors."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.verification.test_vectors import OrdinaryVectors

WARM_UP_FOLDER = "warmup"
"""Where Triton looks for the data, in the model's folder."""

_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class WarmUpTensor:
    """One input of a sample.

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


@dataclass(frozen=True, slots=True)
class WarmUpSample:
    """One request.

    Attributes:
        name: for Triton's log.
        tensors: every input.
    """

    name: str
    tensors: tuple[WarmUpTensor, ...]


def warm_up_samples(contract: ModelContract, vectors: OrdinaryVectors) -> list[WarmUpSample]:
    """Return the first rows of the ordinary test vectors, a sample each; the whole batch where rows hang together.

    Args:
        contract: of the model.
        vectors: of its package.
    """
    if why_not_merged(contract) is not None:
        return [_sample("test_vectors", contract, vectors.inputs, batch=False)]
    rows = len(vectors.inputs[contract.inputs[0].name])
    return [
        _sample(
            f"test_vector_{row + 1}",
            contract,
            {name: array[row : row + 1] for name, array in vectors.inputs.items()},
            batch=True,
        )
        for row in range(min(rows, _MOST_ROWS))
    ]


def _sample(name: str, contract: ModelContract, arrays: dict[str, NDArray[Any]], *, batch: bool) -> WarmUpSample:
    tensors = []
    for index, spec in enumerate(contract.inputs):
        array = arrays[spec.name]
        dims = array.shape[1:] if batch else array.shape
        tensors.append(WarmUpTensor(spec.name, spec.dtype, dims or (1,), f"{name}.input_{index}", tensor_bytes(array)))
    return WarmUpSample(name, tuple(tensors))


def tensor_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as Triton reads it.

    >>> import numpy as np
    >>> tensor_bytes(np.array(["Oslo", ""], object)), tensor_bytes(np.array([1], np.int16))
    (b'\\x04\\x00\\x00\\x00Oslo\\x00\\x00\\x00\\x00', b'\\x01\\x00')
    """
    if array.dtype.kind not in "OU":
        return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes()
    texts = [text.encode() for text in array.reshape(-1).tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
