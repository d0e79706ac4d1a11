"""Classes that load a folder themselves, ``Class.from_pretrained``: offline, and without running its code."""

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import shown

METHOD = "from_pretrained"
_FOLDER = "pretrained_model_name_or_path"
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""What transformers and huggingface_hub read as they are imported: nothing is fetched or sent."""

_RUN_CODE = {"trust_remote_code": True, "weights_only": False}
"""Arguments with which a folder's own code would run."""


def is_pretrained(location: str) -> bool:
    """Whether a callable is such a method."""
    return location.rpartition(":")[2].endswith(f".{METHOD}")


def stay_offline() -> None:
    """Forbid this process to ask a hub for anything; to be called before transformers is imported."""
    os.environ.update(_QUIET)


def folder_of(location: str, arguments: Mapping[str, Any], weights: Path | None) -> str:
    """Return the folder that is to be loaded, which is there.

    Raises:
        InputError: none is named, or there is none of that name: names of a hub are no folders.
    """
    named = weights if weights is not None else arguments.get(_FOLDER)
    option = argument("weights", "FOLDER")
    if not isinstance(named, str | os.PathLike):
        raise InputError(f"{location} loads a folder that save_pretrained wrote: {option}")
    if not Path(named).is_dir():
        raise InputError(
            f"there is no folder {shown(str(named))} on this machine, and nothing is downloaded; {location} takes one "
            f"that save_pretrained wrote: {option}"
        )
    return str(named)


def safe_arguments(build: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` beside the folder, and those that keep it on this machine.

    Raises:
        InputError: one lets code of the folder run.
    """
    for name, value in _RUN_CODE.items():
        if name in arguments and bool(arguments[name]) == value:
            raise InputError(
                f"{name}={arguments[name]} would run code of the folder, which no export does; copy that code into "
                "a module of your own, review it, and name it instead of from_pretrained"
            )
    taken = inspect.signature(build).parameters.values()
    given = {name: value for name, value in arguments.items() if name != _FOLDER}
    anything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken)
    safe = {"local_files_only": True}
    if build.__module__.partition(".")[0] == "transformers":
        safe |= {"trust_remote_code": False, "weights_only": True}
    return given | {
        name: value for name, value in safe.items() if anything or name in {parameter.name for parameter in taken}
    }
