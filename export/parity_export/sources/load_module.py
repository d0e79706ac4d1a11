"""What a user names on the command line: a callable with its weights, a file of samples."""

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from numpy.lib import format as npy_format
from numpy.typing import NDArray
from torch import nn

from parity_export.sources.batch_axis import rows_first
from parity_export.sources.build_module import ModuleFactory
from parity_runtime import FormatError, InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.dimension_rule import DimensionRule
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.files.open_file import open_regular
from parity_runtime.inference.input_validation import Arrays, named_inputs
from parity_training import load_weights
from parity_training.weights.fit_weights import ShapeError

# of an .npz: samples that compress a hundredfold are mostly zeros; anything up to a gigabyte is read
_MOST_INFLATED, _ALWAYS_INFLATED = 100, 2**30


class LoadedModule(NamedTuple):
    """A user's module, and what was done to load it.

    Attributes:
        module: with its weights, on the CPU, in eval mode.
        notes: a line each, of what made its checkpoint fit.
    """

    module: nn.Module
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """Where a module's weights are from.

    Attributes:
        path: of a file, of the index of several, or of a folder; None of a callable that loads its weights itself.
        key: the entry that holds the state_dict.
        strip_prefix: taken off every name.
        ignore: patterns of names that the module may lack.
    """

    path: Path | None = None
    key: str | None = None
    strip_prefix: str = ""
    ignore: Sequence[str] = ()


def load_module(
    location: str,
    arguments: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
    *,
    key: str | None = None,
    strip_prefix: str = "",
    ignore: Sequence[str] = (),
) -> nn.Module:
    """Call ``package.module:Callable``, or ``package.module:Class.from_pretrained``, and load the weights.

    Python looks for the module in the current folder first, as with ``python -m``.

    >>> import torch
    >>> from parity_export import load_module
    >>> from parity_training import XORClassifier
    >>> torch.save(XORClassifier(num_hidden=3).state_dict(), "hidden3.pt")
    >>> load_module("parity_training:XORClassifier", {"num_hidden": 3}, "hidden3.pt").linear1
    Linear(in_features=2, out_features=3, bias=True)

    Args:
        location: where the class or function is, such as ``"package.module:Net"``.
        arguments: its keyword arguments.
        weights: a file of torch.save or safetensors, the index of several such files, or a folder, as in
            `parity_training.load_weights`. For ``from_pretrained``, the folder that it loads. None for a callable that
            loads its weights itself. Such a callable is called twice, to check that the weights are not random.
        key: the entry of the file that holds the state_dict. Needed only if several fit.
        strip_prefix: a prefix to remove from every name in the file. Needed only if several prefixes fit.
        ignore: patterns for tensors of the file that the module does not have, such as ``criterion.*``.

    Returns:
        The module, on the CPU, in eval mode.

    Raises:
        InputError: the callable cannot be imported or called, or does not return a module; or the weights do not fit,
            or are random.
    """
    path = None if weights is None else Path(weights)
    return build_module(location, arguments or {}, Checkpoint(path, key, strip_prefix, ignore)).module


def build_module(location: str, arguments: Mapping[str, Any], checkpoint: Checkpoint) -> LoadedModule:
    """Call ``package.module:Callable`` and load its weights; `load_module`, with what is to be said.

    Raises:
        InputError: as `load_module`.
    """
    factory = ModuleFactory.of(location, arguments, checkpoint.path)
    own = checkpoint.path is None or factory.folder is not None
    if own:
        _refuse_unused(location, checkpoint)
    module = factory.with_own_weights() if own else factory()
    notes: tuple[str, ...] = ()
    if checkpoint.path is not None and not own:
        try:
            notes = load_weights(module, checkpoint.path, key=checkpoint.key, strip_prefix=checkpoint.strip_prefix,
                                 ignore=checkpoint.ignore)  # fmt: skip
        except ShapeError as error:
            raise InputError(f"{error.problem}{factory.way_out(error)}") from error
    return LoadedModule(module.cpu().eval(), notes)


def _refuse_unused(location: str, checkpoint: Checkpoint) -> None:
    """Refuse what says how a file of weights is read, where none is."""
    given = {"key": checkpoint.key, "strip_prefix": checkpoint.strip_prefix, "ignore": checkpoint.ignore}
    unused = next((name for name, value in given.items() if value), None)
    if unused is not None:
        option = argument(unused, option="--weights-key" if unused == "key" else None)
        raise InputError(f"{option} says how a file of weights is read, and {location} loads its weights itself")


def load_sample(path: Path, inputs: Sequence[TensorSpec], dimensions: Sequence[str] = ()) -> Arrays:
    """Read real inputs from an .npz file, and return an array for each input, with the rows as the first axis.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> from parity_export import load_sample
    >>> from parity_runtime import TensorSpec
    >>> np.savez("sample.npz", x=np.zeros((10, 2), np.float32))
    >>> load_sample(Path("sample.npz"), [TensorSpec.parse("x: float32[batch, 2]")])["x"].shape
    (10, 2)

    Args:
        path: the .npz file, with an array for each input, by its name.
        inputs: the module's inputs.
        dimensions: the sizes that dynamic dimensions may have, as in `ProbeOptions`.

    Raises:
        InputError: the file is missing or is not an .npz of plain arrays, or an array does not fit its input.
    """
    try:
        with open_regular(path) as file:
            arrays = _arrays(file)
    except Exception as error:  # zipfile and numpy raise what their parsers happen to raise
        if out_of_memory(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else None
        only = f"; {argument('samples_only', True)} compares on the rows of a file only" if str(path) == "only" else ""
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
            raise ValueError(f"{entry.filename} is not an array of numbers")
        shape, _, dtype = read_header(file)
        if math.prod(shape) * dtype.itemsize > entry.file_size:
            raise ValueError(f"{entry.filename} is said to be {dtype}{list(shape)}, and holds {entry.file_size} bytes")
    with archive.open(entry) as file:
        array: NDArray[Any] = npy_format.read_array(file, allow_pickle=False)
        return array
