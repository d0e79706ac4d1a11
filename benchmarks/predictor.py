"""What the predictor costs beside bare onnxruntime and torch.

Prints one JSON object. Every time is a ratio of pairs that are measured in turn in one run: the median, with the
quartiles beside it. ``--only latency,torch,growth,batches,threads`` measures a part.
"""

import json
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from common import ROOT, ScoringJob, print_parts, ratio, run, summary, timed

from parity_runtime import Predictor
from parity_runtime.inference.session import create_session

PACKAGE = ROOT / "tests" / "data" / "xor"
CERTIFIED = ROOT / "tests" / "data" / "xor_certified"
ROWS = 10_000_000
THREADS, THREAD_BATCH, THREAD_CALLS = 4, 4096, 400


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {
        "latency": latency, "torch": eager, "growth": growth, "batches": batches, "threads": threads,
    })  # fmt: skip


def latency() -> dict[str, Any]:
    """Return the time of an answer over that of ``session.run(None, {...})``, validation included; then certified."""
    predictor, session = Predictor(PACKAGE), create_session((PACKAGE / "model.onnx").read_bytes())
    results = {}
    for rows, target in ((1, 0.75), (64, 1.05)):
        features = random_rows(rows)
        pair = (repeated(lambda x=features: predictor.predict_proba(x), 2000),
                repeated(lambda x=features: session.run(None, {"features": x}), 2000))  # fmt: skip
        results[f"parity over onnxruntime, batch {rows}"] = ratio(pair, 41) | {"target": f"at most {target}"}
    row = random_rows(1)
    named = (repeated(lambda: predictor.run({"features": row}), 2000),
             repeated(lambda: session.run(None, {"features": row}), 2000))  # fmt: skip
    results["every output by name, parity over onnxruntime, batch 1"] = ratio(named, 41) | {"target": "at most 1.5"}
    plain, proven = Predictor(CERTIFIED), Predictor(CERTIFIED, certified=True)
    asked = repeated(lambda: proven.certified(row), 2000), repeated(lambda: plain.predict(row), 2000)
    results["certified over predict, batch 1"] = ratio(asked, 41) | {"target": "at most 2"}
    return results


def eager() -> dict[str, Any]:
    """Return torch's time over ours for the same network, in eval mode, without gradients, on one thread."""
    import torch

    from parity_training import XORClassifier

    torch.set_num_threads(1)
    predictor, network = Predictor(PACKAGE), XORClassifier().eval()
    compiled = torch.compile(network)
    results = {}
    for rows, calls in ((1, 1000), (1024, 200)):
        features = random_rows(rows)
        tensor = torch.from_numpy(features)
        for name, module in (("torch eager", network), ("torch.compile", compiled)):
            with torch.inference_mode():
                pair = (repeated(lambda m=module, x=tensor: torch.sigmoid(m(x)), calls),
                        repeated(lambda x=features: predictor.predict_proba(x), calls))  # fmt: skip
                results[f"{name} over parity, batch {rows}"] = ratio(pair, 21) | {"target": "reported"}
    return results


