"""Which bodies are answered in the event loop: those that surely hold up nobody for longer than a thread would cost."""

from collections.abc import Callable
from math import prod
from time import perf_counter
from typing import Any

import numpy as np
import orjson

from parity_runtime.contract import ModelContract, batch_name, is_encoded
from parity_runtime.serving.datatypes import DATATYPES
from parity_runtime.serving.infer_answer import InferAnswer
from parity_runtime.serving.request_error import RequestError

LARGEST = 2**17
"""Bytes of a body that may be answered in the event loop."""

SMALL = 2**13
"""Bytes of JSON that are read soon enough whatever they hold."""

_QUICK = 1e-3  # seconds
_MOST_OBJECTS = 64  # of a larger one; each tensor is one, and is looked at for some microseconds
_AROUND = 2**9  # bytes, or commas, around the cells of a few tensors
_STEP = 4  # times as many rows, until they take too long
_DAY = 86400.0  # seconds
_TEXT = b"\x01\0\0\x000"  # "0" of the binary extension, behind its length


class QuickBodies:
    """Measures once how many rows a model answers within `_QUICK`, reading and writing included.

    Args:
        contract: of the model.
        max_rows: the largest batch.
        infer: answers a body, and the length of its JSON where binary tensors stand behind it.
    """

    def __init__(
        self, contract: ModelContract, max_rows: int, infer: Callable[[bytes, str | None], InferAnswer]
    ) -> None:
        self._contract, self._infer = contract, infer
        self._reads_text = is_encoded(contract)
        cells = sum(prod(size for size in spec.shape if isinstance(size, int)) for spec in contract.inputs)
        named = {size for spec in contract.inputs for size in spec.shape if isinstance(size, str)}
        # Where a row has a length of its own, its bytes say nothing of the time.
        most = min(max_rows, LARGEST // max(1, cells)) if named == {batch_name(contract)} else 0
        rows = [self._rows(most, binary=binary) for binary in (False, True)]
        # Where every batch is quick, what stands around its cells counts for nothing.
        self._cells, self._bytes = (cells * count + (_AROUND if 0 < count == most else 0) for count in rows)

    def has(self, body: bytes, *, binary: bool) -> bool:
        """Whether a body is quick: a cell has a byte at least, and in JSON a comma behind it."""
        if binary:
            return len(body) <= min(LARGEST, self._bytes)
        if len(body) <= min(SMALL, 2 * self._cells):
            return True
        if len(body) > LARGEST or self._reads_text or not self._cells:
            return False
        codes = np.frombuffer(body, np.uint8)
        commas, braces = (np.count_nonzero(codes == code) for code in b",{")
        return bool(commas <= self._cells and braces <= _MOST_OBJECTS)

    def _rows(self, most: int, *, binary: bool) -> int:
        """Return how many rows, at most ``most``, were answered in time."""
        quick, before, rows = 0, 0.0, min(1, most)
        while quick < rows:
            seconds = self._seconds(rows, binary=binary)
            if seconds > _QUICK:
                return quick + int((rows - quick) * (_QUICK - before) / (seconds - before)) if quick else 0
            quick, before, rows = rows, seconds, min(_STEP * rows, most)
        return quick

    def _seconds(self, rows: int, *, binary: bool) -> float:
        """Return how long some rows take, at least; the first time is not counted. A day where zeros are refused."""
        body, length = _zeros(self._contract, rows, binary=binary)
        times = []
        for _ in range(4):
            start = perf_counter()
            try:
                self._infer(body, length)
            except RequestError:
                return _DAY
            times.append(perf_counter() - start)
        return min(times[1:])


def _zeros(contract: ModelContract, rows: int, *, binary: bool) -> tuple[bytes, str | None]:
    """Return a body of zeros, texts among them, and the length of its JSON where they stand behind it."""
    tensors, parts = [], []
    for spec in contract.inputs:
        shape = [size if isinstance(size, int) else rows for size in spec.shape]
        tensor: dict[str, Any] = {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}
        zero = {"string": "0", "bool": False}.get(spec.dtype, 0)
        if binary:
            parts.append(_TEXT * prod(shape) if spec.dtype == "string" else np.zeros(shape, spec.dtype).tobytes())
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = [zero] * prod(shape)
        tensors.append(tensor)
    head = orjson.dumps({"inputs": tensors, "parameters": {"binary_data_output": binary}})
    return b"".join([head, *parts]), str(len(head)) if binary else None
