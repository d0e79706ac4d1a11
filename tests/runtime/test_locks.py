"""Two processes at one file or folder: the second is told who the first is; a killed one holds nothing."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity_runtime import InputError
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.locks import NoLocksError, held
from parity_runtime.files.staged_folder import staged_folder

WRITER = """
import sys, time
from pathlib import Path
from parity_runtime.files.atomic_write import atomic_write
from parity_runtime.files.staged_folder import staged_folder
target = Path(sys.argv[1])
if sys.argv[2] == "folder":
    with staged_folder(target, replace=True) as folder:
        (folder / "a").write_text("new")
        print("ready", flush=True)
        sys.stdin.read()
else:
    with atomic_write(target) as file:
        file.write(b"new")
        print("ready", flush=True)
        sys.stdin.read()
"""


def writer(target: Path, kind: str) -> subprocess.Popen[str]:
    """Start a process that has begun to write, and ends when its stdin does."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def write(target: Path, kind: str) -> None:
    if kind == "file":
        write_file(target, b"mine")
    else:
        with staged_folder(target, replace=True) as folder:
            (folder / "a").write_text("mine")


def content(target: Path) -> str:
    return (target if target.is_file() else target / "a").read_text()


@pytest.fixture(params=["file", "folder"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_second_process_is_refused_and_told_who_the_first_is(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    process = writer(target, kind)
    with pytest.raises(InputError, match=rf"another process \(PID {process.pid}: .* is writing .*x; wait for it"):
        write(target, kind)
    process.communicate()
    assert process.returncode == 0
    assert content(target) == "new"
    assert os.listdir(tmp_path) == ["x"]
    write(target, kind)
    assert content(target) == "mine"


def test_what_a_killed_process_left_is_cleared_by_the_next_that_writes(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    write(target, kind)
    process = writer(target, kind)
    process.kill()
    process.communicate()
    assert sorted(os.listdir(tmp_path)) == [".x.partial", "x"]
    assert content(target) == "mine"
    write(target, kind)
    assert os.listdir(tmp_path) == ["x"]


def test_the_lock_of_a_killed_process_does_not_live_on_in_its_children(tmp_path: Path) -> None:
    """Workers that load batches are forked; they outlive a killed parent for seconds."""
    code = (
        "import os, sys, time; from pathlib import Path; from parity_runtime.files.locks import held\n"
        "with held(Path(sys.argv[1]), 'training'):\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    print('ready', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    try:
        process.kill()
        process.wait()
        with held(tmp_path, "training", seconds=2):
            pass
    finally:
        os.killpg(process.pid, 9)
        process.stdout.close()


def test_readers_share_and_a_writer_waits_for_them(tmp_path: Path) -> None:
    with held(tmp_path, "reading x", shared=True), held(tmp_path, "reading x", shared=True):
        begin = time.monotonic()
        with (
            pytest.raises(InputError, match="this process itself is reading x"),
            held(tmp_path, "reading x", seconds=0.2),
        ):
            pass
        assert time.monotonic() - begin >= 0.2


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file system that takes no locks on folders, as NFS."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_what_may_be_another_s_is_never_removed(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    write(target, kind)
    assert os.listdir(tmp_path) == ["x"]
    leftover = tmp_path / ".x.partial"
    if kind == "file":
        leftover.write_text("theirs")
    else:
        leftover.mkdir()
        (leftover / "a").write_text("theirs")
    with pytest.raises(
        NoLocksError, match=r"no locks to tell which; if there is none, remove it: rm -r .*\.x\.partial"
    ):
        write(target, kind)
    assert content(leftover) == "theirs"
    assert content(target) == "mine"


def test_a_link_or_another_s_file_under_the_staging_name_is_never_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a").write_text("theirs")
    (tmp_path / ".x.partial").symlink_to(victim)
    with pytest.raises(InputError, match=r"cannot write .*x \(.*\.x\.partial\)"):
        write(tmp_path / "x", "folder")
    (tmp_path / ".y.partial").symlink_to(victim / "a")
    write(tmp_path / "y", "file")
    assert (victim / "a").read_text() == "theirs"
    assert (tmp_path / "y").read_text() == "mine"


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "n" * 247])
def test_names_as_long_as_a_file_system_takes_are_written(name: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path / name, kind)
    write(tmp_path / name, kind)
    assert os.listdir(tmp_path) == [name]
