"""What a user names on the command line: a callable with its weights, a file of samples."""

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from numpy.lib import format as npy_format
from numpy.typing import NDArray
from torch import nn

from parity_export.sources.batch_axis import rows_first
from parity_runtime import FormatError, InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.dimension_rule import DimensionRule
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.files.open_file import open_regular
from parity_runtime.inference.input_validation import Arrays, named_inputs
from parity_training import apply_state_dict
from parity_training.callables import resolve_callable
from parity_training.weights.state_dict import StateDict

# of an .npz: samples that compress a hundredfold are mostly zeros; anything up to a gigabyte is read
_MOST_INFLATED, _ALWAYS_INFLATED = 100, 2**30


def load_module(location: str, arguments: Mapping[str, Any], state_dict: StateDict, where: str) -> nn.Module:
    """Build ``package.module:Callable`` with ``arguments`` and load a state_dict into it.

    The folder at hand is searched first, as ``python -m`` does.

    >>> from parity_export import load_module
    >>> from parity_training import XORClassifier
    >>> weights = XORClassifier(num_hidden=3).state_dict()
    >>> load_module("parity_training:XORClassifier", {"num_hidden": 3}, weights, "weights.pt").linear1
    Linear(in_features=2, out_features=3, bias=True)

    Args:
        location: of a class or factory.
        arguments: its keyword arguments.
        state_dict: exactly the module's tensors.
        where: the weights' file, for errors.

    Raises:
        InputError: it cannot be imported or called, gives no module, or the weights do not fit.
    """
    build = resolve_callable(location)
    try:
        module = build(**arguments)
    except (Exception, SystemExit) as error:  # the user's own code
        raise InputError(f"{location}({_spelled(arguments)}) failed: {first_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{location} gives a {type(module).__name__}, not a torch.nn.Module")
    apply_state_dict(module, state_dict, where)
    return module.cpu().eval()


def load_sample(path: Path, inputs: Sequence[TensorSpec], dimensions: Sequence[str] = ()) -> Arrays:
    """Read real inputs from an .npz of arrays by input name, and return them rows first.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> from parity_export import load_sample
    >>> from parity_runtime import TensorSpec
    >>> np.savez("sample.npz", x=np.zeros((10, 2), np.float32))
    >>> load_sample(Path("sample.npz"), [TensorSpec.parse("x: float32[batch, 2]")])["x"].shape
    (10, 2)

    Args:
        path: of the file.
        inputs: what the module takes.
        dimensions: what was said of the dynamic dimensions, as `ProbeOptions` has it.

    Raises:
        InputError: the file is missing, is no .npz of plain arrays, or an array does not fit its input.
    """
    try:
        with open_regular(path) as file:
            arrays = _arrays(file)
    except Exception as error:  # zipfile and numpy raise what their parsers happen to raise
        if out_of_memory(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else None
        only = f"; {argument('samples_only', True)} asks nothing but the rows of a file" if str(path) == "only" else ""
        raise InputError(f"cannot read the sample {path}: {reason or first_line(error)}{only}") from error
    said = {rule.name: rule.text for rule in map(DimensionRule.parse, dimensions) if rule.text}
    output = (TensorSpec("output", "float32", ()),)
    try:
        contract = ModelContract("sample", "tensors", tuple(inputs), output, dimensions=said)
    except FormatError as error:
        raise InputError(str(error)) from error
    return rows_first(contract, named_inputs(contract, arrays))


def _arrays(file: BinaryIO) -> Arrays:
    """Return the arrays of an .npz; those of an archive that inflates to far more than its size are not read."""
    size = os.fstat(file.fileno()).st_size
    with zipfile.ZipFile(file) as archive:
        inflated = sum(entry.file_size for entry in archive.infolist())
        if inflated > _MOST_INFLATED * size + _ALWAYS_INFLATED:
            raise ValueError(f"it inflates from {size} to {inflated} bytes; save it with numpy.savez, uncompressed")
        return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in archive.infolist()}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    """Return one array, whose header is believed as far as its bytes go."""
    with archive.open(entry) as file:
        version = npy_format.read_magic(file)
        read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{entry.filename} is no array of numbers")
        shape, _, dtype = read_header(file)
        if math.prod(shape) * dtype.itemsize > entry.file_size:
            raise ValueError(f"{entry.filename} is said to be {dtype}{list(shape)}, and holds {entry.file_size} bytes")
    with archive.open(entry) as file:
        array: NDArray[Any] = npy_format.read_array(file, allow_pickle=False)
        return array


def _spelled(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
