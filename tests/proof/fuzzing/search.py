"""Is the proof ever wrong on a graph that nobody thought of? Random graphs, on every onnxruntime that is at hand.

    python -m tests.proof.fuzzing.search [--outputs 30000000] [--seed 0] [--first 0] [--bounds tight]
        [--often deep ...] [--backwards-alone] [--python OTHER/bin/python ...]

prints what was found; every graph is named by its number, and ``--first N --outputs 1`` asks graph N again. A graph
that cannot be certified is counted by reason. Graphs of even numbers get fast bounds and the others tight ones, unless
one kind is asked for. Of one that is certified, every value of the plain and of the certified graph, at
every optimization level of each onnxruntime, subnormal numbers kept and flushed, must lie within the smallest error
bound that any of them claims of the exact value. ``--often`` draws a block (`graphs`) more often, and
``--backwards-alone`` claims what the backward pass says, also where the forward bound is smaller.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.adjoints import seeds
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.export_options import Bounds
from parity_export.gate.graph_float64 import graph_float64
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import FormatError, ModelContract
from tests.proof.fuzzing.backends import Backends
from tests.proof.fuzzing.graphs import ANY, IMAGE, random_graph, random_rows
from tests.proof.graphs import certified_graph

ROWS = 32
_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may add


@dataclass
class Found:
    """What was found.

    Attributes:
        graphs: that were asked.
        refused: how many could not be certified, by reason.
        outputs: values that were compared, by backend; only those of which an error bound is claimed.
        not_run: graphs and levels that a backend refuses to run, by reason.
        unclaimed: values of certified graphs of which none is.
        blocks: how many certified graphs hold each block.
        worst: the largest share of its error bound that an error took.
        violations: a line each.
    """

    graphs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    outputs: Counter[str] = field(default_factory=Counter)
    not_run: Counter[str] = field(default_factory=Counter)
    unclaimed: int = 0
    blocks: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    violations: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        totals = {"graphs": self.graphs, "outputs": self.outputs.total(), "unclaimed": self.unclaimed}
        return totals | {
            "worst_share": self.worst,
            "violations": self.violations,
            "by_backend": dict(self.outputs),
            "not_run": dict(self.not_run),
            "refused": dict(self.refused.most_common()),
            "certified_with": dict(self.blocks.most_common()),
        }


@dataclass(frozen=True)
class Drawn:
    """Which graphs are asked, and of which bounds.

    Attributes:
        seed: of all graphs.
        first: number of the first graph.
        bounds: kinds, in turn.
        often: blocks that are drawn more often.
    """

    seed: int = 0
    first: int = 0
    bounds: Sequence[Bounds] = get_args(Bounds)
    often: Sequence[str] = ()


def search(backends: Backends, outputs: int, drawn: Drawn) -> Found:
    """Ask random graphs until so many outputs were compared."""
    found, number, bounds = Found(), drawn.first, drawn.bounds
    while found.outputs.total() < outputs:
        random = np.random.default_rng([drawn.seed, number])
        graph, contract, blocks = random_graph(random, drawn.often)
        certified = certified_or_counted(found, graph, contract, bounds[number % len(bounds)])
        if certified is not None:
            found.blocks.update({*blocks})
            run_gate(found, f"graph {number} {blocks}", graph, certified, random_rows(random, contract, ROWS), backends)
        number += 1
    return found


def certified_or_counted(found: Found, graph: bytes, contract: ModelContract, bounds: Bounds) -> bytes | None:
    """Return a certified graph; None of one that is refused, which is counted by its reason."""
    found.graphs += 1
    try:
        return certified_graph(graph, contract, bounds)
    except (CannotCertifyError, FormatError) as error:  # the second where onnxruntime cannot load the plain graph
        found.refused[_reason(str(error))] += 1
        return None


def run_gate(found: Found, name: str, plain: bytes, certified: bytes, rows: np.ndarray, backends: Backends) -> None:
    """Ask a graph and its certified form of everything, and compare the values with the exact ones."""
    with np.errstate(all="ignore"):
        exact = graph_float64(OnnxGraph(plain), ["value"])({"features": rows})["value"]
    answers = backends.ask({"plain": plain, "certified": certified}, rows)
    bounds = np.stack(
        [array for arrays in answers.values() for key, array in arrays.items() if key.endswith("error_bound")]
    )
    bound = bounds.astype(np.float64).min(axis=0)  # NaN where one is
    before = len(found.violations)
    for backend, arrays in answers.items():
        for key, values in arrays.items():
            if key.endswith("error"):
                found.not_run[f"{backend}: {_reason(str(values))}"] += 1
            elif key.endswith("value"):
                _compare(found, f"{name}, {backend}, {key}", values, exact, bound)
                found.outputs[backend] += int(np.isfinite(bound).sum())
    del found.violations[before + 2 :]  # what one graph does wrong it does in many configurations
    found.unclaimed += int((~np.isfinite(bound)).sum())


def _compare(found: Found, name: str, values: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> None:
    if values.shape != exact.shape:
        found.violations.append(f"{name}: a value of the shape {values.shape}, not {exact.shape}")
        return
    with np.errstate(all="ignore"):
        error = np.abs(values.astype(np.float64) - exact)
        share = np.where((error == 0) & (bound >= 0), 0.0, error / bound)
    wrong = ~((bound >= 0) & (np.isposinf(bound) | (share <= _FLOAT64)))
    found.worst = max(found.worst, float(share[np.isfinite(bound)].max(initial=0.0)))
    if wrong.any():
        at = tuple(int(index) for index in np.argwhere(wrong)[0])
        found.violations.append(
            f"{name}: {int(wrong.sum())} values leave their bound; at {at} {values[at]!r} is {error[at]:.3g} from "
            f"{exact[at]!r}, the error bound {bound[at]:.3g}"
        )


def _reason(message: str) -> str:
    """Return a refusal without the names and numbers of its graph."""
    message = message.removeprefix("cannot certify: ")
    return re.sub(r" at node \S+", "", re.sub(r"(?<!\w)[-+]?\d[\d.e+-]*", "N", message))


def _the_first(builder: BoundBuilder, found: ir.Value, known: ir.Value) -> ir.Value:
    """Return the first of two bounds where it is a number, in the place of the smaller one."""
    says = builder.emit("Less", [found, builder.initializer(np.array([[np.inf]], np.float32))])
    finite = builder.emit("Less", [known, builder.initializer(np.array([[np.inf]], np.float32))])
    return builder.emit("Where", [builder.emit("And", [says, finite]), found, known])


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and print; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--outputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--python", action="append", default=[], help="an interpreter with another onnxruntime")
    parser.add_argument("--bounds", action="append", choices=get_args(Bounds))
    parser.add_argument("--often", action="append", default=[], choices=[*ANY, *IMAGE], help="a block to draw more of")
    parser.add_argument("--backwards-alone", action="store_true", help="also where the forward bound is smaller")
    options = parser.parse_args(arguments)
    drawn = Drawn(options.seed, options.first, options.bounds or get_args(Bounds), options.often)
    if options.backwards_alone:
        seeds.smaller = _the_first
    with Backends([sys.executable, *options.python]) as backends:
        found = search(backends, options.outputs, drawn)
    print(json.dumps(found.to_json(), indent=1))  # noqa: T201
    return int(bool(found.violations))


if __name__ == "__main__":
    sys.exit(main())
