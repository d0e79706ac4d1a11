"""What an examination says: one line a thing, with the command that mends it."""

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "absent", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination.

    Attributes:
        area: what it belongs to: ``core``, ``providers``, ``extras``, ``machine`` or ``environment``.
        name: of what was looked at.
        level: ``ok``; ``absent``: not installed, and nothing needs it; ``warning``: works otherwise than one may think,
            or an extra does not work; ``error``: Parity cannot predict here.
        found: what was found, and what follows from it.
        remedy: a command that mends it when it is pasted into a shell; empty where there is none, or no need.
    """

    area: str
    name: str
    level: Level
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def pip_install(requirements: Iterable[str]) -> str:
    """Return the command that installs requirements into the environment of this very Python."""
    return shlex.join([*_pip("install"), *requirements])


def pip_uninstall(names: Iterable[str]) -> str:
    """Return the command that removes distributions from the environment of this very Python."""
    command = _pip("uninstall")
    return shlex.join([*command, *([] if command[0] == "uv" else ["--yes"]), *names])


def _pip(verb: str) -> list[str]:
    """Return pip's command; uv's, whose environments have no pip, where it is there in its place."""
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return ["uv", "pip", verb, "--python", sys.executable]
    return [sys.executable, "-m", "pip", verb]
