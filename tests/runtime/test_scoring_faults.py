"""Scoring that is cut short: nothing that looks like a whole answer, one clear line, no traceback."""

import contextlib
import io
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime.cli import main
from tests.warm_process import Forked, WarmProcess

pytestmark = pytest.mark.slow

PARITY = str(Path(sys.executable).parent / "parity")
ROWS = 400_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that takes a second to answer."""
    path = tmp_path_factory.mktemp("large") / "t.csv"
    lines = [f"{row},{row % 7 / 7},{row % 5 / 5}\n" for row in range(ROWS)]
    path.write_text("id,x1,x2\n" + "".join(lines))
    return path


@pytest.fixture
def scoring(warm: WarmProcess, xor_package: Path, large: Path, tmp_path: Path) -> Iterator[Forked]:
    """A scoring to a file, caught in the middle."""
    process = warm.start(["predict", xor_package, large, "--out", tmp_path / "out.csv", "--batch-size", "64"])
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.glob(".out.csv.*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    yield process
    process.kill()
    process.communicate()


def test_killed_it_leaves_no_output(scoring: Forked, tmp_path: Path) -> None:
    scoring.send_signal(signal.SIGKILL)
    assert scoring.wait() == -signal.SIGKILL
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]


def test_interrupted_it_stops_at_once_and_leaves_nothing(scoring: Forked, tmp_path: Path) -> None:
    scoring.send_signal(signal.SIGINT)
    _, error = scoring.communicate(timeout=30)
    assert (scoring.returncode, error.strip()) == (130, "parity: interrupted")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--threads", "3"]])
def test_a_reader_that_has_enough_is_no_error(xor_package: Path, large: Path, options: list[str]) -> None:
    command = [PARITY, "predict", str(xor_package), str(large), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"id,x1,x2,label")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_a_full_disk_is_said_and_leaves_nothing(
    warm: WarmProcess, xor_package: Path, large: Path, tmp_path: Path, suffix: str
) -> None:
    source, out = large, tmp_path / f"out{suffix}"
    if suffix == ".npy":
        source = tmp_path / "t.npy"
        np.save(source, np.zeros((ROWS, 2), np.float32))
    if suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        source = tmp_path / "t.parquet"
        random = np.random.default_rng(0)
        parquet.write_table(pyarrow.table({name: random.random(ROWS) for name in ("x1", "x2")}), source)
    before = set(tmp_path.iterdir())
    done = warm.run(["predict", xor_package, source, "--out", out], limits={resource.RLIMIT_FSIZE: 2**20})
    assert done.returncode == 1, done.err
    assert "disk is full" in done.err and str(out) in done.err and len(done.err.splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_said(xor_package: Path, large: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [PARITY, "predict", str(xor_package), str(large)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["parity: cannot write to stdout: No space left on device"]


def test_memory_does_not_grow_with_the_rows(xor_package: Path, large: Path, tmp_path: Path) -> None:
    """Eight times the rows take the same memory; the benchmark says how much, this test that nothing is kept."""
    code = ("import resource, sys; from parity_runtime.cli.main import _run; "
            "code = _run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)")  # fmt: skip
    peaks = []
    lines = large.read_text().splitlines(keepends=True)
    for rows in (ROWS // 8, ROWS):
        path = tmp_path / f"{rows}.csv"
        path.write_text("".join(lines[: rows + 1]))
        command = [sys.executable, "-c", code, "predict", str(xor_package), str(path), "--out", str(tmp_path / "o.csv"),
                   "--batch-size", "8192"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, close_fds=True)
        peaks.append(int(done.stderr.splitlines()[-1]))
    assert peaks[1] < 1.25 * peaks[0], peaks


GOOD = {
    ".csv": b'id,x1,x2,note\n1,0.5,1,"a ""b"", c"\n2,-1e-3,nan,\r\n3,1,0,plain\n',
    ".jsonl": b'{"id": 1, "x1": 0.5, "x2": 1}\n{"x1": -1e-3, "x2": null, "note": "\\u00e9"}\n{"x1": 1, "x2": 0}\n',
}


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(24, dtype=np.float32).reshape(12, 2))
    return file.getvalue()


GOOD[".npy"] = _array()
Edits = list[tuple[int, str, bytes]]
EDITS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["flip", "drop", "insert", "cut"]), st.binary(max_size=3)),
    min_size=1, max_size=4,
)  # fmt: skip


def _edited(data: bytes, edits: Edits) -> bytes:
    for place, kind, extra in edits:
        at = place % (len(data) + 1)
        if kind == "cut":
            data = data[:at]
        elif kind == "insert":
            data = data[:at] + extra + data[at:]
        elif kind == "drop":
            data = data[:at] + data[at + 1 :]
        elif data:
            at = place % len(data)
            data = data[:at] + bytes([data[at] ^ (1 << place % 8)]) + data[at + 1 :]
    return data


@pytest.mark.parametrize("suffix", GOOD)
@pytest.mark.parametrize("errors", ["raise", "skip", "null"])
@given(edits=EDITS)
def test_a_mutated_file_gives_a_result_or_one_line(suffix: str, errors: str, edits: Edits) -> None:
    package = Path(__file__).parent.parent / "data" / "xor"
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / f"t{suffix}", Path(name) / f"o{suffix}"
        source.write_bytes(_edited(GOOD[suffix], edits))
        said = io.StringIO()
        with contextlib.redirect_stderr(said), pytest.raises(SystemExit) as stop:
            main.main(["predict", str(package), str(source), "--errors", errors, "--out", str(out)])
        lines = said.getvalue().splitlines()
        assert (stop.value.code == 0) == out.exists(), lines
        assert stop.value.code in (0, 1) and "Traceback" not in said.getvalue()
        if stop.value.code:
            assert "row" not in lines[0] or f"t{suffix}" in lines[0]
            assert sum("left out" in line or "row " in line for line in lines[:-1]) == len(lines) - 1
        assert {path.name for path in Path(name).iterdir()} <= {source.name, out.name}
