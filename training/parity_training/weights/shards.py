"""Weights wherever they lie: in one file, in several that an index names, or in the folder of either."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.files.json_file import read_json
from parity_runtime.printable import counted, shown
from parity_training.weights.weights_file import StateDict, load_object, load_safetensors

_INDEX = ".index.json"
_IN_FOLDERS = (f"*.safetensors{_INDEX}", "*.safetensors", f"*.bin{_INDEX}", "*.bin")
"""What a folder's weights are called by transformers and diffusers: safetensors are taken before pickles."""


def read_weights(path: Path) -> Any:
    """Return what a file of torch.save or safetensors holds, or all the tensors of several files.

    Args:
        path: of the file; of the index of several (``model.safetensors.index.json``); or of a folder with either.

    Raises:
        InputError: there is no such file, one is missing or damaged, or holds more than tensors and plain containers.
    """
    path = weights_path(path)
    return _load_shards(path) if path.name.endswith(_INDEX) else _load(path)


def weights_path(path: Path) -> Path:
    """Return the file that holds a folder's weights, or their index; any other path as it is.

    Raises:
        InputError: the folder holds none, or several.
    """
    if not path.is_dir():
        return path
    for pattern in _IN_FOLDERS:
        found = sorted(file for file in path.glob(pattern) if not file.name.startswith("."))
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise InputError(f"the folder {path} holds several files of weights, {names}; name the one that is meant")
        if found:
            return found[0]
    raise InputError(
        f"the folder {path} holds no weights: no {', '.join(_IN_FOLDERS)}; name the file, or the folder that holds it"
    )


def _load(path: Path) -> Any:
    return load_safetensors(path) if path.suffix == ".safetensors" else load_object(path)


def _load_shards(index: Path) -> StateDict:
    """Return the tensors of all the files that an index names, which lie beside it."""
    places, least = _read_index(index)
    files = {name: index.with_name(name) for name in sorted(set(places.values()))}
    _check_files(files, Counter(places.values()), least, index)
    tensors: StateDict = {}
    for name, file in files.items():
        loaded = _load(file)
        repeated = sorted(map(str, set(loaded) & set(tensors))) if isinstance(loaded, dict) else []
        if not isinstance(loaded, dict) or repeated:
            said = f"the tensor {shown(repeated[0])} again" if repeated else f"a {type(loaded).__name__}"
            raise InputError(f"{file} holds {said}; each tensor lies in one file of {index.name}, in a state_dict")
        absent = next((key for key, place in places.items() if place == name and key not in loaded), None)
        if absent is not None:
            raise InputError(f"{index} says that {shown(absent)} lies in {name}, which lacks it; download both again")
        tensors |= loaded
    return tensors


def _read_index(index: Path) -> tuple[dict[str, str], int]:
    """Return the file of each tensor, and how many bytes all tensors have (0 where the index does not say)."""
    value = read_json(index)
    places, metadata = value.get("weight_map"), value.get("metadata")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise InputError(f"{index} has no weight_map from tensors to files; is it the index of a model's weights?")
    for name in set(places.values()):
        if name != Path(name).name or "\\" in name or name in {"", ".", ".."}:
            raise InputError(f"{index} names the file {shown(name)}; the files of an index lie in its own folder")
    least = metadata.get("total_size") if isinstance(metadata, dict) else None
    return places, least if isinstance(least, int) else 0


def _check_files(files: dict[str, Path], tensors: Counter[str], least: int, index: Path) -> None:
    """Refuse files that are missing or cut off, before any of them is loaded."""
    for name, file in files.items():
        if not os.path.lexists(file):
            raise InputError(
                f"{index} names {name}, which is missing, with {counted(tensors[name], 'tensor')}; put it beside the "
                "index"
            )
    size = sum(file.stat().st_size for file in files.values() if file.is_file())
    if size < least:
        raise InputError(
            f"the files of {index} have {size} bytes, and their tensors take {least}: one is cut off; download them "
            "again"
        )
