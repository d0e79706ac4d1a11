"""Spark for a command: a session of the cluster that is named or configured, or of this machine."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from parity_runtime.arguments import argument
from parity_runtime.engines.java import NEEDED_JAVA, find_java, place_of_java
from parity_runtime.engines.knock import knock
from parity_runtime.engines.processes_stderr import stderr_into
from parity_runtime.errors import InputError, MissingExtraError, first_line
from parity_runtime.printable import shown

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOOPBACK = "127.0.0.1"
_EXCEPTION = re.compile(
    r"^(?:: |Exception in thread \"\w+\" )?[\w.$]*(?:Exception|Error): (.+)$|^Caused by: (.+)$", re.MULTILINE
)


def check_spark() -> None:
    """Refuse an environment without Spark.

    Raises:
        MissingExtraError: names the extra.
    """
    try:
        import pyarrow  # noqa: F401, PLC0415 -- both of the [spark] extra
        import pyspark  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{error.name} is not installed; from a checkout of Parity: pip install ".[cpu,spark]"'
        ) from error


@contextlib.contextmanager
def spark_session(address: str | None) -> Iterator["SparkSession"]:
    """Open a session while the block runs, or take the one that is active.

    Args:
        address: of the master; None for what ``spark-submit`` or Spark's configuration says, else ``local[*]``. On this
            machine alone, everything listens on the loopback interface.

    Raises:
        MissingExtraError: Spark is not installed, or Java.
        InputError: there is no such master, or it does not answer.
    """
    check_spark()
    _check_java()
    from pyspark.sql import SparkSession  # noqa: PLC0415 -- of the [spark] extra

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    session = _started(address)
    try:
        yield session
    finally:
        with contextlib.suppress(Exception):  # its cluster may be gone
            session.stop()


def _check_java() -> None:
    if find_java() is None:
        raise MissingExtraError(f"{NEEDED_JAVA}; there is none {place_of_java()}")


def _started(address: str | None) -> "SparkSession":
    with tempfile.TemporaryFile() as log, stderr_into(log):
        try:
            return _session(address)
        except Exception as error:
            told = shown(address) if address else "the configured master"
            raise InputError(
                f"Spark does not start with {told}: {_reason(error, log)}; {argument('engine_address')} takes a "
                "master's address, such as spark://host:7077"
            ) from error


def _session(address: str | None) -> "SparkSession":
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 -- of the [spark] extra
    from pyspark.sql import SparkSession  # noqa: PLC0415

    if address and address.startswith("spark://"):
        knock(address.removeprefix("spark://"))
    # Java reads the user's configuration of Spark, of which some counts for some masters alone.
    SparkContext._ensure_initialized(conf=SparkConf(False).setMaster(address) if address else None)
    conf = SparkConf()
    master = address or conf.get("spark.master", "local[*]") or "local[*]"
    settings: dict[str, Any] = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.app.name": "parity",
    }
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings |= {"spark.driver.host": _LOOPBACK, "spark.driver.bindAddress": _LOOPBACK}
    session = SparkSession.builder.master(master).config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("OFF")  # what goes wrong is said in one line
    return session


def _reason(error: Exception, log: IO[bytes]) -> str:
    """Return why Spark did not start: the last cause in the error's text, or in the log."""
    log.seek(0)
    found = java_reason(str(error)) or java_reason(log.read().decode(errors="replace"))
    return found or first_line(error).removesuffix(".")


def java_reason(text: str) -> str | None:
    """Return the last cause in the text of an error, or a log, of Java's; None where there is none."""
    found = _EXCEPTION.findall(text)
    return "".join(found[-1]) if found else None
