"""Shells complete the command line as docs/how-to/operations.md says: its lines are run in the shells that are here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "how-to" / "operations.md"
MAIN = "from parity_runtime.cli.main import main; main()"

BASH = """
completed() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _parity_completion parity
    echo "${COMPREPLY[@]}"
}
completed parity ver
completed parity ""
completed parity doctor --
completed parity train --
"""


def line_of(shell: str) -> str:
    """Return the guide's line for a shell."""
    (found,) = re.findall(rf"^.*_PARITY_COMPLETE={shell}_source parity.*$", GUIDE.read_text(), re.MULTILINE)
    return found


def ran(shell: str, script: str, folder: Path) -> list[str]:
    """Run a script behind the guide's line where numpy, onnxruntime and torch are not there; return what it prints."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = folder / "bin" / "parity"
    command.parent.mkdir()
    click = Path(__import__("click").__file__).parent
    (folder / "click").symlink_to(click)
    paths = [str(ROOT / "runtime"), str(folder)]
    command.write_text(f"#!{sys.executable} -IS\nimport sys; sys.path[:0] = {paths}\n{MAIN}\n")
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    done = subprocess.run([shell, "-c", f"{line_of(shell)}\n{script}"], capture_output=True, text=True, check=True,
                          env={"PATH": path, "HOME": str(folder)})  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split("\n")


@pytest.mark.slow
def test_bash_completes_commands_and_options_also_where_extras_are_absent(tmp_path: Path) -> None:
    verify, commands, options, absent = ran("bash", BASH, tmp_path)[:4]
    assert verify == "verify" and options == "--deep --json --help" and absent == ""
    assert {"train", "export", "predict", "doctor"} <= set(commands.split())


@pytest.mark.slow
def test_fish_shows_whole_descriptions(tmp_path: Path) -> None:
    script = "complete -C 'parity ver'; complete -C 'parity doctor --d'"
    assert ran("fish", script, tmp_path) == [
        "verify\tCheck the files of a package, and run its test vectors.",
        "--deep\tAlso import every installed extra, which takes some seconds for each.",
        "",
    ]


@pytest.mark.slow
def test_the_line_for_zsh_defines_what_completes(tmp_path: Path) -> None:
    assert ran("zsh", "print $_comps[parity] $+functions[_parity_completion]", tmp_path) == ["_parity_completion 1", ""]