def growth() -> dict[str, Any]:
    """Return the nanoseconds a row that an answer takes, by the number of rows."""
    predictor = Predictor(PACKAGE)
    results = {}
    for rows in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000):
        features, calls = random_rows(rows), max(1, 100_000 // rows)
        job = repeated(lambda x=features: predictor.predict_proba(x), calls)
        seconds = statistics.median([timed(job) for _ in range(5)])
        results[str(rows)] = round(1e9 * seconds / calls / rows, 1)
    return {"ns a row by rows, XOR, with validation, predict_proba": results}


def batches() -> dict[str, Any]:
    """Return the throughput over 10M rows beside one raw run: the only call of a process, and call after call."""
    features, out = random_rows(ROWS), np.empty((ROWS, 2), np.float32)
    predictor, session = Predictor(PACKAGE), create_session((PACKAGE / "model.onnx").read_bytes())

    def raw() -> object:
        return session.run(None, {"features": features})

    again = ratio((raw, lambda: predictor.predict_proba(features, out=out)), 15)
    new = ratio((raw, lambda: predictor.predict_proba(features)), 15)
    first = [_first_calls() for _ in range(7)]
    return {
        "onnxruntime over parity, first call of a process": summary([raw["s"] / ours["s"] for raw, ours in first])
        | {"peak_mb": {"raw": first[0][0]["mb"], "parity": first[0][1]["mb"]}, "target": "at least 1.2"},
        "onnxruntime over parity, call after call, out=": again | {"target": "at least 1.2"},
        "onnxruntime over parity, call after call, a new array each": new | {"target": "reported"},
    }


def threads() -> dict[str, Any]:
    """Return the throughput of threads that call one predictor, over that of one thread; bare onnxruntime's too.

    Between two calls a thread waits for the interpreter's lock: what bare onnxruntime reaches is the limit. Two threads
    with half of 10M rows each make one call.
    """
    predictor, session = Predictor(PACKAGE), create_session((PACKAGE / "model.onnx").read_bytes())
    features = random_rows(THREAD_BATCH)
    with ThreadPoolExecutor(THREADS) as pool:
        ours = scaling(lambda: predictor.predict_proba(features), pool)
        raw = scaling(lambda: session.run(None, {"features": features}), pool)
        halves = _halves(predictor, pool)
    return {
        "one thread over two, 10M rows": halves | {"target": "at least 1.8"},
        "one thread over four, parity": ours | {"target": "at least 1.6"},
        "one thread over four, onnxruntime": raw | {"target": "reported"},
    }


def _halves(predictor: Predictor, pool: ThreadPoolExecutor) -> dict[str, Any]:
    rows, out = random_rows(ROWS), np.empty((ROWS, 2), np.float32)

    def half(start: int) -> None:
        part = slice(start, start + ROWS // 2)
        predictor.predict_proba(rows[part], out=out[part])

    def together() -> None:
        list(pool.map(half, (0, ROWS // 2)))

    return ratio((lambda: predictor.predict_proba(rows, out=out), together), 15)


def scaling(job: ScoringJob, pool: ThreadPoolExecutor) -> dict[str, Any]:
    """Return how much longer one thread takes for what four do together."""
    share = repeated(job, THREAD_CALLS)

    def together() -> None:
        for future in [pool.submit(share) for _ in range(THREADS)]:
            future.result()

    return ratio((repeated(job, THREAD_CALLS * THREADS), together), 15)


def random_rows(rows: int) -> np.ndarray:
    """Return points of the plane, float32 ``[rows, 2]``."""
    return np.random.default_rng(0).random((rows, 2), np.float32)


def repeated(job: ScoringJob, count: int) -> Callable[[], None]:
    """Return a job that does another one several times."""

    def run_all() -> None:
        for _ in range(count):
            job()

    return run_all


_FIRST = """
import json, sys, time
import numpy as np
from parity_runtime import Predictor
from parity_runtime.inference.session import create_session
features = np.random.default_rng(0).random((int(sys.argv[3]), 2), np.float32)
predictor, session = Predictor(sys.argv[2]), create_session(open(sys.argv[2] + "/model.onnx", "rb").read())
start = time.perf_counter()
if sys.argv[1] == "raw": session.run(None, {"features": features})
else: predictor.predict_proba(features)
seconds = time.perf_counter() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"s": seconds, "mb": peak * 1024 // 10**6}))
"""


def _first_calls() -> tuple[dict[str, float], dict[str, float]]:
    raw, ours = (json.loads(run([sys.executable, "-c", _FIRST, which, str(PACKAGE), str(ROWS)]))
                 for which in ("raw", "parity"))  # fmt: skip
    return raw, ours


if __name__ == "__main__":
    main()
