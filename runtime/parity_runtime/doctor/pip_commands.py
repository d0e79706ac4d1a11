"""Commands of pip that mend the environment of this very Python when they are pasted into a shell."""

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Iterable


def pip_install(requirements: Iterable[str]) -> str:
    """Return the command that installs requirements."""
    return _with_pip(shlex.join([*_pip("install"), *requirements]))


def pip_reinstall(requirements: Iterable[str]) -> str:
    """Return the command that writes the files of distributions anew, and of no others."""
    return pip_install(["--force-reinstall", "--no-deps", *requirements])


def pip_uninstall(names: Iterable[str]) -> str:
    """Return the command that removes distributions."""
    command = _pip("uninstall")
    return _with_pip(shlex.join([*command, *([] if command[0] == "uv" else ["--yes"]), *names]))


def _with_pip(command: str) -> str:
    """Return a command, behind the one that brings pip where there is none (`python -m venv --without-pip`)."""
    lacks_pip = importlib.util.find_spec("pip") is None and not shutil.which("uv")
    if not lacks_pip or importlib.util.find_spec("ensurepip") is None:
        return command
    return f"{shlex.join([sys.executable, '-m', 'ensurepip'])} && {command}"


def _pip(verb: str) -> list[str]:
    """Return pip's command; uv's, whose environments have no pip, where it is there in its place."""
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return ["uv", "pip", verb, "--python", sys.executable]
    return [sys.executable, "-m", "pip", verb]
