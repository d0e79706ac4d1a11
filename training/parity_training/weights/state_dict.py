"""state_dicts: loaded, fitted to their module exactly or refused, and named."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from parity_runtime import InputError
from parity_training.weights.describe import and_more, described
from parity_training.weights.entries import entry, named_tensors
from parity_training.weights.shards import read_weights
from parity_training.weights.weights_file import StateDict


def load_state_dict(path: Path, key: str | None = None, strip_prefix: str = "") -> StateDict:
    """Load a state_dict from a file, and return it: dense tensors by name.

    >>> from pathlib import Path
    >>> import torch
    >>> from parity_training import XORClassifier, load_state_dict
    >>> torch.save({"state_dict": XORClassifier().state_dict()}, "checkpoint.pt")
    >>> list(load_state_dict(Path("checkpoint.pt"), key="state_dict"))
    ['linear1.weight', 'linear1.bias', 'linear2.weight', 'linear2.bias']

    Args:
        path: a file of torch.save, a ``.safetensors`` file, the index of several such files, or the folder that holds
            one of these.
        key: the entry of a larger checkpoint that holds the state_dict (Lightning: ``state_dict``). For an entry within
            an entry, write ``ema.state_dict``.
        strip_prefix: a prefix to remove from every name (Lightning: ``model.``, DistributedDataParallel: ``module.``).

    Raises:
        InputError: the file is missing or unsafe, or does not hold a state_dict.
    """
    loaded = read_weights(path)
    if key is not None:
        loaded = entry(loaded, key, path)
    return _stripped(named_tensors(loaded, path, key), strip_prefix, path)


def _stripped(state_dict: StateDict, prefix: str, path: Path) -> StateDict:
    if not prefix:
        return state_dict
    others = [name for name in state_dict if not name.startswith(prefix)]
    if others:
        raise InputError(f"{path}: the tensor {others[0]!r} does not begin with the prefix {prefix!r}")
    return {name.removeprefix(prefix): tensor for name, tensor in state_dict.items()}


def apply_state_dict(module: nn.Module, state_dict: StateDict, where: str) -> None:
    """Load ``state_dict`` into ``module``: exactly its keys, shapes and dtypes.

    >>> from parity_training import XORClassifier, apply_state_dict
    >>> module, weights = XORClassifier(), XORClassifier().state_dict()
    >>> apply_state_dict(module, weights, "weights.pt")
    >>> bool((module.linear1.weight == weights["linear1.weight"]).all())
    True

    Args:
        module: the module to load the weights into, in place.
        state_dict: the weights.
        where: where the weights are from, for error messages.

    Raises:
        InputError: a tensor is missing, not expected, or of another shape or dtype; the message names the first.
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
        raise InputError(f"{where}: the tensor {missing[0]!r} is missing{and_more(missing)}; is it another network's?")
    extra = [name for name in state_dict if name not in expected]
    if extra:
        raise InputError(f"{where}: the network has no tensor {extra[0]!r}{and_more(extra)}; is it another network's?")
    for name, tensor in state_dict.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise InputError(
                f"{where}: the tensor {name!r} is {described(tensor)}; the network has {described(wanted)}"
            )


def weights_id(state_dict: Mapping[str, Tensor]) -> str:
    """Return the weights id: a SHA-256, in hexadecimal, of the tensors. It does not depend on the file they are in.

    >>> import torch
    >>> from parity_training import weights_id
    >>> weights_id({"w": torch.tensor([1.0, 2.0])})[:16]
    '36561e117ee1e6a5'

    The hash covers each tensor, sorted by name: its name, dtype and shape as text with a newline after each, then the
    bytes of its elements, little-endian and row-major.

    Args:
        state_dict: dense tensors by name, on any device.
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
