"""How exactly torch and onnxruntime compute the elementary functions, over every float32.

    python benchmarks/elementary.py [--stride N] [--write] [FUNCTION ...]
    python benchmarks/elementary.py --example examples/elementary
    python benchmarks/elementary.py --markdown

prints one line of JSON a function and backend: the rows of ``error_bounds/elementary_functions.json``, which
``--write`` replaces. All 2^32 values take five minutes a function; with ``--stride N`` every N-th is asked.
``--example`` writes the graph and the limits that the checker in JavaScript reads.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from parity_export.error_bounds import elementary_functions
from parity_export.error_bounds.elementary_functions import accuracy, functions_graph
from parity_export.error_bounds.registry import ELEMENTARY
from parity_runtime.inference.session import create_session

ALPHAS = 2.0**-25 * np.arange(41)
"""Candidates for the relative part of an error: halves of u = 2^-24."""

LARGEST = 2.0**125
"""Beyond it a backend may overflow where the function does not: torch computes HardSwish as x (x + 3) / 6."""

_NUMPY = ("Exp", "Log", "Tanh")
"""What ONNX's reference evaluator, and whoever else computes with numpy, takes as numpy's own function."""

_CHUNK = 2**22  # values asked at once
_PART = 2**14  # neighbouring float32 that share one figure, the smallest |f| among them

PredictionColumn = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("functions", nargs="*", default=list(ELEMENTARY))
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--example", type=Path)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.example is not None:
        write_example(options.example)
        return
    if options.markdown:
        print("\n".join(markdown()))
        return
    rows = []
    for name in options.functions:
        for row in measure(name, options.stride):
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.write:
        write(rows)


def measure(name: str, stride: int) -> list[dict[str, Any]]:
    """Return what bounds a function's error on each backend."""
    torch.set_num_threads(1)
    backends: dict[str, PredictionColumn] = {f"torch {torch.__version__}": _torch(name)} | {
        f"onnxruntime {onnxruntime.__version__}, optimization {level}": _session(name, level)
        for level in ("disabled", "all")
    }
    if name in _NUMPY:
        backends[f"numpy {np.__version__}, ONNX reference evaluator"] = _reference(name)
    betas = {backend: np.zeros(len(ALPHAS)) for backend in backends}
    for x in all_float32(stride):
        exact = ELEMENTARY[name].exact(torch.from_numpy(x).double()).numpy()
        for backend, answer in backends.items():
            betas[backend] = np.maximum(betas[backend], needed_betas(answer(x), exact, max(1, _PART // stride)))
    # One alpha for all, so that the largest beta belongs to it: the pair that allows least where |f| is a quarter.
    best = int(np.argmin(ALPHAS / 4 + np.max(list(betas.values()), axis=0)))
    shared = {"function": name, "cpu": _cpu(), "stride": stride, "alpha": float(ALPHAS[best])}
    return [shared | {"backend": backend, "beta": max(float(found[best]), 0.0)} for backend, found in betas.items()]


def needed_betas(found: NDArray[np.float32], exact: NDArray[np.float64], part: int) -> NDArray[np.float64]:
    """Return the absolute part that each of `ALPHAS` leaves, ``[alphas]``; infinite for a wrong infinity or NaN.

    Args:
        found: a backend's answers to neighbouring values.
        exact: the exact ones.
        part: how many neighbours share one figure.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        outside = np.isnan(exact) | (np.abs(exact) > LARGEST)  # the logarithm of a negative number, say
        error = np.where(outside, 0.0, np.abs(found - exact))
    pad = -len(error) % part
    error = np.pad(np.nan_to_num(error, nan=np.inf, posinf=np.inf), (0, pad)).reshape(-1, part).max(axis=1)
    known = np.nan_to_num(np.abs(exact), nan=0.0, posinf=LARGEST)
    size = np.pad(known, (0, pad), mode="edge").reshape(-1, part).min(axis=1)
    needed: NDArray[np.float64] = (error - ALPHAS[:, None] * np.minimum(size, LARGEST)).max(axis=1)
    return needed


def _cpu() -> str:
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _torch(name: str) -> PredictionColumn:
    return lambda x: np.asarray(ELEMENTARY[name].torch(torch.from_numpy(x)).numpy())


def _session(name: str, level: Any) -> PredictionColumn:
    session = create_session(functions_graph([ELEMENTARY[name]]), optimization=level)
    return lambda x: np.asarray(session.run(None, {"x": x})[0])


def _reference(name: str) -> PredictionColumn:
    session = ReferenceEvaluator(onnx.load_from_string(functions_graph([ELEMENTARY[name]])))

    def answer(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(all="ignore"):
            return np.asarray(session.run(None, {"x": x})[0])

    return answer


def all_float32(stride: int) -> Iterator[NDArray[np.float32]]:
    """Yield every ``stride``-th finite float32 by its bits, in parts."""
    for start in range(0, 2**32, _CHUNK * stride):
        print(f"\r{start / 2**32:4.0%}", end="", file=sys.stderr)
        bits = np.arange(start, min(start + _CHUNK * stride, 2**32), stride, dtype=np.uint64).astype(np.uint32)
        x = bits.view(np.float32)
        x = x[np.isfinite(x)]
        if len(x):
            yield x


def markdown() -> list[str]:
    """Return the table as docs/explanation/proof.md shows it, a line a function."""
    lines = ["| function | alpha | beta | of that, by backend |", "|---|---|---|---|"]
    for name in ELEMENTARY:
        known = accuracy(name)
        rows = [row for row in elementary_functions.table() if row["function"] == name]
        parts = {_named(row): f"{_named(row)} {row['beta']:.2g}" for row in rows if "source" not in row}
        documented = [f"CUDA {row['alpha'] * 2**24:g}u" for row in rows if "source" in row]
        lines.append(
            f"| {name} | {known.alpha * 2**24:g} u | {known.beta:.3g} | {', '.join([*parts.values(), *documented])} |"
        )
    return lines


def _named(row: dict[str, Any]) -> str:
    name, _, rest = row["backend"].partition(",")
    older = f" {name.split()[1]}" if row["backend"].startswith("onnxruntime 1.20") else ""
    sampled = f" (every {row['stride']}{'rd' if row['stride'] == 3 else 'th'})" if row["stride"] > 1 else ""
    return (name.split()[0] + older + (" wasm" if "WebAssembly" in rest else "") + sampled).replace(
        "onnxruntime-web wasm", "WebAssembly"
    )


def write_example(folder: Path) -> None:
    """Write what examples/elementary reads: the functions as one graph, and what the proof allows each."""
    (folder / "elementary.onnx").write_bytes(functions_graph(list(ELEMENTARY.values())))
    limits = {name: {"alpha": accuracy(name).alpha, "beta": accuracy(name).beta} for name in ELEMENTARY}
    (folder / "limits.json").write_text(json.dumps(limits, indent=1) + "\n")


def write(rows: list[dict[str, Any]]) -> None:
    """Put rows in place of those of the same function and backend; documented ones stay."""
    path = Path(elementary_functions.__file__).with_name("elementary_functions.json")
    table = json.loads(path.read_text()) if path.exists() else {"rows": []}
    replaced = {(row["function"], row["backend"]) for row in rows}
    kept = [row for row in table["rows"] if (row["function"], row["backend"]) not in replaced]
    table["rows"] = sorted([*kept, *rows], key=lambda row: (row["function"], row["backend"]))
    path.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
