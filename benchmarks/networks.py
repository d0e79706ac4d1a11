"""What an export of a network costs beside a bare torch.onnx.export: the zoo, one after the other.

Prints one JSON object. For each network three processes run in turn: the bare export, parity's with its gate, and
plain onnxruntime on the package's graph at new sizes beside the module in float64. All take some twenty minutes;
``python benchmarks/networks.py NAME...`` measures some. A job that takes longer than 300 s (PARITY_BENCH_TIMEOUT) is
ended and says so.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, clean_environment

TIMEOUT = float(os.environ.get("PARITY_BENCH_TIMEOUT", "300"))
ALLOWED_RATIO, ALLOWED_SECONDS = 4, 10
Found = dict[str, Any]


def main() -> None:
    """Measure and print."""
    names = sys.argv[1:] or _job("names")
    found = {}
    for name in names:
        found[name] = measure(name)
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    print(json.dumps({"networks": figures(found)}, indent=2))


def measure(name: str) -> dict[str, Found]:
    """Return what each job on a network found; what follows on a refusal is left out."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        found["bare"] = _job("bare", name, folder)
        found["package"] = _job("package", name, folder)
        if (Path(folder) / "package").exists():
            found["answers"] = _job("answers", name, folder)
    return found


def figures(found: dict[str, dict[str, Found]]) -> Found:
    """Return how many networks reach each target, a row for each that answers, and what the others were told."""
    exported = {name: one for name, one in found.items() if "mb" in one["package"]}
    rows = {name: row(one) for name, one in exported.items() if "mb" in one["bare"] and "share" in one["answers"]}
    count = f"at least {len(found)}"
    within = sum(one["seconds over those allowed"] <= 1 for one in rows.values())
    answered = sum("share" in one.get("answers", {}) and one["answers"]["share"] <= 1 for one in found.values())
    told = {name: _refusals(one) for name, one in found.items()}
    return {
        "networks that are exported at the first try": {"ratio": len(exported), "target": count},
        "networks exported within 4 x a bare export + 10 s": {"ratio": within, "target": count},
        "networks that onnxruntime answers within the tolerance, at new sizes": {"ratio": answered, "target": count},
        **{f"network, {name}": one for name, one in rows.items()},
        **{f"{name}: {job}": sentence for name, refused in told.items() for job, sentence in refused.items()},
    }


def row(found: dict[str, Found]) -> dict[str, float]:
    """Return the figures of a network that was exported and answers."""
    bare, package = found["bare"], found["package"]
    weights = bare["weights_mb"]
    return {
        "parameters, 10^6": round(bare["parameters"] / 1e6, 2),
        "GFLOPs of a row": float(f"{bare['gflops']:.3g}"),
        "bare, s": round(bare["s"], 1),
        "parity, s": round(package["s"], 1),
        "ratio": round(package["s"] / bare["s"], 2),
        "seconds over those allowed": round(package["s"] / (ALLOWED_RATIO * bare["s"] + ALLOWED_SECONDS), 2),
        "bare, MB": round(bare["mb"]),
        "parity, MB": round(package["mb"]),
        "MB over the weights": round((package["mb"] - package["mb_before"]) / weights, 2),
        "difference over the tolerance": round(found["answers"]["share"], 4),
    }


def _refusals(found: dict[str, Found]) -> dict[str, str]:
    """Return what a network's jobs were told, on one line each."""
    told = {job: " ".join(one["refused"].split()) for job, one in found.items() if "refused" in one}
    return {job: re.sub(r"; the whole report is .*", "", text).replace("|", "\\|") for job, text in told.items()}


def _job(*arguments: str) -> Any:
    """Return what a job prints; a process that fails, or takes too long, is a refusal."""
    command = [sys.executable, str(ROOT / "benchmarks" / "network_jobs.py"), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, text=True, env=clean_environment(), timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return {"refused": f"not done after {TIMEOUT:g} s"}
    if done.returncode:
        return {"refused": f"exit code {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
