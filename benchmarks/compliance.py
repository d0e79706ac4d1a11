"""Which backends compute as the proof assumes: functions within its table, products and convolutions as sums.

    python benchmarks/compliance.py [--stride N] [--functions NAME,...] [--write] BACKEND=PYTHON ...
    python benchmarks/compliance.py --markdown

BACKEND is one of `compliance_backend.BACKENDS`, PYTHON an interpreter that has it. Of each function ``beta`` is the
absolute error that the table's alpha leaves over every N-th normal float32, but for one flush, ``allowed`` the table's,
and ``alpha`` the relative error, in u = 2^-24, that the table's beta needs (null: more than 20). Of MatMul and Conv
``share`` is the largest error over what any order of summation may lose. ``--write`` replaces a backend's rows in
results/compliance.json, ``--markdown`` prints the table of docs/explanation/proof.md.
"""

import argparse
import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from compliance_backend import BACKENDS
from elementary import ALPHAS, all_float32, needed_betas
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parity_export.error_bounds.elementary_functions import accuracy, functions_graph
from parity_export.error_bounds.registry import ELEMENTARY

RESULTS = Path(__file__).parent / "results"
_SCRIPT = Path(__file__).parent / "compliance_backend.py"
_OPSET = 20  # the newest that onnxruntime 1.20 reads for all of them
_PART = 256  # neighbouring float32 that share one figure, the smallest |f| among them
_SLOWER = {"reference": 509}  # how many times fewer values are asked
FLUSH = 2.0**-126
_ROWS = {"MatMul": (32, 256), "Conv": (1, 16, 24, 24)}
TITLES = {
    "onnxruntime": "onnxruntime",
    "openvino": "OpenVINO, float32,",
    "reference": "ONNX's reference evaluator",
    "xla": "XLA (jax.jit on the CPU)",
}
_TERMS = {"MatMul": 256, "Conv": 16 * 9}
_PRODUCTS = 300


