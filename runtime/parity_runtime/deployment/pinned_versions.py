"""The versions that are installed here of what a wheel of ours needs, as constraints for pip."""

import re
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.printable import shown
from parity_runtime.version import __version__

_NAME = "parity-onnx"
_FILE = re.compile(rf"parity_onnx-{re.escape(__version__)}-[\w.+-]+\.whl")  # pip reads name and version from it
_LARGEST_METADATA = 2**20  # bytes
_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[(?P<extras>[^\]]*)\])?[^;]*(;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def wheel_requirements(path: Path, extras: Iterable[str]) -> list[str]:
    """Return what a wheel of this very version of Parity needs, as its metadata says it.

    Args:
        path: the wheel.
        extras: that it must have.

    Raises:
        InputError: it is no such wheel.
    """
    way_out = "make one in a checkout of Parity: pip wheel --no-deps --wheel-dir dist ."
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(info for info in archive.infolist() if info.filename.endswith(".dist-info/METADATA"))
            with archive.open(entry) as file:
                metadata = Parser().parsestr(file.read(_LARGEST_METADATA).decode())
    except (OSError, zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a wheel"
        raise InputError(f"{path} cannot be read: {reason}; {way_out}") from error
    found = f"{metadata['Name']} {metadata['Version']}"
    if found != f"{_NAME} {__version__}" or not _FILE.fullmatch(path.name):
        raise InputError(
            f"{argument('wheel')} is {shown(path.name)} ({shown(found)}), not a wheel of {_NAME} {__version__}, which "
            f"checks the packages here; {way_out}"
        )
    missing = set(extras) - set(metadata.get_all("Provides-Extra", []))
    if missing:
        raise InputError(f"{path} has no extra {min(missing)}: it is older than the code that runs here; {way_out}")
    return metadata.get_all("Requires-Dist", [])


def pinned_versions(requirements: Iterable[str], extras: Iterable[str]) -> dict[str, str]:
    """Return the versions that are installed of what is required, and of what that requires, by name, sorted.

    Args:
        requirements: as ``Requires-Dist`` has them.
        extras: that are wanted of the distribution itself.

    Raises:
        MissingExtraError: one that is needed everywhere is not installed.
    """
    found: dict[str, str] = {}
    waiting = [(requirement, frozenset(extras)) for requirement in requirements]
    while waiting:
        requirement, wanted = waiting.pop()
        parsed = _REQUIREMENT.match(requirement)
        marker = parsed["marker"] or "" if parsed else ""
        if parsed is None or not set(_EXTRA.findall(marker)) <= wanted:
            continue
        name = re.sub(r"[-_.]+", "-", parsed["name"]).lower()
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError as error:
            if _EXTRA.sub("", marker).strip():  # of another Python, or another system
                continue
            raise MissingExtraError(
                f"the image gets the versions that are installed here, and {name} is not; from a checkout of Parity: "
                'pip install ".[cpu,serve]"'
            ) from error
        found[name] = installed.version
        inner = frozenset(part.strip() for part in (parsed["extras"] or "").split(",") if part.strip())
        waiting += [(each, inner) for each in installed.requires or ()]
    return dict(sorted(found.items()))
