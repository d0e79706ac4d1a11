"""The Python that Spark runs its workers with on this machine: ``python3`` of PATH, unless PYSPARK_PYTHON says."""

import functools
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from parity_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def check_workers(session: "SparkSession") -> None:
    """Refuse a session on this machine whose workers have no Parity. Of workers elsewhere nothing is known.

    Raises:
        MissingExtraError: names the Python, and the setting that takes this one.
    """
    try:
        context = session.sparkContext
    except Exception:  # Spark Connect has none
        return
    if str(context.master).startswith("local"):
        check_python(str(context.pythonExec))


@functools.cache
def check_python(name: str) -> None:
    """Refuse a Python that cannot import Parity.

    >>> import sys
    >>> from parity_runtime.engines.spark_python import check_python
    >>> check_python(sys.executable)

    Args:
        name: a path, or what to look for on PATH.

    Raises:
        MissingExtraError: as `check_workers`.
    """
    found = shutil.which(name)
    if found is None or Path(found).parent == Path(sys.executable).parent:
        return
    command = [found, "-c", "import parity_runtime"]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 -- Spark runs it as well
        raise MissingExtraError(
            f"Spark runs its workers with {found}, which has no parity_runtime; start the program with this Python for "
            f"them: export PYSPARK_PYTHON={shlex.quote(sys.executable)}"
        )
