"""The numbers of an ONNX file's tensors: whether they are what the tensor says, and those that lie in a file beside."""

import math
import os
from pathlib import Path, PurePosixPath

import onnx_ir as ir
from onnx import TensorProto, numpy_helper

from parity_runtime import InputError
from parity_runtime.errors import first_line
from parity_runtime.files.open_file import open_regular
from parity_runtime.printable import shown


def check_tensor(tensor: TensorProto, path: Path) -> None:
    """Refuse a tensor whose numbers are of no type that there is, or more or fewer than its dimensions say.

    Args:
        tensor: with its numbers in it.
        path: of its file, for the message.

    Raises:
        InputError: what is wrong with it.
    """
    size = _bytes_of(tensor, path)
    if size is not None and tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise _refusal(path, tensor, f"takes {size} bytes, and has {len(tensor.raw_data)}; fetch the file again")
        return
    try:
        numpy_helper.to_array(tensor)
    except Exception as error:  # numpy's, protobuf's or onnx's own
        raise _refusal(path, tensor, f"cannot be read: {first_line(error)}") from error


def load_external(tensor: TensorProto, path: Path) -> None:
    """Read a tensor from the file beside the model that it refers to.

    Args:
        tensor: it holds its numbers itself afterwards.
        path: of the model.

    Raises:
        InputError: that file lies outside of the model's folder, is missing, or too short.
    """
    told = {entry.key: entry.value for entry in tensor.external_data}
    source = _inside(path, told.get("location", ""), tensor)
    size = _bytes_of(tensor, path)
    if size is None:
        raise _refusal(path, tensor, "holds text, which no other file can hold; save the model as one file")
    offset, length = (_number(told, key, default, path, tensor) for key, default in (("offset", 0), ("length", size)))
    if length != size:
        raise _refusal(path, tensor, f"takes {size} bytes, and is said to have {length} in {_named(source, path)}")
    tensor.raw_data = _read(source, offset, size, path, tensor)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _read(source: Path, offset: int, size: int, path: Path, tensor: TensorProto) -> bytes:
    try:
        with open_regular(source) as file:
            if os.fstat(file.fileno()).st_size >= offset + size:  # before memory is taken for them
                file.seek(offset)
                data = file.read(size)
                if len(data) == size:
                    return data
    except (OSError, ValueError) as error:  # a name with NUL in it is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise _refusal(path, tensor, f"lies in {_named(source, path)}, which cannot be read: {reason}") from error
    place = f"lies at {offset} to {offset + size} of {_named(source, path)}, which is cut off before that"
    raise _refusal(path, tensor, f"{place}; fetch that file again")


def _named(source: Path, path: Path) -> str:
    """Return a file's name as the model says it: somebody else wrote that."""
    return shown(str(source.relative_to(path.parent)))


def _inside(path: Path, location: str, tensor: TensorProto) -> Path:
    """Return the file of a location in the model's folder, which no link may lead out of."""
    parts = PurePosixPath(location)
    source = path.parent / parts
    leaves = not location or any(sign in location for sign in "\\:\0") or parts.is_absolute() or ".." in parts.parts
    if leaves or not source.resolve().is_relative_to(path.parent.resolve()):
        raise InputError(
            f"{path} keeps its tensor {shown(tensor.name)} in {shown(location)}, outside of the model's folder, which "
            "is never opened; put that file beside the model, and name it in the model (onnx.save with "
            "save_as_external_data)"
        )
    return source


def _bytes_of(tensor: TensorProto, path: Path) -> int | None:
    """Return how many bytes a tensor's numbers take; None of text."""
    if any(size < 0 for size in tensor.dims):
        raise _refusal(path, tensor, f"has the dimensions {list(tensor.dims)}")
    if tensor.data_type == TensorProto.STRING:
        return None
    try:
        bits: int = ir.DataType(tensor.data_type).bitwidth
    except (TypeError, ValueError):
        raise _refusal(path, tensor, f"has numbers of type {tensor.data_type}, which Parity does not know") from None
    count: int = math.prod(tensor.dims)
    return -(-count * bits // 8)


def _number(told: dict[str, str], key: str, default: int, path: Path, tensor: TensorProto) -> int:
    text = told.get(key)
    if text is None:
        return default
    if not (text.isdecimal() and text.isascii() and len(text) < 19):
        raise _refusal(path, tensor, f"has the {key} {shown(text)}, not a number of bytes")
    return int(text)


def _refusal(path: Path, tensor: TensorProto, reason: str) -> InputError:
    return InputError(f"{path}: its tensor {shown(tensor.name)} {reason}")
