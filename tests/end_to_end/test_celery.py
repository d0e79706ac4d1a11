"""docs/how-to/celery.md: a worker and its pool of forked processes, asked over a queue that is a folder."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.host_page import PATIENCE, HostPage

pytest.importorskip("celery", reason="celery is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture
def page(tmp_path: Path) -> HostPage:
    made = HostPage("celery.md", tmp_path)
    for _, *folders, _ in made.lines("mkdir"):
        for name in folders[1:]:
            (tmp_path / name).mkdir()
    return made


def test_forked_processes_answer_and_errors_keep_their_row_and_column(page: HostPage, tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "ask.py").write_text(2 * page.python())
    # Of the four tasks the last two at least reach processes that were forked after the first ones had answered.
    with page.running([*page.command("celery"), "--max-tasks-per-child", "1"], log, {}) as worker:
        asked = [sys.executable, "-W", "error", "ask.py"]
        done = subprocess.run(asked, check=False, cwd=tmp_path, env=page.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + log.read_text()
        assert done.stdout == 2 * "[1, 0]\n1 x2 row 1: x2 is 'much', which is text; it takes numbers\n"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0, log.read_text()
    assert log.read_text().count("raised unexpected: InputError(") == 2


def test_a_damaged_package_ends_the_worker_at_its_start_with_the_line_that_the_page_names(
    page: HostPage, tmp_path: Path
) -> None:
    page.damage()
    log = tmp_path / "log"
    with page.running(page.command("celery"), log, {}) as worker:
        assert worker.wait(PATIENCE) != 0
    assert log.read_text().rstrip().splitlines()[-1].startswith("parity_runtime.errors.DigestError: ")
