"""Files of torch.save that would take far more memory than they take on disk."""

import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from parity_runtime import InputError
from parity_training.weights.torch_archive import is_zip, stored_bytes

# Bytes of tensors for a byte of the file: tied weights are stored once, and counted as often as they are tied.
_GROWTH = 8
_SPARE = 2**20  # bytes
_BLOCK = 2**20  # bytes
_BYTEARRAY = re.compile(rb"c(builtins|__builtin__)\r?\nbytearray\r?\n")
_SAVE_AGAIN = "save it again with torch.save(module.state_dict(), path)"


def refuse_bombs(file: BinaryIO, path: Path) -> None:
    """Refuse a file before torch loads it: one that inflates, or asks for memory by a number alone.

    torch.save stores its entries without compression; a deflated one may grow a thousandfold. A pickle may call
    ``bytearray(size)``, which torch.load allows with weights_only=True as well.

    Raises:
        InputError: the file is such a one.
    """
    if is_zip(file):
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            inflated, size = sum(entry.file_size for entry in entries), file.seek(0, 2)
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or inflated > size:
                raise InputError(
                    f"{path} is compressed and inflates from {size} to {inflated} bytes, which torch.save never "
                    f"writes; {_SAVE_AGAIN}"
                )
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            _refuse_bytearrays((stored_bytes(file, entry) for entry in pickles), path)
    else:
        file.seek(0)
        _refuse_bytearrays(iter(lambda: file.read(_BLOCK), b""), path)
    file.seek(0)


def _refuse_bytearrays(blocks: Any, path: Path) -> None:
    end = b""
    for block in blocks:
        if _BYTEARRAY.search(end + block):
            raise InputError(f"{path} holds a bytearray, which is not a tensor; {_SAVE_AGAIN}")
        end = block[-64:]


def refuse_grown(loaded: Any, size: int, path: Path) -> None:
    """Refuse what was loaded where its tensors have far more elements than the file has bytes.

    A tensor of stride 0 has any number of elements in one byte; its copy would take memory for each of them.

    Raises:
        InputError: the tensors would take more than eight times the file.
    """
    total, waiting, seen = 0, [loaded], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, Tensor):
            if value.layout == torch.strided and not value.is_meta:
                total += value.numel() * value.element_size()
        elif isinstance(value, dict | list | tuple | set):
            seen.add(id(value))  # it may hold itself
            waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value
    if total > _GROWTH * size + _SPARE:
        raise InputError(
            f"{path} has {size} bytes, and its tensors would take {total}; save a copy of each (tensor.clone())"
        )
