"""Is the proof ever wrong? Random, boundary and adversarial points, on every backend that is at hand.

    python -m tests.proof.soundness [--points 100000000] [--bounds tight] [xor iris cancer deep digits residual]

prints a line a network. Every point is asked of torch, of onnxruntime and of the certified graph, in a configuration
that changes from chunk to chunk; a part of the points also of ONNX's reference evaluator, and of float32 evaluators
that sum in random and adversarial order.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, get_args

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator

from parity_export.export_options import Bounds
from parity_export.gate.backends import session_answer
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, LOGITS, certified_contract
from parity_runtime.inference.session import OPTIMIZATIONS, create_session
from tests.proof.arithmetic import COMPLIANT, Compliant
from tests.proof.evaluator import evaluate
from tests.proof.fuzzing.backends import Backend
from tests.proof.networks import SUBJECTS, Subject

CHUNK = 2**17
_FEW, _FEWER = 2048, 64  # rows of a chunk that the evaluators in Python are asked
_POOL = 256  # points that are kept as the worst, and moved about
_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may add

SHARES = {"xor": 0.5, "iris": 0.25, "cancer": 0.19, "deep": 0.03, "digits": 0.015, "residual": 0.015}
"""Of the points, by network: a point of a deep one takes a hundred times as long as one of XOR's."""

ADVERSARIAL = {f"adversarial {sign:+d}": Compliant(f"adversarial {sign:+d}", error=float(sign)) for sign in (1, -1)}


@dataclass
class Found:
    """What was found on one network.

    Attributes:
        points: that were asked, by kind.
        asked: evaluations, by family of backends.
        worst: the largest |computed - exact| / error bound, by family.
        deviation: the largest |computed - exact|.
        bound: the largest.
        certified: of the uniform points.
        violations: values outside an error bound, and labels that differ although certified.
    """

    points: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    deviation: float = 0.0
    bound: float = 0.0
    certified: int = 0
    violations: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "points": dict(self.points),
            "asked": dict(self.asked),
            "violations": self.violations,
            "largest_bound": self.bound,
            "largest_deviation": self.deviation,
            "error_bound_over_deviation": self.bound / self.deviation,
            "certified_of_uniform": self.certified / self.points["uniform"],
            "worst_share": {name: round(share, 4) for name, share in self.worst.items()},
        }


