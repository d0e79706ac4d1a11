"""python smoke.py WHEEL [EXTRAS ...]: install a wheel with each set of extras, outside the checkout, and use it.

Each set gets an environment of its own. What it should do is done; what it lacks must be said in one sentence.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
XOR = str(ROOT / "tests" / "data" / "xor")
PARQUET = "import pyarrow.parquet as p, pyarrow; p.write_table(pyarrow.table({'x1': [0.0], 'x2': [1.0]}), 't.parquet')"

WORKS: dict[str, list[str]] = {
    "": ["parity --help", "python -c 'import parity_runtime'"],
    "cpu": [f"parity verify {XOR}", f"parity predict {XOR} --row 0,1", f"parity bench {XOR} --seconds 0.02"],
    "cpu,tables": [f'python -c "{PARQUET}"', f"parity predict {XOR} t.parquet"],
    "train": ["parity train xor --out run --epochs 2"],
    "train,plot": ["parity train xor --out run --epochs 2", "parity plot run"],
    "cpu,train,export": ["parity train xor --out run --epochs 20", "parity export run package --certified",
                         "parity certify package", "parity verify package"],
}  # fmt: skip
"""What each set of extras can do."""

LACKS: dict[str, list[tuple[str, str]]] = {
    "": [(f"parity predict {XOR} --row 0,1", "[cpu]"), ("parity train xor --out run", "[train]")],
    "cpu": [("parity train xor --out run", "[train]"), (f"parity predict {XOR} t.parquet", "[tables]")],
    "train": [("parity plot run", "[train,plot]"), ("parity export run package", "[export,cpu]")],
}
"""What it cannot, and the extra that the sentence must name."""


def main(wheel: str, *chosen: str) -> None:
    """Try every set of extras."""
    for extras in chosen or WORKS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            install(folder, f"{Path(wheel).resolve()}[{extras}]" if extras else str(Path(wheel).resolve()))
            for command in WORKS[extras]:
                done = run(folder, command)
                assert done.returncode == 0, f"[{extras}] {command}: {done.stderr}"
            for command, word in LACKS.get(extras, []):
                done = run(folder, command)
                assert done.returncode == 1, f"[{extras}] {command} works"
                assert word in done.stderr, f"[{extras}] {command}: {done.stderr}"
                assert len(done.stderr.splitlines()) == 1, done.stderr
        print(f"[{extras}] works, and says what it lacks")  # noqa: T201


def install(folder: Path, requirement: str) -> None:
    """Make an environment with one requirement."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), requirement], check=True)


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
