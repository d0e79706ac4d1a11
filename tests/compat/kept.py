"""What released versions wrote, unpacked."""

import tarfile
from pathlib import Path


def unpacked(version: str, name: str, folder: Path) -> Path:
    """Return the run or package ``name`` of a version, in ``folder``."""
    with tarfile.open(Path(__file__).parent / version / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name