def search(subject: Subject, points: int, seed: int = 0) -> Found:
    """Ask some points of everything."""
    random, found = np.random.default_rng(seed), Found()
    pool = subject.uniform(_POOL, random)
    boundary = boundary_points(subject, random)
    flushed = Backend.start(sys.executable, "flushed")
    sessions = cycle(list(_sessions(subject.certified, subject, flushed)))
    plains, torches, python = cycle(list(_sessions(subject.plain, subject, flushed))), _torches(), _python()
    kinds = cycle(("uniform", "uniform", "boundary", "adversarial"))
    while found.points.total() < points:
        kind = next(kinds)
        rows = {
            "uniform": lambda: subject.uniform(CHUNK, random),
            "boundary": lambda: jittered(boundary, random),
            "adversarial": lambda pool=pool: jittered(pool, random),
        }[kind]()
        exact = subject.exact(rows)
        name, ask = next(sessions)
        bound_report = ask(rows)
        answers = {name: bound_report}
        name, ask = next(plains)
        answers[f"plain, {name}"] = ask(rows)
        name, ask = next(torches)
        answers[name] = ask(subject, rows)
        share = run_gate(found, subject, exact, answers, bound_report)
        few = rows[:: CHUNK // _FEW]
        name, backend = next(python)
        few = few if "another order" in name else few[:: _FEW // _FEWER]
        run_gate(found, subject, subject.exact(few), *_in_python(subject, name, backend, few))
        found.points[kind] += len(rows)
        if kind == "uniform":
            found.certified += int(bound_report[CERTIFIED].sum())
            found.bound = max(found.bound, float(bound_report[ERROR_BOUND].max()))
        best = np.argsort(-share)[: _POOL // 8]
        pool = np.concatenate([rows[best], pool])[:_POOL]
    flushed.close()
    return found


def run_gate(
    found: Found,
    subject: Subject,
    exact: np.ndarray,
    answers: dict[str, dict[str, np.ndarray]],
    bound_report: dict[str, Any],
) -> np.ndarray:
    """Compare answers with the exact ones by a certified graph's own word; return each row's largest share."""
    largest = np.zeros(len(exact))
    labels = labels_of(subject, exact)
    for name, answer in answers.items():
        error = np.abs(answer[LOGITS].astype(np.float64) - exact)
        share = np.where(bound_report[ERROR_BOUND] >= 0, error / bound_report[ERROR_BOUND], np.inf).max(axis=1)
        wrong = bound_report[CERTIFIED] & (labels_of(subject, answer[LOGITS]) != labels)
        if LABEL in answer:
            wrong |= bound_report[CERTIFIED] & (answer[LABEL] != labels)
        found.violations += int((~(share <= _FLOAT64)).sum()) + int(wrong.sum())
        family = name.removeprefix("plain, ").split(":")[0]
        found.asked[family] += len(exact)
        found.worst[family] = max(found.worst[family], float(share.max()))
        found.deviation = max(found.deviation, float(error.max()))
        largest = np.maximum(largest, share)
    return largest


def labels_of(subject: Subject, logits: np.ndarray) -> np.ndarray:
    if subject.source.contract.task == "binary":
        return (logits[:, 0] >= subject.source.contract.logit_threshold).astype(np.int64)
    return logits.argmax(axis=1)


def boundary_points(subject: Subject, random: np.random.Generator) -> np.ndarray:
    """Halve segments between points of different labels until they are neighbours."""
    start, end = subject.uniform(8 * _POOL, random), subject.uniform(8 * _POOL, random)
    first = labels_of(subject, subject.exact(start))
    differ = first != labels_of(subject, subject.exact(end))
    start, end, first = start[differ].astype(np.float64), end[differ].astype(np.float64), first[differ]
    for _ in range(40):
        middle = ((start + end) / 2).astype(np.float32)
        same = (labels_of(subject, subject.exact(middle)) == first)[:, None]
        start, end = np.where(same, middle, start), np.where(same, end, middle)
    return start.astype(np.float32)


def jittered(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move points by some units in the last place, or by up to a thousandth."""
    chosen = points[random.integers(0, len(points), CHUNK)]
    size = 2.0 ** random.uniform(-24, -10, (CHUNK, 1))
    return (chosen * (1 + size * random.standard_normal(chosen.shape))).astype(np.float32)


def _sessions(graph: bytes, subject: Subject, flushed: Backend) -> Iterator[tuple[str, Any]]:
    """Yield onnxruntime at every level: with one thread, with two, and in a process that flushes subnormal numbers."""
    contract = subject.source.contract if graph is subject.plain else certified_contract(subject.source.contract)
    for level in OPTIMIZATIONS:
        for threads in (1, 2):
            session = create_session(graph, threads=threads, optimization=level)
            yield f"onnxruntime: {level}, {threads} thread(s)", _in_batches(_asking(session, contract), subject.batch)
        asked = _in_batches(_flushing(flushed, graph, level), subject.batch)
        yield f"onnxruntime, denormals as zero: {level}", asked


def _in_batches(ask: Any, batch: int) -> Any:
    def ask_all(rows: np.ndarray) -> dict[str, np.ndarray]:
        answers = [ask(rows[at : at + batch]) for at in range(0, len(rows), batch)]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    return ask_all


def _flushing(backend: Backend, graph: bytes, level: str) -> Any:
    """Only the first session of a process decides whether it flushes: this one is asked in another process."""

    def ask(rows: np.ndarray) -> dict[str, np.ndarray]:
        backend.send({"graph": graph}, rows, [level])
        return {key.rpartition("|")[2]: array for key, array in backend.receive().items()}

    return ask


def _asking(session: Any, contract: ModelContract) -> Any:
    answer = session_answer(session, contract)
    return lambda rows: answer({"features": rows})


def _torches() -> Iterator[tuple[str, Any]]:
    for batch, flush in cycle([(1000, False), (CHUNK, True), (64, False), (CHUNK, False), (1000, True)]):
        name = f"torch{', denormals flushed' if flush else ''}: batch {batch}"
        yield name, lambda subject, rows, batch=batch, flush=flush: {LOGITS: _torch(subject, rows, batch, flush)}


def _torch(subject: Subject, rows: np.ndarray, batch: int, flush: bool) -> np.ndarray:
    torch.set_flush_denormal(flush)
    try:
        return np.concatenate([subject.torch(rows[at : at + batch]) for at in range(0, len(rows), batch)])
    finally:
        torch.set_flush_denormal(False)


def _python() -> Iterator[tuple[str, Any]]:
    summed = [(f"float32 in another order: {name}", backend) for name, backend in COMPLIANT.items()]
    worst = [(f"float32 in adversarial order: {name}", backend) for name, backend in ADVERSARIAL.items()]
    yield from cycle([*summed, *worst, ("ONNX reference evaluator", None)])


def _in_python(subject: Subject, name: str, backend: Compliant | None, rows: np.ndarray) -> tuple[Any, Any]:
    """Return the answers to the plain and to the certified graph, and the latter's."""
    inputs = {"features": rows}
    if backend is not None:
        bound_report = evaluate(subject.certified, inputs, backend)
        return {name: bound_report, f"plain, {name}": evaluate(subject.plain, inputs, backend)}, bound_report
    evaluator = ReferenceEvaluator(onnx.load_from_string(subject.certified))
    bound_report = dict(zip(evaluator.output_names, evaluator.run(None, inputs), strict=True))
    return {name: bound_report}, bound_report


def main() -> int:
    """Search and print; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subjects", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--points", type=int, default=1_000_000, help="of all networks together")
    parser.add_argument("--bounds", choices=get_args(Bounds), default="fast")
    options = parser.parse_args()
    violations = 0
    for name in options.subjects:
        subject = SUBJECTS[name]().tight if options.bounds == "tight" else SUBJECTS[name]()
        found = search(subject, int(options.points * SHARES[name]))
        print(json.dumps({"network": subject.name} | found.to_json()), flush=True)  # noqa: T201
        violations += found.violations
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
