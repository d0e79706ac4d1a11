"""Commands of pip that mend the environment of this very Python when they are pasted into a shell.

Where the system manages this Python (PEP 668), pip changes nothing in it: the commands make a virtual environment
beside it, with Parity in it.
"""

import importlib.util
import json
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

NAME = "parity-onnx"
ENVIRONMENT = "parity-env"
"""The folder of the virtual environment, in that which the commands are pasted in."""


def is_managed() -> bool:
    """Whether pip refuses to install into this Python, and to uninstall from it, as PEP 668 says."""
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    return sys.prefix == sys.base_prefix and marker.is_file()


def pip_install(requirements: Iterable[str]) -> str:
    """Return the command that installs requirements."""
    return _into_own_environment([*requirements]) if is_managed() else _install([*requirements])


def pip_reinstall(requirements: Iterable[str]) -> str:
    """Return the command that writes the files of distributions anew, and of no others."""
    again = [] if is_managed() else ["--force-reinstall", "--no-deps"]
    return pip_install([*again, *requirements])


def pip_replace(names: Iterable[str], requirements: Iterable[str]) -> str:
    """Return the command that removes distributions, and then installs requirements."""
    if is_managed():
        return pip_install(requirements)
    command = _pip("uninstall")
    uninstall = _with_pip(shlex.join([*command, *([] if command[0] == "uv" else ["--yes"]), *names]))
    return f"{uninstall} && {pip_install(requirements)}"


def checkout() -> Path | None:
    """Return the checkout of Parity that this code runs from; None where it runs from elsewhere."""
    folder = Path(__file__).parents[3]
    return folder if (folder / "pyproject.toml").is_file() and (folder / "runtime").is_dir() else None


def _into_own_environment(requirements: list[str]) -> str:
    """Return the command that makes a virtual environment with requirements and Parity in it."""
    python = f"{ENVIRONMENT}/bin/python"
    wanted = dict.fromkeys([*_own(requirements), *requirements])
    if importlib.util.find_spec("ensurepip") is None and shutil.which("uv"):
        make, install = ["uv", "venv", "--python", sys.executable], ["uv", "pip", "install", "--python", python]
    else:
        make, install = [sys.executable, "-m", "venv"], [python, "-m", "pip", "install"]
    return f"{shlex.join([*make, ENVIRONMENT])} && {shlex.join([*install, *wanted])}"


def _own(requirements: list[str]) -> list[str]:
    """Return the requirement that brings Parity itself, and onnxruntime where no other requirement does."""
    extra = "" if any(each.startswith("onnxruntime") for each in requirements) else "[cpu]"
    if folder := checkout():
        return [f"{folder}{extra}"]
    try:
        recorded = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")  # PEP 610
    except (PackageNotFoundError, OSError, ValueError):
        return []
    return [f"{NAME}{extra} @ {recorded['url']}"] if isinstance(recorded.get("url"), str) else []


def _install(requirements: list[str]) -> str:
    return _with_pip(shlex.join([*_pip("install"), *requirements]))


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
