"""The command that installs the JavaScript libraries which the page loads."""

import shlex
from collections.abc import Mapping
from pathlib import Path


def npm_command(folder: Path, versions: Mapping[str, str]) -> str:
    """Return the command that installs libraries below a folder, in these versions."""
    libraries = [f"{name}@{version}" for name, version in versions.items()]
    return shlex.join(["npm", "install", "--ignore-scripts", "--prefix", str(folder), *libraries])
