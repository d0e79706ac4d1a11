"""A package that Spark brings to its workers, where they see no path of the driver's."""

import functools
import tempfile
import weakref
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from parity_runtime.package.manifest import MANIFEST, Package

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_shipped: "weakref.WeakKeyDictionary[SparkSession, set[str]]" = weakref.WeakKeyDictionary()


def ship(session: "SparkSession", package: str, package_id: str) -> str:
    """Have each executor fetch and unpack a package once, before its next task.

    Args:
        session: whose executors.
        package: the folder on the driver.
        package_id: the one that the driver has read.

    Returns:
        The folder's name among Spark's files on the workers (``SparkFiles.get``).

    Raises:
        DigestError: the package was replaced since the driver read it.
    """
    archive = _archive(package, package_id)
    known = _shipped.setdefault(session, set())
    if archive.name not in known:  # Spark warns of a file that it has already
        session.sparkContext.addArchive(str(archive))
        known.add(archive.name)
    return archive.name


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return where archives lie until this process ends: executors that start later fetch them as well."""
    return tempfile.TemporaryDirectory(prefix="parity-", ignore_cleanup_errors=True)


def _archive(folder: str, package_id: str) -> Path:
    """Return the archive of a package; its name has the id, so that two packages never share one."""
    file = Path(_folder().name) / f"parity-{package_id[:32]}.zip"
    if not file.exists():
        package = Package.open(folder, package_id)
        partial = file.with_suffix(".partial")
        with zipfile.ZipFile(partial, "w") as archive:
            archive.write(Path(folder) / MANIFEST, MANIFEST)
            for name in package.entries:
                with archive.open(name, "w", force_zip64=True) as member:
                    for block in package.blocks(name):
                        member.write(block)
        partial.replace(file)
    return file
