"""docs/how-to/gunicorn.md: its application under gunicorn, preloaded and forked, asked by curl and over sockets."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.host_page import PATIENCE, HostPage, children

pytest.importorskip("gunicorn", reason="gunicorn is not installed")
pytestmark = pytest.mark.slow
ANY_PORT = {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:0"}


@pytest.fixture
def page(tmp_path: Path) -> HostPage:
    return HostPage("gunicorn.md", tmp_path)


def listening(log: Path) -> int:
    """Wait until gunicorn listens; return its port."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def ask(port: int) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}", b"[[0, 1], [1, 1]]", PATIENCE) as found:
        return json.load(found)


def workers(master: int, gone: int | None = None) -> list[int]:
    """Wait for the two workers of a master, of which ``gone`` is none any more."""
    until = time.monotonic() + PATIENCE
    while len(found := [pid for pid in children(master) if pid != gone]) < 2:
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def test_each_forked_worker_answers_and_one_that_is_killed_is_replaced(page: HostPage, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with page.running(page.command("gunicorn"), log, ANY_PORT) as master:
        port = listening(log)
        both = workers(master.pid)
        for stopped in both:  # the other one answers
            os.kill(stopped, signal.SIGSTOP)
            assert ask(port) == {"labels": [1, 0]}
            os.kill(stopped, signal.SIGCONT)
        os.kill(both[0], signal.SIGKILL)
        os.kill(both[1], signal.SIGSTOP)
        (replaced,) = set(workers(master.pid, gone=both[0])) - {both[1]}
        assert replaced != both[0] and ask(port) == {"labels": [1, 0]}
        os.kill(both[1], signal.SIGCONT)
        if shutil.which("curl"):
            for *command, said in page.lines("curl"):
                here = [word.replace(":8000", f":{port}") for word in command]
                assert subprocess.run(here, capture_output=True, text=True, check=True).stdout == said
        master.send_signal(signal.SIGTERM)
        assert master.wait(PATIENCE) == 0, log.read_text()


def test_a_damaged_package_ends_gunicorn_at_its_start_with_the_line_that_the_page_names(
    page: HostPage, tmp_path: Path
) -> None:
    page.damage()
    log = tmp_path / "log"
    with page.running(page.command("gunicorn"), log, ANY_PORT) as master:
        assert master.wait(PATIENCE) != 0
    assert log.read_text().splitlines()[-1].startswith("parity_runtime.errors.DigestError: ")
