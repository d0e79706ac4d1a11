"""state_dicts on disk: saved whole, loaded without running code, fitted to their module or refused, and named."""

import hashlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_runtime.arguments import argument
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


def load_state_dict(path: Path, key: str | None = None, strip_prefix: str = "") -> StateDict:
    """Load a state_dict: text keys, dense tensors.

    >>> from pathlib import Path
    >>> import torch
    >>> from parity_training import XORClassifier, load_state_dict
    >>> torch.save({"state_dict": XORClassifier().state_dict()}, "checkpoint.pt")
    >>> list(load_state_dict(Path("checkpoint.pt"), key="state_dict"))
    ['linear1.weight', 'linear1.bias', 'linear2.weight', 'linear2.bias']

    Args:
        path: a file of torch.save, or ``.safetensors``.
        key: the entry of a larger checkpoint that holds the state_dict (Lightning: ``state_dict``).
        strip_prefix: taken off every name (Lightning: ``model.``, DistributedDataParallel: ``module.``).

    Raises:
        InputError: the file is missing, unsafe, or holds something else.
    """
    loaded = _load_safetensors(path) if path.suffix == ".safetensors" else load_object(path)
    if key is not None:
        loaded = _entry(loaded, key, path)
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path} holds a {type(loaded).__name__}, not a state_dict")
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            nested = [entry for entry, value in loaded.items() if isinstance(value, Mapping)]
            way_out = (
                f"; name the state_dict inside with {argument('key', nested[0], option='--weights-key')}"
                if nested
                else ""
            )
            raise InputError(f"{path}: the entry {name!r} is a {type(tensor).__name__}, not a tensor{way_out}")
        _check_dense(name, tensor, str(path))
    return _stripped(dict(loaded), strip_prefix, path)


def _load_safetensors(path: Path) -> StateDict:
    from safetensors.torch import load, load_file  # noqa: PLC0415 -- of the [export] extra; training does without

    with _opened(path) as file:
        try:
            # safetensors takes no path that is no UTF-8
            return load_file(path) if str(path).isprintable() else load(file.read())
        except Exception as error:  # safetensors raises its own, from Rust
            if out_of_memory(error):
                raise MemoryError(f"{path} cannot be loaded ({first_line(error)})") from error
            raise InputError(f"{path} is no safetensors file, or is damaged: {first_line(error)}") from error


def _entry(loaded: Any, key: str, path: Path) -> Any:
    if not isinstance(loaded, Mapping) or key not in loaded:
        known = ", ".join(map(str, loaded)) if isinstance(loaded, Mapping) else type(loaded).__name__
        raise InputError(f"{path} has no entry {key!r}; it holds {known}")
    return loaded[key]


def _stripped(state_dict: StateDict, prefix: str, path: Path) -> StateDict:
    if not prefix:
        return state_dict
    others = [name for name in state_dict if not name.startswith(prefix)]
    if others:
        raise InputError(f"{path}: the tensor {others[0]!r} does not begin with the prefix {prefix!r}")
    return {name.removeprefix(prefix): tensor for name, tensor in state_dict.items()}


def _check_dense(name: str, tensor: Tensor, where: str) -> None:
    """Raise `InputError` unless the tensor is dense, strided and holds its data."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        kind = "quantized" if tensor.is_quantized else "without data" if tensor.is_meta else str(tensor.layout)
        raise InputError(f"{where}: the tensor {name!r} is {kind}; save it dense (tensor.to_dense())")


def apply_state_dict(module: nn.Module, state_dict: StateDict, where: str) -> None:
    """Load ``state_dict`` into ``module``: exactly its keys, shapes and dtypes.

    >>> from parity_training import XORClassifier, apply_state_dict
    >>> module, weights = XORClassifier(), XORClassifier().state_dict()
    >>> apply_state_dict(module, weights, "weights.pt")
    >>> bool((module.linear1.weight == weights["linear1.weight"]).all())
    True

    Args:
        module: takes them in place.
        state_dict: the weights.
        where: they are from, for errors.

    Raises:
        InputError: names the first tensor that is missing, not expected, or of another shape or dtype.
    """
    check_state_dict(module, state_dict, where)
    module.load_state_dict(state_dict, strict=True)


def check_state_dict(module: nn.Module, state_dict: StateDict, where: str) -> None:
    """Refuse weights that are not exactly a module's, which may be on the device ``meta``.

    Raises:
        InputError: as `apply_state_dict`.
    """
    expected = module.state_dict()
    missing = [name for name in expected if name not in state_dict]
    if missing:
        raise InputError(f"{where}: the tensor {missing[0]!r} is missing{_more(missing)}; is it another network's?")
    extra = [name for name in state_dict if name not in expected]
    if extra:
        raise InputError(f"{where}: the network has no tensor {extra[0]!r}{_more(extra)}; is it another network's?")
    for name, tensor in state_dict.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise InputError(
                f"{where}: the tensor {name!r} is {_described(tensor)}; the network has {_described(wanted)}"
            )


def weights_id(state_dict: Mapping[str, Tensor]) -> str:
    """Return the identity of weights: sha256 in hexadecimal over their tensors, never over a file.

    >>> import torch
    >>> from parity_training import weights_id
    >>> weights_id({"w": torch.tensor([1.0, 2.0])})[:16]
    '36561e117ee1e6a5'

    Hashed are, for each tensor in the order of its name: name, dtype and shape as text with a newline each, and
    the elements' bytes, little-endian, row-major.
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(f"{name}\n{str(tensor.dtype).removeprefix('torch.')}\n{list(tensor.shape)}\n".encode())
        raw = tensor.reshape(-1).view(torch.uint8).numpy()
        if sys.byteorder == "big":
            raw = raw.reshape(-1, tensor.element_size())[:, ::-1].copy()
        digest.update(raw.tobytes())
    return digest.hexdigest()


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
