import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime import InputError
from parity_runtime.files.atomic_write import atomic_write, write_file
from parity_runtime.files.json_file import dump_table
from parity_runtime.files.staged_folder import staged_folder

MIB = 2**20


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        ),
        max_size=4,
    )
)
def test_a_table_is_the_same_value_with_a_row_a_line(value: dict[str, Any]) -> None:
    written = dump_table(value).decode()
    assert json.loads(written) == value
    rows = sum(len(member) for member in value.values() if isinstance(member, list | dict))
    assert written.count("\n    ") == rows


def test_a_table_holds_no_number_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        dump_table({"rows": [{"share": float("nan")}]})


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_while_writing_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "a") as file:
        file.write(b"new")
        _ = 1 / 0
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_named_and_the_old_file_survives(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(InputError, match="the disk is full"):
            write_file(tmp_path / "a", b"x" * (2 * MIB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write .*absent"):
        write_file(tmp_path / "absent" / "a", b"")


def test_a_staged_folder_appears_whole_and_an_existing_one_needs_replace(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "package"
    with staged_folder(target) as staging:
        (staging / "a").write_bytes(b"1")
        assert not target.exists()
    with pytest.raises(InputError, match="with replace=True"), staged_folder(target):
        pass
    with staged_folder(target, replace=True) as staging:
        (staging / "b").write_bytes(b"2")
    assert os.listdir(target) == ["b"]
    assert os.listdir(target.parent) == ["package"]


def test_an_error_while_staging_keeps_the_old_folder(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "p") as staging:
        (staging / "a").write_bytes(b"1")
    with pytest.raises(ZeroDivisionError), staged_folder(tmp_path / "p", replace=True) as staging:
        (staging / "b").write_bytes(b"2")
        _ = 1 / 0
    assert os.listdir(tmp_path / "p") == ["a"]
    assert os.listdir(tmp_path) == ["p"]


@pytest.mark.slow
def test_kill_9_while_folders_are_exchanged_always_leaves_a_whole_one(tmp_path: Path) -> None:
    """A writer alternates two folders of two files each; whenever it is killed, both files are of one folder."""
    target = tmp_path / "p"
    code = (
        "import sys, itertools; from pathlib import Path\n"
        "from parity_runtime.files.staged_folder import staged_folder\n"
        "for i in itertools.count():\n"
        "    with staged_folder(Path(sys.argv[1]), replace=True) as s:\n"
        "        (s / 'a').write_text(str(i)); (s / 'b').write_text(str(i))\n"
    )
    for attempt in range(5):
        writer = subprocess.Popen([sys.executable, "-c", code, str(target)])
        deadline = time.monotonic() + 20
        while not target.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3 + 0.007 * attempt)
        writer.kill()
        writer.wait()
        assert (target / "a").read_text() == (target / "b").read_text()


def test_a_folder_that_was_made_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "p"
    with pytest.raises(InputError, match="with replace=True"), staged_folder(target) as staging:
        (staging / "a").write_bytes(b"1")
        target.mkdir()
        (target / "theirs").write_bytes(b"2")
    assert os.listdir(target) == ["theirs"]
    assert os.listdir(tmp_path) == ["p"]


def test_what_came_into_the_old_folder_meanwhile_is_asked_about_again(tmp_path: Path) -> None:
    def check(folder: Path) -> None:
        if (folder / "notes").exists():
            raise InputError("it holds notes")

    target = tmp_path / "p"
    target.mkdir()
    with pytest.raises(InputError, match="holds notes"), staged_folder(target, replace=True, check=check):
        (target / "notes").write_bytes(b"1")
    assert os.listdir(target) == ["notes"]
    assert os.listdir(tmp_path) == ["p"]


def test_a_system_without_an_exchange_keeps_the_old_folder_aside_and_the_next_run_puts_it_back(tmp_path: Path) -> None:
    """Killed between the renames, the name is free: what was set aside takes it again."""
    target = tmp_path / "p"
    (tmp_path / ".p.old").mkdir()
    (tmp_path / ".p.old" / "a").write_bytes(b"old")
    with pytest.raises(InputError, match="with replace=True"), staged_folder(target):
        pass
    assert (target / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["p"]


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_name_that_no_folder_can_be_given_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a name for a folder"), staged_folder(Path(name), replace=True):
        pass
