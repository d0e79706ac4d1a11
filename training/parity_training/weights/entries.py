"""The state_dict within a larger checkpoint: named by a key, or found."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity_runtime import InputError
from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.printable import shown
from parity_training.weights.weights_file import StateDict

_DEEPEST = 3  # of an entry within entries, as of ``ema.state_dict``
_SHOWN = 12  # entries in a message


def entry(loaded: Any, key: str, path: Path) -> Any:
    """Return the entry of a checkpoint, whose key may lead through several: ``ema.state_dict``.

    Raises:
        InputError: there is none of that name.
    """
    found = _entry(loaded, key)
    if found is None:
        if not isinstance(loaded, Mapping):
            raise InputError(f"{path} has no entry {key!r}; it holds {type(loaded).__name__}")
        known = [*map(str, loaded)]
        more = ", ..." if len(known) > _SHOWN else ""
        raise InputError(
            f"{path} has no entry {key!r}; it holds {', '.join(known[:_SHOWN])}{more}{did_you_mean(key, known)}"
        )
    return found


def _entry(loaded: Any, key: str) -> Any:
    if not isinstance(loaded, Mapping):
        return None
    if key in loaded:
        return loaded[key]
    ends = [index for index, character in enumerate(key) if character == "."]
    below = (_entry(loaded[key[:end]], key[end + 1 :]) for end in ends if key[:end] in loaded)
    return next((found for found in below if found is not None), None)


def named_tensors(loaded: Any, path: Path, key: str | None = None) -> StateDict:
    """Return what was loaded as a state_dict: text keys, dense tensors.

    Args:
        loaded: from a file.
        path: of the file.
        key: the entry of it that this is; None for the whole.

    Raises:
        InputError: it is something else; an entry that is a state_dict is named.
    """
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path} holds a {type(loaded).__name__}, not a state_dict")
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            below = next(iter(state_dicts(loaded, key or "")), None)
            way_out = "" if below is None else f"; name the state_dict inside with {chosen(below)}"
            raise InputError(f"{path}: the entry {shown(name)} is a {type(tensor).__name__}, not a tensor{way_out}")
        _check_dense(name, tensor, path)
    return dict(loaded)


def state_dicts(loaded: Any, key: str = "") -> dict[str, StateDict]:
    """Return each state_dict within a checkpoint by its key; what is one itself has the key of the whole.

    The state of an optimizer, whose keys are numbers, is none.
    """
    return {place: dict(found) for place, found in _state_dicts(loaded, key, _DEEPEST)}


def chosen(key: str) -> str:
    """Return how an entry is named."""
    return argument("key", key, option="--weights-key")


def _state_dicts(loaded: Any, key: str, depth: int) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    if not isinstance(loaded, Mapping) or not loaded:
        return
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()):
        yield key, loaded
    elif depth:
        for name, value in loaded.items():
            if isinstance(name, str):
                yield from _state_dicts(value, f"{key}.{name}" if key else name, depth - 1)


def _check_dense(name: str, tensor: Tensor, path: Path) -> None:
    """Raise `InputError` unless the tensor is dense, strided and holds its data."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        kind = "quantized" if tensor.is_quantized else "without data" if tensor.is_meta else str(tensor.layout)
        raise InputError(f"{path}: the tensor {name!r} is {kind}; save it dense (tensor.to_dense())")
