"""The Java that Spark runs on: which one it takes, and which it needs."""

import os
import shutil
from pathlib import Path

LOWEST_JAVA = 17
NEEDED_JAVA = f"Spark needs Java {LOWEST_JAVA} or later (Debian: openjdk-17-jre-headless)"


def find_java() -> str | None:
    """Return the program that Spark starts: of ``JAVA_HOME``, if that is set, else of the ``PATH``."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java") if home else "java")


def place_of_java() -> str:
    """Return where `find_java` looks."""
    home = os.environ.get("JAVA_HOME")
    return f"in JAVA_HOME, {home}" if home else "on the PATH"
