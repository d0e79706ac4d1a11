"""A tracking server of MLflow as a process of its own, which tests stop and start again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


class MLflowServer:
    """One server on the loopback interface, with its SQLite file and artifacts in a folder.

    Attributes:
        uri: its address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port),
                   "--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder}/server.db",
                   "--artifacts-destination", str(self._folder / "artifacts")]  # fmt: skip
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True)
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=30):  # noqa: S310 -- the server above
                    return
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.2)
        raise TimeoutError((self._folder / "server.log").read_text())

    def kill(self) -> None:
        """End it and its workers at once, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
