"""Checkpoints as they lie about, loaded into a module: the entry and the prefix that fit are found, and said."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from parity_runtime import InputError
from parity_training.weights.entries import chosen, entry, named_tensors, state_dicts
from parity_training.weights.fit_weights import Fit, fit
from parity_training.weights.shards import read_weights, weights_path
from parity_training.weights.weights_file import StateDict


def load_weights(
    module: nn.Module,
    path: str | Path,
    *,
    key: str | None = None,
    strip_prefix: str = "",
    ignore: Sequence[str] = (),
) -> tuple[str, ...]:
    """Load a checkpoint of any usual form into a module, and return notes on what was changed to make it fit.

    Every tensor of the module is loaded without rounding. Half precision becomes float32, and a tied tensor may be
    stored once. The function finds the fitting entry of the checkpoint, and prefixes that wrappers add (``module.``,
    ``model.``, ``_orig_mod.``). It refuses a tensor of the file that the module does not have, except for counters and
    for names that match ``ignore``.

    >>> import torch
    >>> from parity_training import XORClassifier, load_weights
    >>> ddp = {f"module.{name}": tensor.bfloat16() for name, tensor in XORClassifier().state_dict().items()}
    >>> torch.save({"state_dict": ddp, "epoch": 3}, "ddp.ckpt")
    >>> for note in load_weights(XORClassifier(), "ddp.ckpt"):
    ...     print(note)
    ddp.ckpt: the weights are its entry state_dict
    ddp.ckpt: the prefix module. is taken off the names of 4 tensors
    ddp.ckpt: 4 tensors are bfloat16; read as float32, exactly

    Args:
        module: the module to load the weights into, in place.
        path: a file of torch.save or safetensors, the index of several such files, or the folder that holds one of
            these.
        key: the entry that holds the state_dict, such as ``ema`` or ``ema.state_dict``. Needed only if several fit.
        strip_prefix: a prefix to remove from every name. Needed only if several prefixes fit.
        ignore: patterns for tensors of the file that the module does not have, such as ``criterion.*``.

    Returns:
        A line for each change; empty if the file is exactly the module's state_dict.

    Raises:
        InputError: the file is missing, damaged or unsafe. Or a tensor is missing, not expected, of another shape, or
            of a dtype that the module's dtype would round; the message names the first.
    """
    given, path = Path(path), weights_path(Path(path))
    if isinstance(ignore, str):
        raise InputError(f"ignore is the text {ignore!r}; give a list of patterns, such as {[ignore]!r}")
    loaded = read_weights(path)
    candidates = _candidates(loaded, key, path)
    place, found = _fitting(module, candidates, path, strip_prefix, ignore)
    named_tensors(candidates[place], path, place)  # dense ones
    module.load_state_dict(found.weights(), strict=True)
    notes = [f"{given.name or given}: its {path.name} is loaded"] if path != given else []
    notes += [f"{path.name}: the weights are its entry {place}"] if place != (key or "") else []
    return (*notes, *found.notes)


def _candidates(loaded: Any, key: str | None, path: Path) -> dict[str, StateDict]:
    """Return the state_dicts that may be meant, by their key."""
    if key is not None:
        loaded = entry(loaded, key, path)
    return state_dicts(loaded, key or "") or {"": named_tensors(loaded, path, key)}


def _fitting(
    module: nn.Module, candidates: dict[str, StateDict], path: Path, strip_prefix: str, ignore: Sequence[str]
) -> tuple[str, Fit]:
    """Return the key of the one state_dict that is the module's, or comes near to it, and how it fits.

    Raises:
        InputError: several fit, or no name begins with the prefix.
    """
    fits, refused = {}, None
    for key, tensors in candidates.items():
        try:
            fits[key] = fit(module, tensors, path, strip_prefix, ignore)
        except InputError as error:  # its names do not begin with the prefix
            refused = refused or error
    if not fits and refused is not None:
        raise refused
    whole = [key for key, found in fits.items() if found.is_whole]
    if len(whole) > 1:
        choice = " or ".join(map(chosen, whole))
        raise InputError(f"{path} holds several state_dicts that fit, {', '.join(whole)}; choose one: {choice}")
    key = whole[0] if whole else min(fits, key=lambda key: len(fits[key].missing) + len(fits[key].misshapen))
    return key, fits[key]
