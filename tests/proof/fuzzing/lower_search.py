"""Is the error bound of a lower precision ever wrong on a graph that nobody thought of?

    python -m tests.proof.fuzzing.lower_search [--graphs 1000] [--seed 0] [--first 0]

Random graphs as `search` draws them, in each precision: every evaluation of `tests.proof.lower` must lie within the
error bound of the values beside it. ``--first N --graphs 1`` asks graph N again.
"""

import argparse
import json
import sys
from collections import Counter
from typing import Any

import numpy as np

from parity_export.error_bounds import CannotCertifyError, propagate_error_bounds
from parity_export.error_bounds.precision import PRECISIONS
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.inference.session import create_session
from tests.proof.arithmetic import Compliant
from tests.proof.evaluator import evaluate
from tests.proof.fuzzing.graphs import random_graph, random_rows
from tests.proof.fuzzing.search import _reason
from tests.proof.lower import evaluations

ROWS = 16


def search(graphs: int, seed: int = 0, first: int = 0) -> dict[str, Any]:
    """Ask random graphs, each in one precision after the other."""
    refused, compared, violations, worst = Counter[str](), Counter[str](), list[str](), 0.0
    for number in range(first, first + graphs):
        random = np.random.default_rng([seed, number])
        graph, contract, blocks = random_graph(random)
        rows = random_rows(random, contract, ROWS)
        if not is_evaluated(graph, rows):
            refused["not evaluated"] += 1
            continue
        for name in PRECISIONS:
            try:
                found, share = ask(graph, contract, name, rows)
            except CannotCertifyError as error:
                refused[f"{name}: {_reason(str(error))}"] += 1
                continue
            compared[name] += found
            worst = max(worst, share)
            if share > 1:
                violations.append(f"graph {number} {blocks}, {name}: {share}")
    return {
        "worst_share": worst,
        "outputs": dict(compared),
        "violations": violations,
        "refused": dict(refused.most_common()),
    }


def is_evaluated(graph: bytes, rows: np.ndarray) -> bool:
    """Whether the evaluator of the tests knows all operators of a graph, in the forms that it has."""
    [known] = create_session(graph).run(["value"], {"features": rows})
    try:
        with np.errstate(all="ignore"):
            found = evaluate(graph, {"features": rows}, Compliant())["value"]
    except (KeyError, IndexError, ValueError):
        return False
    return found.shape == known.shape and np.allclose(found, known, rtol=1e-3, atol=1e-6, equal_nan=True)


def ask(graph: bytes, contract: ModelContract, name: str, rows: np.ndarray) -> tuple[int, float]:
    """Return how many values were compared with an error bound, and the largest share of it."""
    low = propagate_error_bounds(OnnxGraph(graph), contract, "tight", PRECISIONS[name])
    value, bound = create_session(low.data).run(["value", "error_bound"], {"features": rows})
    claimed, worst, count = np.isfinite(bound), 0.0, 0
    for evaluation in evaluations(name):
        with np.errstate(all="ignore"):
            error = np.abs(evaluation.evaluate(graph, {"features": rows})["value"].astype(np.float64) - value)[claimed]
            share = np.where(error == 0, 0.0, error / bound[claimed])
        worst = max(worst, float(np.nan_to_num(share, nan=np.inf).max(initial=0.0)))
        count += int(claimed.sum())
    return count, worst


def main() -> int:
    """Search and print; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser()
    for name, default in (("--graphs", 1000), ("--seed", 0), ("--first", 0)):
        parser.add_argument(name, type=int, default=default)
    found = search(**vars(parser.parse_args()))
    print(json.dumps(found, indent=1))  # noqa: T201
    return bool(found["violations"])


if __name__ == "__main__":
    sys.exit(main())
