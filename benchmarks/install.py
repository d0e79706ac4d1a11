"""What an application installs and waits for: Parity, onnxruntime alone, torch, each in an environment of its own.

Prints one JSON object. Times and memory are those of whole processes that end with one answer, in turn; sizes leave
out pip and setuptools.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, measured, print_parts, run, summary

PACKAGE = ROOT / "tests" / "data" / "xor"
PAIRS = 31
IMPORTS = "import onnxruntime, click"
PREDICTOR = """
import sys
from parity_runtime import Predictor
print(Predictor(sys.argv[1]).predict([[0, 1]]))
"""
ONNXRUNTIME = """
import sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx")
print(session.run(None, {"features": numpy.array([[0, 1]], numpy.float32)})[0])
"""
TORCH = """
import sys
import torch
network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
network.load_state_dict(torch.load(sys.argv[1], weights_only=True))
with torch.inference_mode(): print(network(torch.tensor([[0.0, 1.0]])) >= 0)
"""


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"application": application})


def application() -> dict[str, Any]:
    """Return start, peak memory and installed size beside bare imports, onnxruntime alone and torch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, raw, torch = (
            _environment(folder / place, requirement)
            for place, requirement in (("ours", f"{ROOT}[cpu]"), ("raw", "onnxruntime"), ("torch", "torch"))
        )
        weights = str(folder / "weights.pt")
        run([_python(torch), "-c", f"import torch; torch.save({_STATE_DICT}, {weights!r})"])
        command = [str(ours / "bin" / "parity"), "predict", str(PACKAGE), "--row", "0,1"]
        embedded = [_python(ours), "-c", PREDICTOR, str(PACKAGE)]
        pairs = {
            "parity predict --row over bare imports": (command, [_python(ours), "-c", IMPORTS], (1.2, 1.3)),
            "Predictor over a script of onnxruntime's": (embedded, [_python(raw), "-c", ONNXRUNTIME, str(PACKAGE)], ()),
            "torch over Predictor": ([_python(torch), "-c", TORCH, weights], embedded, ()),
        }
        sizes = {"parity[cpu]": installed(ours) | {"target": "at most 160"}}
        sizes |= {"onnxruntime alone": installed(raw) | {"target": "reported"}}
        sizes |= {"torch alone": installed(torch) | {"target": "reported"}}
        found = {name: compared(first, second, targets) for name, (first, second, targets) in pairs.items()}
        return {what: {name: figures[what] for name, figures in found.items()} for what in ("time", "peak memory")} | {
            "installed": sizes
        }


def compared(first: list[str], second: list[str], targets: tuple[float, ...]) -> dict[str, Any]:
    """Return the time and the peak memory of one process over those of another."""
    both = [(measured(first), measured(second)) for _ in range(PAIRS)][1:]
    words = [f"at most {target}" for target in targets] or ["reported"] * 2
    return {
        what: summary([one[key] / other[key] for one, other in both]) | {"target": target}
        for (what, key), target in zip((("time", "s"), ("peak memory", "mb")), words, strict=True)
    }


def installed(environment: Path) -> dict[str, Any]:
    """Return the size of everything but pip and setuptools, in 10^6 bytes."""
    tools = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence")
    (site_packages,) = environment.glob("lib/python*/site-packages")
    entries = [entry for entry in site_packages.iterdir() if not entry.name.startswith(tools)]
    files = [file for entry in entries for file in ([entry] if entry.is_file() else entry.rglob("*")) if file.is_file()]
    return {"mb": round(sum(file.stat().st_size for file in files) / 1e6, 1)}


def _environment(place: Path, requirement: str) -> Path:
    run([sys.executable, "-m", "venv", str(place)])
    options = ["--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([_python(place), "-m", "pip", "install", *options, requirement], check=True)
    return place


def _python(environment: Path) -> str:
    return str(environment / "bin" / "python")


_STATE_DICT = """{
    "0.weight": torch.ones(4, 2), "0.bias": torch.zeros(4), "2.weight": torch.ones(1, 4), "2.bias": torch.zeros(1),
}"""


if __name__ == "__main__":
    main()
