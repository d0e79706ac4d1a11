"""Outputs, as the answer of an inference: JSON, and behind it the tensors that a client wants in binary."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from parity_runtime.serving.datatypes import BYTES, NUMPY_DTYPES, datatype_of

_LONGEST = 32  # bytes of a text that is copied with what fills it up
_LENGTH = 4  # bytes in front of a text that say how long it is, little-endian


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """The body of an answer.

    Attributes:
        body: JSON, and behind it what comes in binary.
        header_length: how many bytes of it are JSON; None if all.
    """

    body: bytes
    header_length: int | None


class TextOutput:
    """Texts of a vocabulary, encoded once; a row takes its own by an index.

    Args:
        texts: the vocabulary.
    """

    def __init__(self, texts: list[str]) -> None:
        self._texts = np.array(texts, object)
        encoded = [_counted(text) for text in texts]
        self._encoded = np.array(encoded, object)
        widths = set(map(len, encoded))
        self._equally_wide: NDArray[Any] | None = (
            np.frombuffer(b"".join(encoded), f"V{widths.pop()}") if len(widths) == 1 else None
        )
        self._json = _spelled(texts)

    def json(self, indices: NDArray[Any]) -> "list[str] | orjson.Fragment":
        """Return the texts of indices of any shape, flat."""
        if self._json is None:
            found: list[str] = self._texts[indices.reshape(-1)].tolist()
            return found
        joined = self._json[indices.reshape(-1)].tobytes().replace(b"\0", b"")  # JSON spells the character otherwise
        return orjson.Fragment(b"[" + joined[:-1] + b"]")

    def binary(self, indices: NDArray[Any]) -> bytes:
        """Return the same in the binary extension's form."""
        if self._equally_wide is not None:
            return self._equally_wide.take(indices.reshape(-1)).tobytes()
        return b"".join(self._encoded[indices.reshape(-1)].tolist())


def _spelled(texts: list[str]) -> "NDArray[Any] | None":
    """Return texts as JSON has them, a comma behind each, in as many bytes as the longest; None where it is long."""
    try:
        spelled = [orjson.dumps(text) + b"," for text in texts]
    except TypeError:  # half a pair of surrogates is no text to JSON
        return None
    return np.array(spelled) if spelled and max(map(len, spelled)) <= _LONGEST else None


def encode_answer(
    head: dict[str, Any], outputs: dict[str, NDArray[Any]], binary: dict[str, bool], texts: dict[str, TextOutput]
) -> InferAnswer:
    """Return the body of an answer.

    Floats are spelled as short as they read back to the same bits in their own datatype; what is not finite is null.

    Args:
        head: what stands in front of the outputs.
        outputs: by name, in their order; of a text its indices.
        binary: whether each comes in binary.
        texts: the vocabulary of each output of text that is given by indices.
    """
    tensors, parts = [], []
    for name, array in outputs.items():
        vocabulary = texts.get(name)
        datatype = BYTES if vocabulary else datatype_of(array.dtype)
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": array.shape}
        if binary[name]:
            part = vocabulary.binary(array) if vocabulary else _binary(array, datatype)
            tensor["parameters"] = {"binary_data_size": len(part)}
            parts.append(part)
        else:
            tensor["data"] = vocabulary.json(array) if vocabulary else _json(array)
        tensors.append(tensor)
    text = orjson.dumps({**head, "outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY)
    return InferAnswer(b"".join([text, *parts]), len(text)) if parts else InferAnswer(text, None)


def _json(array: NDArray[Any]) -> Any:
    if array.dtype.kind in "OU":
        return array.reshape(-1).tolist()
    return np.ascontiguousarray(array.reshape(-1))


def _binary(array: NDArray[Any], datatype: str) -> bytes:
    if datatype == BYTES:
        return b"".join(map(_counted, array.reshape(-1).tolist()))
    return array.astype(NUMPY_DTYPES[datatype], copy=False).tobytes()


def _counted(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(_LENGTH, "little") + encoded
