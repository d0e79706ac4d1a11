"""The process that tests fork commands from: its forks are processes like any other."""

import os
import resource
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.warm_process import WarmProcess


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not list threads in /proc")
def test_it_has_no_thread_that_a_fork_would_lose(warm: WarmProcess) -> None:
    assert len(os.listdir(f"/proc/{warm.pid}/task")) == 1


def test_a_fork_has_a_folder_an_environment_and_descriptors_of_its_own(warm: WarmProcess, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import os, sys; print(os.getcwd(), os.environ['MINE'], sys.argv, file=sys.stderr)")
    done = warm.run(["info"], cwd=tmp_path, environment=os.environ | {"MINE": "yes"}, script=script)
    assert (done.returncode, done.out) == (2, "")
    assert done.err.startswith(f"{tmp_path} yes ") and "Missing argument" in done.err
    assert "MINE" not in os.environ


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_fork_dies_of_a_signal_and_the_next_one_runs(warm: WarmProcess, tmp_path: Path, number: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import resource, time; resource.setrlimit({resource.RLIMIT_CORE}, (0, 0)); time.sleep(600)")
    process = warm.start(["info"], script=script)
    assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(number)
    assert process.wait() == process.poll() == -number
    assert warm.run(["--version"]).out.startswith("parity")


def test_limits_hold_in_the_fork_alone(warm: WarmProcess, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'large')!r}).write_bytes(bytes(5000))")
    done = warm.run(["info"], script=script, limits={resource.RLIMIT_FSIZE: 1000})
    assert done.returncode == 1 and "File too large" in done.err
    assert warm.run(["info"], script=script).returncode == 2


def test_what_a_command_cannot_do_without_was_imported_before(warm: WarmProcess, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print('torch' in sys.modules, 'onnxruntime' in sys.modules, file=sys.stderr)")
    assert warm.run(["--version"], script=script).err == f"{find_spec('torch') is not None} True\n"
