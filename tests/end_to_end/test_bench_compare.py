"""What the benchmarks keep: what moved between two commits, and how many instructions the hot paths take."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
GIT = shutil.which("git")
OLD = {
    "slower": {"ratio": 1.0, "quartiles": [0.98, 1.02], "target": "at most 1.5"},
    "faster": {"ratio": 3.0, "quartiles": [2.9, 3.1], "target": "at least 2"},
    "heavier": {"mb": 100, "target": "reported"},
    "noisy": {"ratio": 1.0, "quartiles": [0.7, 1.4], "target": "at most 1.5"},
    "of no direction": {"ratio": 1.0, "quartiles": [0.99, 1.01], "target": "reported"},
    "gone": {"ratio": 1.0, "target": "at most 2"},
}
NEW = {
    "slower": {"ratio": 1.2, "quartiles": [1.1, 1.3], "target": "at most 1.5"},
    "faster": {"ratio": 4.0, "quartiles": [3.9, 4.1], "target": "at least 2"},
    "heavier": {"mb": 120, "target": "reported"},
    "noisy": {"ratio": 1.3, "quartiles": [1.2, 1.5], "target": "at most 1.5"},
    "of no direction": {"ratio": 2.0, "quartiles": [1.9, 2.1], "target": "reported"},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A checkout whose last commit keeps `OLD`, and whose folder holds `NEW`."""
    if GIT is None:
        pytest.skip("git is not installed")
    for arguments in (["init", "-q"], ["config", "user.name", "A"], ["config", "user.email", "a@example.org"]):
        _git(tmp_path, *arguments)
    _keep(tmp_path, OLD)
    _commit(tmp_path)
    _keep(tmp_path, NEW)
    return tmp_path


def test_what_left_its_quartiles_is_told_with_its_direction(results: Path) -> None:
    answer = _compare(results)
    heading, *rows = answer.stdout.splitlines()
    assert heading.startswith("speed, beside ")
    assert heading.endswith("4 moved; numpy 2.0 to 2.1; no longer there: gone")
    assert [line.strip().split(": ")[:2] for line in rows] == [
        ["worse", "slower"], ["worse", "heavier"], ["better", "faster"], ["moved", "of no direction"],
    ]  # fmt: skip
    assert rows[0].endswith("1 (0.98 to 1.02) to 1.2 (1.1 to 1.3), +20.0%")
    assert answer.returncode == 0


def test_strict_fails_where_a_figure_is_worse(results: Path) -> None:
    assert _compare(results, "--strict").returncode == 1
    _keep(results, {"faster": NEW["faster"]})
    assert _compare(results, "--strict").returncode == 0


def test_committed_figures_are_compared_with_those_before(results: Path) -> None:
    said = _compare(results).stdout
    _commit(results)
    _keep(results, NEW, numpy="2.2")  # other words about the same figures
    _commit(results)
    assert _compare(results).stdout.splitlines()[1:] == said.splitlines()[1:]
    assert "nothing moved" in _compare(results, "--base", "HEAD").stdout


def test_a_commit_or_a_name_that_is_not_there_is_one_line(results: Path) -> None:
    for arguments, words in ((["--base", "absent"], "no commit absent"), (["absent"], "there are speed")):
        answer = _compare(results, *arguments)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert words in answer.stderr
        assert len(answer.stderr.splitlines()) == 1


def test_kept_figures_have_a_name_of_their_own(benchmarks: None) -> None:
    pages = importlib.import_module("pages")
    for file in (ROOT / "benchmarks" / "results").glob("*.json"):
        figures = json.loads(file.read_text()).get("figures", {})
        names = [name for name, node in pages.walk(figures) if pages.is_figure(node)]
        assert len(names) == len(set(names)), file.name


def test_more_instructions_than_are_kept_fail(instructions: ModuleType) -> None:
    kept = {name: {"instructions": 1000} for name in ("a", "b")}
    lines, is_over = instructions.compared(kept, {"a": {"instructions": 1050}, "c": {"instructions": 1}})
    assert not is_over
    assert lines == ["a: 1,050, 105.0% of 1,000", "c: 1, nothing is kept"]
    lines, is_over = instructions.compared(kept, {"a": {"instructions": 1051}, "b": {"instructions": 1}})
    assert is_over
    assert lines[0] == "a: 1,051, 105.1% of 1,000, too many"


def test_instructions_of_other_versions_are_not_compared(instructions: ModuleType) -> None:
    kept = {"numpy": "2.0", "torch": "2.1"}
    assert instructions.incomparable(kept, dict(kept)) == ""
    assert "numpy 2.1 in the place of 2.0" in instructions.incomparable(kept, {**kept, "numpy": "2.1"})


def test_counts_are_those_of_a_call_without_what_begins_and_ends_it(instructions: ModuleType) -> None:
    dump = "version: 1\ndesc: Trigger: Client Request: {}\n\nevents: Ir\nfn=(1)\n1 9\n\ntotals: {}\n"
    told = [dump.format("1 nothing", 50)] * 2 + [dump.format("10 a path, 1 row", total) for total in (1050, 1060, 1070)]
    ended = "desc: Trigger: Program termination\n\ntotals: 7\n"
    (name, found), = instructions.figures([*told, ended]).items()  # fmt: skip
    assert (name, found["instructions"], found["quartiles"]) == ("a path, 1 row", 101, [100, 102])


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts import one another."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.fixture
def instructions(benchmarks: None) -> ModuleType:
    return importlib.import_module("instructions")


def _keep(folder: Path, figures: dict[str, Any], numpy: str = "2.1") -> None:
    versions = {"numpy": "2.0" if figures is OLD else numpy}
    facts = {"machine": "one", "versions": versions, "figures": {"part": figures}}
    (folder / "speed.json").write_text(json.dumps(facts))


def _commit(folder: Path) -> None:
    _git(folder, "add", "speed.json")
    _git(folder, "commit", "-q", "-m", "Figures")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run([str(GIT), "-C", str(folder), *arguments], check=True, capture_output=True)


def _compare(results: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    script = ROOT / "benchmarks" / "compare.py"
    command = [sys.executable, str(script), *arguments, "--results", str(results)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
