"""What a user names on the command line: a callable with its weights, a file of samples."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from parity_export.gate.batching import rows_first
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.errors import first_line
from parity_runtime.inputs import Arrays, named_inputs
from parity_training import apply_state_dict
from parity_training.callables import resolve_callable
from parity_training.weights import StateDict


def load_module(location: str, arguments: Mapping[str, Any], state_dict: StateDict, where: str) -> nn.Module:
    """Build ``package.module:Callable`` with ``arguments`` and load a state_dict into it.

    The folder at hand is searched first, as ``python -m`` does.

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


def load_sample(path: Path, inputs: Sequence[TensorSpec]) -> Arrays:
    """Read real inputs from an .npz of arrays by input name, and return them rows first.

    Raises:
        InputError: the file is missing, is no .npz of plain arrays, or an array does not fit its input.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read the sample {path}: {error}") from error
    contract = ModelContract("sample", "tensors", tuple(inputs), (TensorSpec("output", "float32", ()),))
    return rows_first(contract, named_inputs(contract, arrays))


def _spelled(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