class Backend:
    """A backend in another interpreter that answers one graph."""

    def __init__(self, name: str, python: str, graph: Path) -> None:
        """Start it."""
        command = [python, str(_SCRIPT), name, str(graph)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._write, self._read = self._process.stdin, self._process.stdout
        line = self._read.readline()
        if not line:
            raise SystemExit(f"{name} does not answer {graph.stem}")
        self.version = json.loads(line)["version"]

    def answer(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers to numbers, flat."""
        self._write.write(x.size.to_bytes(8, "little") + x.tobytes())
        self._write.flush()
        count = int.from_bytes(self._read.read(8), "little")
        return np.frombuffer(self._read.read(4 * count), np.float32)

    def close(self) -> None:
        """End it."""
        self._write.close()
        self._process.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("backends", nargs="*", metavar="BACKEND=PYTHON")
    parser.add_argument("--functions", default=",".join([*ELEMENTARY, *_ROWS]))
    parser.add_argument("--stride", type=int, default=61)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.markdown:
        print("\n".join(markdown()))
        return
    torch.set_num_threads(1)
    for backend in options.backends:
        name, _, python = backend.partition("=")
        if name not in BACKENDS:
            parser.error(f"{name}: one of {', '.join(BACKENDS)}")
        rows = []
        for function in options.functions.split(","):
            rows.append(measure(name, python, function, options.stride))
            print(json.dumps(rows[-1]), flush=True)
        if options.write:
            write(rows)


def measure(name: str, python: str, function: str, stride: int) -> dict[str, Any]:
    """Return the row of one backend and one function or product."""
    with TemporaryDirectory() as folder:
        graph = Path(folder) / f"{function}.onnx"
        graph.write_bytes(_function_graph(function) if function in ELEMENTARY else product_graph(function))
        backend = Backend(name, python, graph)
        found = _function(backend, function, stride * _SLOWER.get(name, 1)) if function in ELEMENTARY else _sums(
            backend, function
        )  # fmt: skip
        backend.close()
    return {"backend": name, "version": backend.version, "function": function} | found


def _function_graph(function: str) -> bytes:
    model = onnx.load_from_string(functions_graph([ELEMENTARY[function]]))
    model.opset_import[0].version = _OPSET
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _function(backend: Backend, function: str, stride: int) -> dict[str, Any]:
    betas = np.zeros(len(ALPHAS))
    for part in all_float32(stride):
        x = part[np.abs(part) >= FLUSH]  # a subnormal number may be read as zero
        if not x.size:
            continue
        exact = ELEMENTARY[function].exact(torch.from_numpy(x).double()).numpy()
        betas = np.maximum(betas, needed_betas(backend.answer(x), exact, max(1, _PART // stride)))
    known = accuracy(function)
    left = np.maximum(betas - FLUSH, 0.0)
    enough = np.flatnonzero(left <= known.beta)
    return {
        "stride": stride,
        "beta": float(left[int(np.argmin(np.abs(ALPHAS - known.alpha)))]),
        "allowed": known.beta,
        "alpha": float(ALPHAS[enough[0]]) * 2**24 if enough.size else None,
    }


def _sums(backend: Backend, operator: str) -> dict[str, Any]:
    """Return the largest error over gamma_n sum |w x| and what flushing may lose, of values of many magnitudes."""
    random, worst, terms = np.random.default_rng(5), 0.0, _TERMS[operator]
    unit = terms * 2.0**-24
    for _ in range(_PRODUCTS):
        drawn = random.standard_normal(_ROWS[operator]) * 10.0 ** random.uniform(-4, 4, _ROWS[operator])
        x: NDArray[np.float32] = drawn.astype(np.float32)
        exact, size = _product(x, operator), _product(np.abs(x), operator, absolute=True)
        error = np.abs(backend.answer(x.ravel()).astype(np.float64) - exact.ravel())
        worst = max(worst, float((error / (unit / (1 - unit) * size.ravel() + (terms + 1) * 2.0**-126)).max()))
    return {"share": worst}


def _weights(operator: str) -> NDArray[np.float32]:
    shape = {"MatMul": (256, 64), "Conv": (16, 16, 3, 3)}[operator]
    weights: NDArray[np.float32] = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    return weights


def _product(x: NDArray[np.float32], operator: str, *, absolute: bool = False) -> NDArray[np.float64]:
    inputs, weights = torch.from_numpy(x).double(), torch.from_numpy(_weights(operator)).double()
    weights = weights.abs() if absolute else weights
    found = inputs @ weights if operator == "MatMul" else torch.nn.functional.conv2d(inputs, weights, padding=1)
    result: NDArray[np.float64] = found.numpy()
    return result


def product_graph(operator: str) -> bytes:
    """Return a serialized graph of one MatMul or Conv with random weights, from ``x``, flat, to its result, flat."""
    attributes: dict[str, Any] = {"pads": [1, 1, 1, 1]} if operator == "Conv" else {}
    nodes = [
        helper.make_node("Reshape", ["x", "rows"], ["shaped"]),
        helper.make_node(operator, ["shaped", "w"], ["product"], **attributes),
        helper.make_node("Reshape", ["product", "flat"], [operator]),
    ]
    constants = {"rows": np.array(_ROWS[operator]), "flat": np.array([-1]), "w": _weights(operator)}
    graph = helper.make_graph(
        nodes,
        operator,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [int(np.prod(_ROWS[operator]))])],
        [helper.make_tensor_value_info(operator, TensorProto.FLOAT, ["m"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def markdown() -> list[str]:
    """Return the table as docs/explanation/proof.md shows it, a line a backend."""
    lines = [
        "| backend | products and convolutions | functions that leave the table (what it allows) |",
        "|---|---|---|",
    ]
    for backend, rows in _by_backend().items():
        outside = [_excess(row) for row in rows if row.get("beta", 0.0) > row.get("allowed", 0.0)]
        shares = [row["share"] for row in rows if "share" in row]
        sums = "sums" if max(shares, default=0.0) <= 1 else f"{max(shares):.2g} times the bound"
        lines.append(f"| {backend} | {sums if shares else 'not measured'} | {', '.join(outside) or 'none'} |")
    return lines


def _excess(row: dict[str, Any]) -> str:
    if row["allowed"] > FLUSH:
        return f"{row['function']} beta {row['beta']:.4g} ({row['allowed']:.4g})"
    needed = "more than 20" if row["alpha"] is None else f"{row['alpha']:g}"
    return f"{row['function']} {needed} u ({accuracy(row['function']).alpha * 2**24:g} u)"


def _by_backend() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each backend and version, CUDA's with what the table allows today."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads((RESULTS / "compliance.json").read_text())["rows"]:
        found.setdefault(f"{TITLES[row['backend']]} {row['version']}", []).append(row)
    for row in json.loads((RESULTS / "elementary_cuda.json").read_text())["rows"]:
        found.setdefault(row["backend"].partition(", optimization")[0], []).append(row | _allowed_today(row))
    return found


def _allowed_today(row: dict[str, Any]) -> dict[str, Any]:
    known = accuracy(row["function"])
    return {"beta": row["betas"][int(np.argmin(np.abs(ALPHAS - known.alpha)))], "allowed": known.beta, "alpha": None}


def write(rows: list[dict[str, Any]]) -> None:
    """Put a backend's rows in place of those of the same version."""
    path = RESULTS / "compliance.json"
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    replaced = {(row["backend"], row["version"], row["function"]) for row in rows}
    kept = [row for row in known if (row["backend"], row["version"], row["function"]) not in replaced]
    table = sorted([*kept, *rows], key=lambda row: (row["backend"], row["version"], row["function"]))
    path.write_text(json.dumps({"rows": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
