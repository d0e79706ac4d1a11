"""How checked arrays go through a session: whole, in tiles that fit the cache, or through bound buffers."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import ModelContract, batch_name
from parity_runtime.errors import InputError
from parity_runtime.inference.buffer_pool import BufferPool, OutputNames, bind
from parity_runtime.inference.checked_arrays import Shaped
from parity_runtime.inference.input_validation import Arrays, dimensions
from parity_runtime.inference.output_array import check_out
from parity_runtime.inference.session import session_provider

if TYPE_CHECKING:
    from parity_runtime.inference.device_tensors import DeviceTensor

_TILE_BYTES = 2**21  # about what caches hold for a core; tiles of a quarter or of four times are slower
_MOST_BOUND = 2  # outputs that buffers are kept for: as many as one method of a predictor asks for
_SMALLEST_TILE = 64  # rows; fewer pay more for the call than for the work

Sizes = dict[str, int]


class Executor:
    """One session and the ways to run it; any number of threads may call it at once.

    Args:
        session: an ``onnxruntime.InferenceSession`` that takes and gives what the contract says.
        contract: of the model.
        widest_row: the largest number of elements that one row of any tensor of the graph has.
    """

    def __init__(self, session: Any, contract: ModelContract, widest_row: int) -> None:
        self._session = session
        self._contract = contract
        self._widest_row = widest_row
        self._outputs = {spec.name: spec for spec in contract.outputs}
        self._batch = batch_name(contract)
        first = {spec.shape[:1] for spec in (*contract.inputs, *contract.outputs)}
        self._provider = session_provider(session)
        self._in_rows = first == {(self._batch,)} and self._provider == "cpu"
        bound = self._in_rows and len(contract.inputs) == 1 and contract.inputs[0].dtype != "string"
        self._refused = partial(_refused, session, contract)
        self._pool = BufferPool(session, contract.inputs[0], self._refused) if bound else None
        named = {size for spec in contract.inputs for size in spec.shape if isinstance(size, str)}
        # An output's dimension may be computed from others ("2*time"): only onnxruntime knows its size then.
        self._allocatable = {
            spec.name for spec in contract.outputs if {size for size in spec.shape if isinstance(size, str)} <= named
        }
        self.run_cached = self._pool.run_cached if self._pool else _never

    def run(self, names: Sequence[str], arrays: Arrays) -> list[NDArray[Any]]:
        """Return outputs in the order of ``names``.

        Args:
            names: of the outputs.
            arrays: every input by name, checked against the contract.

        Raises:
            InputError: a dimension other than the batch is 0, or onnxruntime refuses the values (an index out of
                range, say).
        """
        sizes = dimensions(self._contract, arrays)
        # Some onnxruntime kernels (GRU, LSTM) abort the whole process on an empty tensor.
        if not all(array.size for array in arrays.values()):
            return self._empty(names, sizes)
        try:
            return self._run(names, arrays, sizes)
        except (MemoryError, InputError):
            raise
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise self._refused(arrays, error) from error

    def run_into(self, name: str, arrays: Arrays, out: NDArray[Any]) -> None:
        """Write an output into an array.

        Args:
            name: of the output.
            arrays: as in `run`.
            out: of the output's shape and dtype.

        Raises:
            InputError: as `run`; or ``out`` cannot take the output. Where onnxruntime refuses the values, ``out`` holds
                the output of some rows.
        """
        sizes, spec = dimensions(self._contract, arrays), self._outputs[name]
        if self._pool is None or name not in self._allocatable or not all(array.size for array in arrays.values()):
            (found,) = self.run([name], arrays)
            check_out(out, found.shape, spec.dtype, arrays.values())
            out[...] = found
            return
        (rows,) = arrays.values()
        check_out(out, self._shape(name, sizes), spec.dtype, [rows])
        try:
            self._tiles(rows, {name: out}, self._tile(sizes) if self._contract.row_independent else len(rows))
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise self._refused(arrays, error) from error

    def _run(self, names: Sequence[str], arrays: Arrays, sizes: Sizes) -> list[NDArray[Any]]:
        if self._pool is not None and self._allocatable.issuperset(names):
            (rows,) = arrays.values()
            outputs = {name: self._allocate(name, sizes) for name in names}
            if len(names) <= _MOST_BOUND and self._pool.comes_again(rows, outputs):
                return self._pool.run(rows, outputs)
            tile = self._tile(sizes)
            if self._contract.row_independent and len(rows) > tile:
                self._tiles(rows, outputs, tile)
                return list(outputs.values())
        if self._pool is None and self._in_rows and self._contract.row_independent:
            return self._slices(names, arrays, self._tile(sizes))
        found: list[NDArray[Any]] = self._session.run(list(names), arrays)
        return found

    def run_ready(self, names: list[str], arrays: Arrays) -> list[NDArray[Any]]:
        """Return what `run` does, of a few rows that `ReadyInputs` accepts."""
        try:
            found: list[NDArray[Any]] = self._session.run(names, arrays)
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise self._refused(arrays, error) from error
        return found

    def run_on_device(self, names: Sequence[str], tensors: Mapping[str, "DeviceTensor"]) -> list[Any]:
        """Return outputs in the order of ``names``, each an ``onnxruntime.OrtValue`` on the device of the inputs.

        Raises:
            InputError: onnxruntime refuses the values.
        """
        binding = self._session.io_binding()
        try:
            for name, tensor in tensors.items():
                binding.bind_ortvalue_input(name, tensor.value)
            for name in names:
                binding.bind_output(name, self._provider, 0)
            binding.synchronize_inputs()  # onnxruntime's stream does not wait for the one that fills them
            self._session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's exceptions derive from Exception directly
            raise self._refused(_in_memory(tensors, self._provider), error) from error
        return list(binding.get_outputs())

    def _slices(self, names: Sequence[str], arrays: Arrays, tile: int) -> list[NDArray[Any]]:
        """Run tiles of several inputs, or of text, whose memory cannot be bound."""
        rows = len(next(iter(arrays.values())))
        parts = [
            self._session.run(list(names), {name: array[start : start + tile] for name, array in arrays.items()})
            for start in range(0, rows, tile)
        ]
        return parts[0] if len(parts) == 1 else [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def _allocate(self, name: str, sizes: Sizes) -> NDArray[Any]:
        return np.empty(self._shape(name, sizes), self._outputs[name].dtype)

    def _shape(self, name: str, sizes: Sizes) -> list[int]:
        return [sizes[size] if isinstance(size, str) else size for size in self._outputs[name].shape]

    def _tiles(self, rows: NDArray[Any], outputs: Arrays, tile: int) -> None:
        binding = self._session.io_binding()
        name = self._contract.inputs[0].name
        for start in range(0, len(rows), tile):
            bind(binding.bind_input, name, rows[start : start + tile])
            for output, array in outputs.items():
                bind(binding.bind_output, output, array[start : start + tile])
            self._session.run_with_iobinding(binding)

    def _tile(self, sizes: Sizes) -> int:
        """Return how many rows keep the widest tensor of the graph in the cache."""
        others = prod(sizes.values()) // sizes[str(self._batch)]
        return max(_SMALLEST_TILE, _TILE_BYTES // (4 * self._widest_row * others))

    def _empty(self, names: Sequence[str], sizes: Sizes) -> list[NDArray[Any]]:
        for name, size in sizes.items():
            if size == 0 and name != self._batch:
                raise InputError(f"{name} is 0; {self._contract.name} needs at least one")
        specs = [self._outputs[name] for name in names]
        shapes = [tuple(sizes.get(size, 0) if isinstance(size, str) else size for size in spec.shape) for spec in specs]
        return [np.zeros(shape, spec.dtype) for shape, spec in zip(shapes, specs, strict=True)]


def _refused(
    session: Any, contract: ModelContract, inputs: Mapping[str, Shaped], error: Exception
) -> InputError | MemoryError:
    from parity_runtime.inference.run_errors import RunErrors  # noqa: PLC0415 -- where a run fails, as few do

    return RunErrors(session, contract).of(inputs, error)


def _in_memory(tensors: Mapping[str, "DeviceTensor"], provider: str) -> Mapping[str, Shaped]:
    """Return the arrays of tensors that lie in memory; those of a device as they are."""
    return {name: tensor.value.numpy() for name, tensor in tensors.items()} if provider == "cpu" else tensors


def _never(names: OutputNames, rows: NDArray[Any]) -> None:
    """Return nothing: the model has no bound buffers."""
