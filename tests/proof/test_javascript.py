"""The checker of elementary functions that Node and the browser run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parity_export.certify.elementary import ELEMENTARY, accuracy, functions_graph

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "elementary"


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in a folder of its own, its packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = Path(shutil.copytree(
        EXAMPLE, tmp_path_factory.mktemp("js") / "elementary", ignore=shutil.ignore_patterns("node_modules")
    ))  # fmt: skip
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def node(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", "check.mjs", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.parametrize("runtime", [[], ["--web"]], ids=["node", "web"])
def test_the_limits_hold_there(checker: Path, runtime: list[str]) -> None:
    done = node(checker, "--stride", "8192", *runtime)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(ELEMENTARY)


def test_a_limit_that_is_too_small_fails(checker: Path) -> None:
    limits = json.loads((checker / "limits.json").read_text())
    (checker / "limits.json").write_text(json.dumps({name: {"alpha": 0, "beta": 1e-9} for name in limits}))
    try:
        done = node(checker, "--stride", "65536", "Tanh", "Gelu")
    finally:
        (checker / "limits.json").write_text(json.dumps(limits))
    assert done.returncode == 3
    assert done.stdout.count("FAILS") == 2


@pytest.mark.parametrize("arguments", [("--stride", "0"), ("--stride", "x"), ("Cosine",)])
def test_bad_arguments_are_one_line(checker: Path, arguments: tuple[str, ...]) -> None:
    done = node(checker, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_example_holds_what_the_proof_uses() -> None:
    limits = json.loads((EXAMPLE / "limits.json").read_text())
    assert limits == {name: vars(accuracy(name)) for name in ELEMENTARY}
    assert (EXAMPLE / "elementary.onnx").read_bytes() == functions_graph(list(ELEMENTARY))


def test_the_table_can_be_measured_again() -> None:
    """Every 65,536th value, in a process of its own: no row of the table allows less."""
    command = [sys.executable, "benchmarks/elementary.py", "--stride", "65536"]
    done = subprocess.run(command, cwd=EXAMPLE.parent.parent, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["function"] for row in rows} == set(ELEMENTARY)
    for row in rows:
        known = accuracy(row["function"])
        assert row["beta"] <= known.beta + max(0.0, known.alpha - row["alpha"]) + 1e-9
