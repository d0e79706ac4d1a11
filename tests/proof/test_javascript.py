"""The checker of elementary functions that Node and the browser run."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parity_export.error_bounds.elementary_functions import accuracy, functions_graph
from parity_export.error_bounds.registry import ELEMENTARY
from parity_export.gate.backends import session_answer
from parity_runtime.contract import certified_contract
from parity_runtime.inference.session import create_session
from tests.proof.networks import SUBJECTS
from tests.proof.soundness import boundary_points, jittered
from tests.warm_process import WarmProcess

ANSWER = Path(__file__).parent / "answer.mjs"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "elementary"
MEASURED = """
import runpy, sys
sys.path[0], sys.argv = "benchmarks", ["benchmarks/elementary.py", "--stride", "65536"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checker(javascript_examples: Path) -> Path:
    return javascript_examples / "elementary"


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


@pytest.mark.parametrize("runtime", ["node", "web"])
def test_what_python_certifies_is_answered_alike_there(checker: Path, tmp_path: Path, runtime: str) -> None:
    """XOR, on the boundary and beside it, in native and WebAssembly kernels: labels, and each other's error bounds."""
    subject = SUBJECTS["xor"]()
    random = np.random.default_rng(4)
    near = boundary_points(subject, random)
    rows = np.concatenate([jittered(near, random)[:60_000], subject.uniform(20_000, random)])
    answer = session_answer(create_session(subject.certified), certified_contract(subject.source.contract))
    ours = answer({"features": rows})
    (tmp_path / "model.onnx").write_bytes(subject.certified)
    (tmp_path / "rows").write_bytes(rows.tobytes())
    shutil.copy(ANSWER, checker / "answer.mjs")
    command = ["node", "answer.mjs", runtime, tmp_path / "model.onnx", tmp_path / "rows", "2", tmp_path / "out"]
    subprocess.run(command, cwd=checker, check=True, capture_output=True)
    kinds = {"logits": np.float32, "error_bound": np.float32, "label": np.uint8, "certified": np.bool_}
    theirs = {name: np.fromfile(tmp_path / f"out.{name}", kind) for name, kind in kinds.items()}
    assert 0.2 < theirs["certified"].mean() < 1 and (theirs["certified"] != ours["certified"]).mean() < 0.01
    for certified in (theirs["certified"], ours["certified"]):
        assert (theirs["label"] == ours["label"])[certified].all()
    exact = subject.exact(rows)[:, 0]
    for bound in (theirs["error_bound"], ours["error_bound"][:, 0]):
        assert (np.abs(theirs["logits"] - exact) <= bound).all()


@pytest.mark.parametrize("arguments", [("--stride", "0"), ("--stride", "x"), ("Cosine",)])
def test_bad_arguments_are_one_line(checker: Path, arguments: tuple[str, ...]) -> None:
    done = node(checker, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_example_holds_what_the_proof_uses() -> None:
    limits = json.loads((EXAMPLE / "limits.json").read_text())
    assert limits == {name: vars(accuracy(name)) for name in ELEMENTARY}
    assert (EXAMPLE / "elementary.onnx").read_bytes() == functions_graph(list(ELEMENTARY.values()))


def test_the_table_can_be_measured_again(warm: WarmProcess) -> None:
    """Every 65,536th value, in a process of its own: no row of the table allows less."""
    done = warm.run(["-c", MEASURED], cwd=EXAMPLE.parent.parent)
    assert done.returncode == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {row["function"] for row in rows} == set(ELEMENTARY)
    for row in rows:
        known = accuracy(row["function"])
        assert row["beta"] <= known.beta + max(0.0, known.alpha - row["alpha"]) + 1e-9
