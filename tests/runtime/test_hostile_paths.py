"""Paths that no honest user names on purpose, and a machine without memory: one sentence each."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.files.paths import refuse_unwritable, resolved
from tests.warm_process import Forked, WarmProcess

Run = Callable[..., Forked]
BYTE = os.fsdecode(b"\xff")


@pytest.fixture
def run(warm: WarmProcess) -> Run:
    return lambda *arguments, **options: warm.run(arguments, **options)


def reason(done: Forked, code: int = 1) -> str:
    assert done.returncode == code, (done.returncode, done.out, done.err)
    (line,) = done.err.splitlines()
    assert line.startswith("parity: ") and "Traceback" not in line
    return line


def test_paths_that_are_no_utf_8_are_used_and_shown_escaped(
    run: Run, xor_package: Path, package_copy: Callable[[Path], Path], tmp_path: Path
) -> None:
    copy = package_copy(xor_package).rename(tmp_path / f"pack{BYTE}age")
    (tmp_path / f"t{BYTE}.csv").write_text("x1,x2\n0,1\n")
    assert Predictor(copy).predict([[0, 1]]).tolist() == [1]
    out = tmp_path / f"out{BYTE}.csv"
    done = run("predict", copy, tmp_path / f"t{BYTE}.csv", "--out", out)
    assert done.returncode == 0 and out.read_text().startswith("x1,x2,label"), done
    assert "out\\udcff.csv" in done.err
    assert "pack\\udcffage: " in run("verify", copy).out
    assert "nothing\\udcff" in reason(run("verify", tmp_path / f"nothing{BYTE}"))
    assert "nothing\\udcff" in reason(run("predict", copy, tmp_path / f"nothing{BYTE}.csv"))
    assert "\\udcff" in run(f"in{BYTE}fo").err


@pytest.mark.parametrize("command", [["info"], ["verify"], ["bench"], ["predict", "--row", "0,1"]])
def test_a_name_that_is_too_long_is_one_short_sentence(run: Run, command: list[str]) -> None:
    line = reason(run(command[0], "x" * 5000, *command[1:]))
    assert "File name too long" in line and len(line) < 1600


@pytest.mark.parametrize("suffix", [".npy", ".parquet", ".arrow"])
def test_a_pipe_is_not_waited_for_where_a_file_is_needed(
    run: Run, xor_package: Path, tmp_path: Path, suffix: str
) -> None:
    if suffix != ".npy":
        pytest.importorskip("pyarrow")
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    assert "not a regular file" in reason(run("predict", xor_package, pipe))


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_device_never_ends_and_is_refused(run: Run, xor_package: Path, form: str) -> None:
    assert "it is a device" in reason(run("predict", xor_package, "/dev/zero", "--format", form))


def test_a_table_may_come_through_a_pipe(run: Run, xor_package: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write('x1,x2\\n0,1\\n')"])
    done = run("predict", xor_package, pipe)
    assert writer.wait() == 0 and done.returncode == 0 and done.out.count("\n") == 2


def test_links_that_lead_to_one_another_are_one_sentence(run: Run, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for name in ("loop", "one"):
        with pytest.raises(InputError, match="link to itself"):
            resolved(tmp_path / name)
        assert "link to itself" in reason(run("predict", xor_package, "--row", "0,1", "--out", tmp_path / name))
        assert (tmp_path / name).is_symlink()
    (tmp_path / "good").symlink_to("absent")
    assert resolved(tmp_path / "good") == tmp_path.resolve() / "absent"
    assert "loop" in reason(run("info", tmp_path / "loop"))


@pytest.mark.parametrize("name", ["/proc/answers.csv", "x" * 256, "y" * 300 + "/answers.csv"])
def test_a_target_that_cannot_be_written_is_refused_before_the_work(
    run: Run, xor_package: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="cannot write"):
        refuse_unwritable(tmp_path / name)
    done = run("predict", xor_package, "no-such-table.csv", "--out", name, cwd=tmp_path)
    assert "no-such-table" not in reason(done)
    refuse_unwritable(tmp_path / "new" / "deep" / "answers.csv")
    assert os.listdir(tmp_path) == []


WITH_MEMORY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from parity_runtime.cli.main import main
main(sys.argv[2:])
"""


@pytest.mark.slow
def test_too_little_memory_is_called_so(xor_package: Path) -> None:
    """Not broken, and not to be installed again: in new processes, for libraries fail while they are loaded."""
    # A tracer takes memory of its own, and speaks where there is none.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    refused = 0
    for megabytes in range(210, 60, -10):
        command = [sys.executable, "-c", WITH_MEMORY, str(megabytes * 2**20), "predict", xor_package, "--row", "0,1"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=300, env=environment)
        if done.returncode and b"parity: " in done.stderr:  # else a native library ended the process by itself
            refused += 1
            last = done.stderr.decode().splitlines()[-1]  # a native library may have spoken before
            assert last.startswith("parity: not enough memory") and "install" not in last, done.stderr
            # hashlib logs by itself which of its algorithms found no memory, and goes on without them.
            assert b"Traceback" not in done.stderr or done.stderr.startswith(b"ERROR:root:code for hash "), done.stderr
    assert refused
