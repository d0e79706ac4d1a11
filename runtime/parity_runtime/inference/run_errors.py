"""What onnxruntime raises when it runs a model, as one sentence for whoever gave the inputs."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError, RowFault, out_of_memory, whole_text
from parity_runtime.inference.checked_arrays import Shaped
from parity_runtime.inference.session import session_provider

_CODE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
_NODE = re.compile(r"Non-zero status code returned while running (\w+) node\. Name:'.*?' Status Message: ")
_SOURCE = re.compile(
    r"\S+\.(?:cc|cpp|cu|cuh|h|hpp):\d+ (?:[\w:<>,&*~ ]*[\w>]\(.*?\)(?: const)?(?: \[with .*?\])? |\w+ )?"
)
_CONDITION = re.compile(r".* was false\. (?=\S)")
_INDEX = re.compile(r"idx=(-?\d+) must be within the inclusive range \[-?\d+,(-?\d+)\]")
_MOST_SHOWN = 4  # inputs


class RunErrors:
    """Makes what a session raises when it runs an error of ours.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        contract: of the model.
    """

    def __init__(self, session: Any, contract: ModelContract) -> None:
        self._session, self._contract = session, contract
        # After a failure CUDA may refuse whatever comes.
        self._names_rows = bool(contract.features) and contract.row_independent and session_provider(session) == "cpu"

    def of(self, inputs: Mapping[str, Shaped], error: Exception) -> InputError | MemoryError:
        """Return our error for one of onnxruntime's.

        Of a table the error is that of the first row that the model refuses, and tells the others
        (`InputError.of_each_row`): each is found by running parts of the rows again.

        Args:
            inputs: that the session was run on, by name; arrays are looked into.
            error: what it raised.
        """
        if out_of_memory(error):
            return MemoryError(
                f"onnxruntime cannot run {self._given(inputs)}: {_reason(error)}; give fewer rows at once"
            )
        arrays = {name: value for name, value in inputs.items() if isinstance(value, np.ndarray)}
        if self._names_rows and len(arrays) == len(inputs):
            faults = self._faulty_rows(arrays, 0, error)
            if first := next(faults, None):  # all parts of what failed as a whole may run
                return InputError.of_rows(chain([first], faults))
        return InputError(self._looked_up(arrays, error) or self._unable(inputs, error))

    def _faulty_rows(self, arrays: Mapping[str, NDArray[Any]], first: int, error: Exception) -> Iterator[RowFault]:
        """Yield the faults of the rows that the model refuses; ``error`` is that of all of them together."""
        rows = len(next(iter(arrays.values())))
        if rows == 1:
            yield first + 1, *self._fault(arrays, error)
            return
        for start, end in ((0, rows // 2), (rows // 2, rows)):
            part = {name: array[start:end] for name, array in arrays.items()}
            try:
                self._session.run(None, part)
            except Exception as of_part:  # onnxruntime's exceptions derive from Exception directly
                yield from self._faulty_rows(part, first + start, of_part)

    def _fault(self, arrays: Mapping[str, NDArray[Any]], error: Exception) -> tuple[str, str | None]:
        """Return what is wrong with a row, and with which column."""
        if found := _INDEX.search(str(error)):
            for feature in self._contract.features:
                cell = arrays[feature.input][0, feature.index]
                if not feature.is_text and int(np.nan_to_num(cell)) == int(found[1]):
                    return (
                        f"{feature.name} is {float(cell):.9g}, and {self._contract.name} {_search(found)}",
                        feature.name,
                    )
        return f"{self._contract.name} cannot be run on it ({_reason(error)})", None

    def _looked_up(self, arrays: Mapping[str, NDArray[Any]], error: Exception) -> str:
        """Return which input holds the index that is out of range; nothing where none does, or it is no index."""
        found = _INDEX.search(str(error))
        if found is None:
            return ""
        holding = []
        for spec in self._contract.inputs:
            if spec.name in arrays and arrays[spec.name].dtype.kind in "iu":
                places = np.argwhere(arrays[spec.name] == int(found[1]))
                holding += [(spec, place) for place in places[:1].tolist()]
        if not holding:
            return ""
        told = " and ".join(f"input {spec.name!r} holds {found[1]} at {place}" for spec, place in holding)
        takes = "; ".join(str(spec) for spec, _ in holding)
        return f"{told}, and {self._contract.name} {_search(found)}; it takes {takes}"

    def _unable(self, inputs: Mapping[str, Shaped], error: Exception) -> str:
        specs = self._contract.inputs
        takes = ", ".join(map(str, specs[:_MOST_SHOWN])) + (", ..." if len(specs) > _MOST_SHOWN else "")
        return f"onnxruntime cannot run {self._given(inputs)}: {_reason(error)}; it takes {takes}"

    def _given(self, inputs: Mapping[str, Shaped]) -> str:
        shapes = [f"{name} {list(value.shape)}" for name, value in inputs.items()]
        more = ", ..." if len(shapes) > _MOST_SHOWN else ""
        return f"{self._contract.name} on {', '.join(shapes[:_MOST_SHOWN])}{more}"


def _search(found: re.Match[str]) -> str:
    """Return what a model does with an index that onnxruntime finds out of range."""
    return f"looks {found[1]} up in a table that has 0 to {found[2]}"


def _reason(error: Exception) -> str:
    """Return what onnxruntime says, without where in its source it says it.

    >>> place = "/src/core/reshape_helper.h:84 onnxruntime::Helper(const Shape&, bool) size != 0 was false."
    >>> node = "Non-zero status code returned while running Reshape node. Name:'a' Status Message:"
    >>> _reason(ValueError(f"{node} {place} The tensor cannot be reshaped."))
    'Reshape: The tensor cannot be reshaped.'
    """
    text = _CODE.sub("", whole_text(error))
    text, node = _NODE.sub("", text, count=1), _NODE.search(text)
    text = _CONDITION.sub("", _SOURCE.sub("", text, count=1), count=1)
    return f"{node[1]}: {text}" if node else text
