"""Files of tensors: saved whole, read without running code."""

import io
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from parity_runtime import InputError
from parity_runtime.errors import first_line, out_of_memory
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.open_file import open_regular
from parity_training.weights.decompression_bomb import refuse_bombs, refuse_grown
from parity_training.weights.torch_archive import begins_as_zip, refuse_damaged

StateDict = dict[str, Tensor]


def save_object(value: Any, path: Path) -> None:
    """Write ``value`` with torch.save, complete or not at all."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    write_file(path, buffer.getvalue())


def load_object(path: Path) -> Any:
    """Load a file of torch.save onto the CPU without running code from it.

    Raises:
        InputError: there is no such file, it is damaged, it inflates to far more than its size, or it holds more than
            tensors and plain containers.
    """
    with _opened(path) as file:
        try:
            refuse_damaged(file, path)
            refuse_bombs(file, path)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Detected pickle protocol")  # the error below says what to do
                loaded = torch.load(file, map_location="cpu", weights_only=True)
            refuse_grown(loaded, os.fstat(file.fileno()).st_size, path)
        except InputError:
            raise
        except Exception as error:  # zip, pickle and torch each raise their own
            if out_of_memory(error):
                raise MemoryError(f"{path} cannot be loaded ({first_line(error)})") from error
            damaged = "" if begins_as_zip(file) else "is damaged, or "
            raise InputError(
                f"{path} {damaged}does not load as tensors alone (torch.load with weights_only=True); "
                "save it again with torch.save(module.state_dict(), path)"
            ) from error
    return loaded


def _opened(path: Path) -> BinaryIO:
    if not os.path.lexists(path):
        raise InputError(f"there is no weights file {path}")
    try:
        return open_regular(path)
    except OSError as error:
        raise InputError(f"the weights file {path} cannot be read: {error.strerror}") from error


def load_safetensors(path: Path) -> StateDict:
    """Load a file of safetensors, which holds tensors alone.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    from safetensors.torch import load, load_file  # noqa: PLC0415 -- of the [export] extra; training does without

    with _opened(path) as file:
        try:
            # safetensors takes no path that is no UTF-8
            return load_file(path) if str(path).isprintable() else load(file.read())
        except Exception as error:  # safetensors raises its own, from Rust
            if out_of_memory(error):
                raise MemoryError(f"{path} cannot be loaded ({first_line(error)})") from error
            raise InputError(f"{path} is not a safetensors file, or is damaged: {first_line(error)}") from error
