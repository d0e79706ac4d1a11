"""python -m tests.end_to_end.smoke WHEEL SDIST: install and use what is released, with more and more extras.

Each chain has an environment of its own outside the checkout, to which one set of extras after the other is added, in
the versions of the environment that this runs in. What a set can do is done; what it lacks must be said in one sentence
that names the extra. The environment with every extra is described beside the sdist, in its name with ``.cdx.json``.
"""

import functools
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import parity_runtime
from tests.end_to_end.sbom import check_sbom, write_sbom

ROOT = Path(__file__).parent.parent.parent
XOR = str(ROOT / "tests" / "data" / "xor")
WHEEL = f"--wheel {ROOT / 'dist'}/*.whl"
PARQUET = "import pyarrow.parquet as p, pyarrow; p.write_table(pyarrow.table({'x1': [0.0], 'x2': [1.0]}), 't.parquet')"
LOADED = f"from parity_runtime.sklearn import load_estimator; print(load_estimator({XOR!r}).predict([[0, 1]]))"
SCHEMA = (
    "from importlib.resources import files; (files('parity_runtime') / 'schemas/contract.schema.json').read_bytes()"
)
FITTED = (
    "from sklearn.datasets import load_wine; from parity_training.sklearn import ParityClassifier; "
    "ParityClassifier(epochs=2).fit(*load_wine(return_X_y=True)).export('wine')"
)
MODULE = "import torch; torch.manual_seed(0); torch.save(torch.nn.Linear(3, 2).state_dict(), 'net.pt')"


@dataclass(frozen=True)
class Stage:
    """A set of extras, what works with it, and what does not: the command and the extra that its sentence names."""

    extras: str
    works: tuple[str, ...]
    lacks: tuple[tuple[str, str], ...] = ()


RUNTIME = (
    Stage("", ("parity --help", "python -c 'import parity_runtime'", f"parity info {XOR}",
               f'python -c "{SCHEMA}"'),
          ((f"parity predict {XOR} --row 0,1", "[cpu]"), ("parity train xor --out run", "[train]"))),
    Stage("cpu", (f"parity verify {XOR}", f"parity predict {XOR} --row 0,1", f"parity bench {XOR} --seconds 0.02",
                  "parity doctor", f"parity deploy triton {XOR} --out models"),
          (("parity train xor --out run", "[train]"), (f"parity predict {XOR} t.parquet", "[tables]"),
           (f"parity serve {XOR}", "[cpu,serve]"), (f"parity view {XOR}", "npm install"),
           (f"parity deploy docker {XOR} {WHEEL} --out image", "[cpu,serve]"))),
    Stage("cpu,sklearn", (f'python -c "{LOADED}"',)),
    Stage("cpu,serve", ("parity serve --help", f"parity deploy docker {XOR} {WHEEL} --out image")),
    Stage("cpu,tables", (f'python -c "{PARQUET}"', f"parity predict {XOR} t.parquet")),
)  # fmt: skip
TRAINING = (
    Stage("train", ("parity train xor --out run --epochs 2",),
          (("parity plot run", "[train,plot]"), ("parity export run package", "[export,cpu]"))),
    Stage("train,plot", ("parity plot run", "parity report run")),
)  # fmt: skip
EXPORT = (
    Stage("cpu,export", (f'python -c "{MODULE}"',
                         "parity export torch.nn:Linear net --weights net.pt --arg in_features=3 --arg out_features=2"
                         " --input 'x: float32[batch, 3]'", "parity verify net"),
          (("parity train xor --out run", "[train]"),)),
    Stage("cpu,export,train", ("parity train xor --out run --epochs 20", "parity export run package --certified",
                               "parity certify package", "parity verify package",
                               "parity evaluate package run/test.csv")),
    Stage("cpu,export,train,plot,tables", ("parity plot run", "parity report package", f'python -c "{PARQUET}"',
                                           "parity predict package t.parquet")),
    Stage("cpu,export,train,plot,tables,sklearn", (f'python -c "{FITTED}"', "parity verify wine")),
)  # fmt: skip
NEEDED = (
    "click", "matplotlib", "numpy", "onnx", "onnxruntime", "pyarrow", "safetensors", "scikit-learn",
    "tensorboard", "torch",
)  # fmt: skip


def main(wheel: str, sdist: str) -> None:
    """Try every chain with the wheel, and one stage with the sdist; write the bill of the last.

    The wheel is built from the sdist: what that lacks, the wheel lacks.
    """
    for release, chain in ((wheel, RUNTIME), (sdist, RUNTIME[1:2]), (wheel, TRAINING), (wheel, EXPORT)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
            for stage in chain:
                install(folder, str(Path(release).resolve()) + (f"[{stage.extras}]" if stage.extras else ""))
                try_out(folder, stage)
                print(f"{Path(release).name} [{stage.extras}] works, and says what it lacks", flush=True)  # noqa: T201
            if chain is EXPORT:
                sbom = Path(sdist.removesuffix(".tar.gz") + ".cdx.json")
                write_sbom(str(folder / "venv" / "bin" / "python"), sbom)
                check_sbom(sbom, parity_runtime.__version__, NEEDED)


def try_out(folder: Path, stage: Stage) -> None:
    """Do what a set of extras can do, and ask for what it cannot."""
    for command in stage.works:
        done = run(folder, command)
        assert done.returncode == 0, f"[{stage.extras}] {command}: {done.stderr}"
    for command, word in stage.lacks:
        done = run(folder, command)
        assert done.returncode == 1, f"[{stage.extras}] {command} works"
        assert word in done.stderr, f"[{stage.extras}] {command}: {done.stderr}"
        assert len(done.stderr.splitlines()) == 1, done.stderr


def install(folder: Path, requirement: str) -> None:
    """Add a requirement to a folder's environment, which has no pip of its own: nothing is there that is not needed."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    versions = folder / "versions.txt"
    versions.write_text(tested_versions())
    there = ["--python", str(folder / "venv" / "bin" / "python")]
    install = [
        "install",
        "--no-compile",
        "--constraint",
        str(versions),
        requirement,
    ]  # what is imported is compiled then
    subprocess.run([*pip, *there, *install], check=True)


@functools.cache
def tested_versions() -> str:
    """Return what is installed where this runs, as constraints."""
    command = [sys.executable, "-m", "pip", "freeze", "--quiet", "--disable-pip-version-check", "--all"]
    return subprocess.run([*command, "--exclude-editable"], check=True, capture_output=True, text=True).stdout


def run(folder: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command there, with the environment's programs alone."""
    path = f"{folder / 'venv' / 'bin'}:/usr/bin:/bin"
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, "-c", command], cwd=folder, env={"PATH": path, "HOME": str(folder)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
