"""The proof at the gate: every engine runs the certified graph, and none may leave its own radius."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import Batches
from parity_export.gate.engines import REFERENCE, Engine, engines
from parity_export.gate.expectation import Expectation
from parity_export.proof.claim import Proof
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, LABEL, LOGITS, RADIUS, VALUE
from parity_runtime.errors import first_line
from parity_runtime.inputs import Arrays

_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may add to an error of float32's size


def prove(proof: Proof, plain: bytes, expectation: Expectation) -> None:
    """Run a graph and its certified form on every engine; record what is claimed, and whether it is so.

    The plain graph is asked as well, because a backend may rewrite it where the certified one has nodes in the way.

    Args:
        proof: its claims are known, its figures are filled in.
        plain: the graph that was certified, serialized.
        expectation: the questions and torch's answers.
    """
    answers = tuple(spec for spec in proof.model.contract.outputs if spec.name not in (RADIUS, CERTIFIED))
    plain_contract = replace(proof.model.contract, outputs=answers)
    first: Arrays | None = None
    for engine, graph in (
        (engine, graph) for engine in engines(proof.model.graph) for graph in (proof.model.graph, plain)
    ):
        try:
            found = _ask(engine, graph, plain_contract if graph is plain else proof.model.contract, expectation)
        except Exception as error:  # onnxruntime's and the reference evaluator's own
            reason = f"{engine} fails on the {'plain' if graph is plain else 'certified'} graph: {first_line(error)}"
            (proof.not_run if engine == REFERENCE else proof.violations).append(reason)
            continue
        first = first or found
        count = len(next(iter(found.values())))
        radius = {} if RADIUS in found else {RADIUS: first[RADIUS][:count]}
        name = f"{engine}, plain graph" if graph is plain else str(engine)
        _compare(name, found | radius, first, expectation, proof)
    if first is not None and not proof.model.torch_gaps:
        expected = expectation(len(expectation.probes))
        _compare("torch float32", {**expected.float32, RADIUS: first[RADIUS]}, first, expectation, proof)
    if first is not None:
        _record(first, expectation, proof)


def _ask(engine: Engine, graph: bytes, contract: ModelContract, expectation: Expectation) -> Arrays:
    """Return the answers to all probes; ONNX's reference evaluator is asked the first few."""
    batch = engine.batch_sizes[-1]
    count = min(len(expectation.probes), batch * engine.max_batches if engine == REFERENCE else len(expectation.probes))
    with np.errstate(all="ignore"):
        answer = engine.load(graph, contract)
        return Batches(contract).ask(answer, expectation.probes.inputs, np.arange(count), batch)


def _compare(engine: str, found: Arrays, first: Arrays, expectation: Expectation, proof: Proof) -> None:
    """Compare one engine with the exact answers, where they are known, and with the first engine."""
    output = LOGITS if LOGITS in found else VALUE
    count = len(found[output])
    expected = expectation(len(expectation.probes))
    radius, others = found[RADIUS].astype(np.float64), first[RADIUS][:count].astype(np.float64)
    if proof.exact:
        exact = expected.float64[output][:count].astype(np.float64)
        share = _share(found[output], exact, radius)
        proof.nearest[engine] = float(share.max(initial=0.0))
        if not (share <= _FLOAT64).all():
            proof.violations.append(f"{engine}: {int((share > _FLOAT64).sum())} values leave their proven radius")
    if not (_share(found[output], first[output][:count].astype(np.float64), radius + others) <= _FLOAT64).all():
        proof.violations.append(f"{engine} and the first engine are further apart than both their radii")
    if CERTIFIED in first and (found[LABEL] != first[LABEL][:count])[first[CERTIFIED][:count]].any():
        proof.violations.append(f"{engine} gives another label where it is certified")


def _share(found: NDArray[Any], exact: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |found - exact| / radius; 0 where no radius is claimed, infinite where a claimed value is not finite."""
    claimed = np.isfinite(radius)
    with np.errstate(all="ignore"):
        share = np.abs(found.astype(np.float64) - exact) / radius
    return np.where(claimed, np.nan_to_num(share, nan=np.inf, posinf=np.inf), 0.0)


def _record(first: Arrays, expectation: Expectation, proof: Proof) -> None:
    radius = first[RADIUS].reshape(len(first[RADIUS]), -1)
    claimed = np.isfinite(radius).all(axis=1)
    ordinary = claimed & expectation.ordinary
    proof.rows, proof.bounded = len(radius), int(claimed.sum())
    proof.certified = int(first[CERTIFIED].sum()) if CERTIFIED in first else None
    proof.median_radius = float(np.median(radius[claimed])) if claimed.any() else 0.0
    proof.largest_radius = float(radius[ordinary].max(initial=0.0))
