"""Tensors that lie on a device, of whatever library: onnxruntime takes and gives them without a copy (DLPack)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError, first_line
from parity_runtime.inference.checked_arrays import check_cells, dimensions
from parity_runtime.inference.input_validation import check_names
from parity_runtime.inference.session import import_onnxruntime
from parity_runtime.tensor_spec import TensorSpec

_DEVICES = {1: "cpu", 2: "cuda"}  # DLPack's numbers
_ELEMENT_TYPES = {"float": "float32", "double": "float64"}  # onnxruntime's names, where they are not numpy's


class SupportsDLPack(Protocol):
    """A tensor that says where it lies and hands its memory over: of torch, cupy, jax, numpy, onnxruntime."""

    def __dlpack__(self, *, stream: Any = None) -> Any:
        """Return a capsule with the memory."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the kind of the device, and its number."""


@dataclass(frozen=True, slots=True)
class DeviceTensor:
    """An input as onnxruntime takes it.

    Attributes:
        value: an ``onnxruntime.OrtValue`` over the caller's memory.
        shape: its sizes.
    """

    value: Any
    shape: tuple[int, ...]


def device_tensors(
    contract: ModelContract, tensors: Mapping[str, SupportsDLPack], provider: str
) -> dict[str, DeviceTensor]:
    """Return the graph's inputs over the memory of the caller's tensors, each checked against the contract.

    Args:
        contract: of the model.
        tensors: every input by name, C-contiguous, of the contract's dtype and shape, on the device of ``provider``.
        provider: ``cpu`` or ``cuda``.

    Raises:
        InputError: an input is missing, unknown, elsewhere, empty, or does not fit.
    """
    check_names(contract, tensors, "run_on_device()")
    for spec in contract.inputs:
        if spec.dtype == "string":
            raise InputError(f"input {spec.name!r} is text, which no device holds; give it to run()")
    found = {spec.name: _tensor(spec, tensors[spec.name], provider) for spec in contract.inputs}
    dimensions(contract, found)
    return found


def check_device_cells(contract: ModelContract, tensors: Mapping[str, DeviceTensor]) -> None:
    """Refuse what `check_cells` does in the columns of a table; from a device they are copied for it.

    Raises:
        InputError: names the row (from 1) and the feature of the first such cell.
    """
    for name in {feature.input for feature in contract.features}:
        check_cells(contract, name, tensors[name].value.numpy())


def _tensor(spec: TensorSpec, tensor: SupportsDLPack, provider: str) -> DeviceTensor:
    what = f"input {spec.name!r}"
    _check_device(what, tensor, provider)
    value = _taken(what, tensor)
    shape, dtype = tuple(value.shape()), value.data_type().removeprefix("tensor(").removesuffix(")")
    dtype = _ELEMENT_TYPES.get(dtype, dtype)
    if dtype != spec.dtype:
        raise InputError(f"{what} is {dtype}; it takes {spec.dtype}, and on a device nothing is converted")
    if not _fits(spec.shape, shape):
        raise InputError(f"{what} has the shape {list(shape)}; it takes {spec}")
    if 0 in shape:
        raise InputError(f"{what} is empty; give it to run()")
    return DeviceTensor(value, shape)


def _fits(wanted: Sequence[int | str], shape: Sequence[int]) -> bool:
    pairs = zip(wanted, shape, strict=False)
    return len(wanted) == len(shape) and all(isinstance(size, str) or size == found for size, found in pairs)


def _check_device(what: str, tensor: SupportsDLPack, provider: str) -> None:
    if not hasattr(tensor, "__dlpack_device__"):
        raise InputError(f"{what} is a {type(tensor).__name__}, not a tensor on a device (DLPack); run() may accept it")
    kind, number = map(int, tensor.__dlpack_device__())
    if (_DEVICES.get(kind), number) != (provider, 0):
        place = f"{_DEVICES.get(kind, f'DLPack device {kind}')}:{number}"
        raise InputError(f"{what} lies on {place}; this predictor takes it on {provider}:0")


def _taken(what: str, tensor: SupportsDLPack) -> Any:
    """Return an OrtValue over a tensor's memory."""
    onnxruntime = import_onnxruntime()
    if not hasattr(onnxruntime.OrtValue, "from_dlpack"):
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} does not accept a tensor on a device; install a newer one"
        )
    try:
        return onnxruntime.OrtValue.from_dlpack(tensor)
    except Exception as error:  # of the tensor's library, or onnxruntime's, which derive from Exception directly
        if "IsContiguousTensor" in str(error):
            raise InputError(f"{what} is not contiguous; of torch, give tensor.contiguous()") from error
        raise InputError(f"{what} cannot be taken from its device: {first_line(error)}") from error
