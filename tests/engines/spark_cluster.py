"""A standalone cluster of Spark's on this machine: a master, workers and executors are processes of their own."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.python_path import python_path

MARK = "PARITY_TEST_CLUSTER"
"""In the environment of every process of a cluster, so that all are found."""

ROOT = Path(__file__).resolve().parents[2]
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For processes that live for a minute: they start in half the time."""

WAIT = 180.0  # seconds for a busy machine
WORKER = ("org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "640M")


def absent() -> str | None:
    """Why there can be no cluster here; None where there can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed"
    return None if shutil.which("java") else "Java is not installed"


def wait_for(found: Callable[[], object], what: str) -> object:
    end = time.monotonic() + WAIT
    while not (value := found()):
        assert time.monotonic() < end, f"no {what} in {WAIT:.0f} seconds"
        time.sleep(0.05)
    return value


class Cluster:
    """A master and two workers with a core each.

    Attributes:
        url: the master's.
        java_options: of the driver and the executors, whose temporary files are the test's.
        environment: what its processes know, and the driver has to.
    """

    def __init__(self, folder: Path) -> None:
        spec = importlib.util.find_spec("pyspark")
        assert spec is not None and spec.origin is not None
        self._folder, self._home = folder, Path(spec.origin).parent
        self.java_options = f"{JAVA_OPTIONS} -Djava.io.tmpdir={folder}"
        self._started: list[subprocess.Popen[bytes]] = []
        self._mark = uuid.uuid4().hex
        self.environment = {
            MARK: self._mark, "SPARK_HOME": str(self._home), "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": JAVA_OPTIONS, "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": python_path(str(ROOT)), "OMP_NUM_THREADS": "1",
            "SPARK_LOCAL_DIRS": str(folder / "local"), "SPARK_WORKER_DIR": str(folder / "work"),
        }  # fmt: skip

    def __enter__(self) -> "Cluster":
        log = self._start("org.apache.spark.deploy.master.Master", "--port", "0")
        found = wait_for(lambda: re.search(r"spark://127\.0\.0\.1:\d+", log.read_text()), "master")
        assert isinstance(found, re.Match)
        self.url = found[0]
        for _ in range(2):
            self._start(*WORKER, self.url)  # a job waits for them
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            process.terminate()  # a worker ends its executors
        with suppress(AssertionError):
            wait_for(lambda: not list(self.processes()), "end")
        left = self.processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.wait(WAIT)
        assert not left, f"the cluster left processes: {left}"

    def _start(self, *command: str) -> Path:
        log = self._folder / f"{len(self._started)}.log"
        launch = [str(self._home / "bin" / "spark-class"), command[0], "--host", "127.0.0.1", "--webui-port", "0"]
        with log.open("wb") as output:
            self._started.append(
                subprocess.Popen(
                    [*launch, *command[1:]], env=os.environ | self.environment, stdout=output, stderr=output
                )
            )
        return log

    def processes(self) -> dict[int, str]:
        """Return the command of every process of the cluster that lives."""
        found = {}
        for process in self._started:
            process.poll()  # it would be a zombie otherwise
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self._mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        found.pop(os.getpid(), None)
        return found

    def executors(self) -> list[int]:
        """Return the processes of the executors."""
        return [pid for pid, command in self.processes().items() if "CoarseGrainedExecutorBackend" in command]

    def holding(self, library: str) -> Iterator[int]:
        """Yield Spark's Python processes that have loaded a library."""
        for pid, command in self.processes().items():
            with suppress(OSError):
                if "pyspark.daemon" in command and library in Path(f"/proc/{pid}/maps").read_text():
                    yield pid
