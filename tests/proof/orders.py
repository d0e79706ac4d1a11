"""How much of an error estimate do orders of summation take, also those that are chosen to hurt?

    python -m tests.proof.orders [deep digits residual] [--rows 32]

`parity estimate` takes roundings for independent; this asks evaluators whose roundings are not. Each sum of a *hurting*
one takes next the term whose addition errs most in the direction that moves the row's largest answer, told by what that
answer changes with the sum's result (torch's autograd in float64), and functions err by all they may that way.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from parity_export.error_estimate.estimate import ErrorEstimate
from parity_export.error_estimate.roundings import FUNCTIONS
from parity_export.onnx_graph import OnnxGraph
from parity_export.onnx_module.graph_module import GraphModule
from parity_runtime import ModelContract
from tests.proof.arithmetic import COMPLIANT, Array, Compliant, Exact
from tests.proof.evaluator import evaluate
from tests.proof.networks import SUBJECTS

_SUMS = ("Gemm", "MatMul")
_FUNCTIONS = (*FUNCTIONS, "Gelu")


@dataclass
class Hurting(Compliant):
    """Sums and functions that err towards one side of one answer.

    Attributes:
        sums: of the results of all sums, in order, to which side each is to err, 1 or -1.
        functions: the same of functions.
    """

    sums: Iterator[Array] = field(default_factory=lambda: iter(()))
    functions: Iterator[Array] = field(default_factory=lambda: iter(()))

    def _adversarial(self, terms: list[Array], sign: float) -> Array:
        return super()._adversarial(terms, sign * next(self.sums))

    def function(self, name: str, x: Array) -> Array:
        below, above = (replace(COMPLIANT["forward"], error=side).function(name, x) for side in (-1.0, 1.0))
        return np.where(next(self.functions) > 0, above, below)


def hurting(graph: bytes, contract: ModelContract, rows: Array, side: int) -> Hurting:
    """Return the evaluator that moves the largest answer of each row up, or down.

    Args:
        graph: serialized.
        contract: of the graph.
        rows: float32 ``[batch, features]``.
        side: 1 or -1.
    """
    known = OnnxGraph(graph)
    module = GraphModule(known.light, [contract.bounded], known.weights, only_float64=True).double()
    marks: list[tuple[str, torch.Tensor]] = []

    def after(step, given, results):
        if step.operator not in (*_SUMS, *_FUNCTIONS):
            return results
        mark = torch.zeros_like(results[0], requires_grad=True)
        marks.append((step.operator, mark))
        return [results[0] + mark, *results[1:]]

    answers = module.observed([torch.from_numpy(rows.astype(np.float64))], after)[0].reshape(len(rows), -1)
    worth = torch.autograd.grad(answers.amax(dim=1).sum(), [mark for _, mark in marks])
    signs = [(operator, side * np.sign(one.numpy())) for (operator, _), one in zip(marks, worth, strict=True)]
    sums, functions = (iter([sign for operator, sign in signs if operator in kind]) for kind in (_SUMS, _FUNCTIONS))
    return Hurting("adversarial +1", sums=sums, functions=functions)


def shares(graph: bytes, contract: ModelContract, rows: Array) -> dict[str, float]:
    """Return the largest share of the estimate of each row's largest answer that each evaluator's error takes."""
    inputs = {"features": rows}
    found = ErrorEstimate(contract, OnnxGraph(graph)).of_inputs(inputs)
    exact = evaluate(graph, inputs, Exact())[contract.bounded].reshape(len(rows), -1)
    largest = exact.argmax(axis=1)[:, None]
    estimate = np.take_along_axis(found.error_estimate, largest, axis=1)
    evaluators: dict[str, Compliant] = {name: one for name, one in COMPLIANT.items() if not one.fold}
    evaluators |= {f"adversarial {sign:+d}": Compliant(f"adversarial {sign:+d}", error=sign) for sign in (1, -1)}
    evaluators |= {f"hurting {side:+d}": hurting(graph, contract, rows, side) for side in (1, -1)}
    taken = {}
    for name, evaluator in evaluators.items():
        values = evaluate(graph, inputs, evaluator)[contract.bounded].reshape(len(rows), -1)
        error = np.abs(np.take_along_axis(values - exact, largest, axis=1))
        taken[name] = float((error / estimate).max())
    return taken


def main() -> None:
    """Print the shares, network by network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=["deep", "digits", "residual"], choices=SUBJECTS)
    parser.add_argument("--rows", type=int, default=32)
    options = parser.parse_args()
    for name in options.networks:
        subject = SUBJECTS[name]()
        rows = subject.uniform(options.rows, np.random.default_rng(0))
        found = shares(subject.plain, subject.source.contract, rows)
        print(subject.name, *(f"{one}: {share:.3f}" for one, share in found.items()), sep="\n  ")  # noqa: T201


if __name__ == "__main__":
    main()
