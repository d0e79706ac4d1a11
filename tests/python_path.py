"""The search path of a Python that a test starts in a folder of its own."""

import os
from pathlib import Path


def python_path(*first: str) -> str:
    """Return a PYTHONPATH of some folders, and of those that the tests themselves were started with.

    A process that loses the latter imports whatever is installed: another checkout, or nothing.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([*first, *(str(Path(path).resolve()) for path in given if path)])
