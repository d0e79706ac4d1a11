"""The proof at the gate: every engine runs the certified graph, and none may leave its own radius."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import Batches
from parity_export.gate.engines import REFERENCE, Engine, engines
from parity_export.gate.expectation import Expectation
from parity_export.gate.graph_float64 import graph_float64
from parity_export.proof.certified_model import is_claimed
from parity_export.proof.claim import Proof
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, LABEL, RADIUS
from parity_runtime.errors import first_line
from parity_runtime.inputs import Arrays

_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may add to an error of float32's size


def prove(proof: Proof, plain: bytes, expectation: Expectation) -> None:
    """Run a graph and its certified form on every engine; record what is claimed, and whether it is so.

    The exact answers are those of the graph with its own float32 constants, in float64 (`graph_float64`): torch's are
    others where its code brings in a number that is no float32. The plain graph is asked as well, because a backend may
    rewrite it where the certified one has nodes in the way.

    Args:
        proof: its claims are known, its figures are filled in.
        plain: the graph that was certified, serialized.
        expectation: the questions and torch's answers.
    """
    contract = proof.model.contract
    answers = tuple(spec for spec in contract.outputs if spec.name not in (RADIUS, CERTIFIED))
    plain_contract = replace(contract, outputs=answers)
    graphs = {"": (proof.model.graph, contract), ", plain graph": (plain, plain_contract)}
    try:
        exact = _exact(plain, plain_contract, expectation)
    except Exception as error:  # torch's, onnxruntime's and the reference evaluator's own
        proof.violations.append(f"the graph has no exact answers to compare with: {first_line(error)}")
        return
    first: Arrays | None = None
    for engine in engines(proof.model.graph):
        for name, (graph, asked) in graphs.items():
            try:
                found = _ask(engine, graph, asked, expectation)
            except Exception as error:  # onnxruntime's and the reference evaluator's own
                reason = f"{engine}{name} fails: {first_line(error)}"
                (proof.not_run if engine == REFERENCE else proof.violations).append(reason)
                continue
            first = first or found
            radius = {} if RADIUS in found else {RADIUS: first[RADIUS][: len(found[contract.bounded])]}
            _compare(f"{engine}{name}", found | radius, first, exact, proof)
    if first is not None and not proof.model.torch_gaps:
        expected = expectation(len(expectation.probes))
        _compare("torch float32", {**expected.float32, RADIUS: first[RADIUS]}, first, exact, proof)
    if first is not None:
        _record(first, expectation, proof)


def _exact(plain: bytes, contract: ModelContract, expectation: Expectation) -> Arrays:
    """Return the graph's own answers to all probes in float64, rows first."""
    names = [spec.name for spec in contract.outputs]
    rows = np.arange(len(expectation.probes))
    with np.errstate(all="ignore"):
        return Batches(contract).ask(graph_float64(plain, names), expectation.probes.inputs, rows, len(rows))


def _ask(engine: Engine, graph: bytes, contract: ModelContract, expectation: Expectation) -> Arrays:
    """Return the answers to all probes; ONNX's reference evaluator is asked the first few."""
    batch = engine.batch_sizes[-1]
    count = min(len(expectation.probes), batch * engine.max_batches if engine == REFERENCE else len(expectation.probes))
    with np.errstate(all="ignore"):
        answer = engine.load(graph, contract)
        return Batches(contract).ask(answer, expectation.probes.inputs, np.arange(count), batch)


def _compare(engine: str, found: Arrays, first: Arrays, exact: Arrays, proof: Proof) -> None:
    """Compare one engine with the exact answers and with the first engine."""
    output = proof.model.contract.bounded
    count = len(found[output])
    radius, others = found[RADIUS].astype(np.float64), first[RADIUS][:count].astype(np.float64)
    share = _share(found[output], exact[output][:count], radius)
    proof.nearest[engine] = float(share.max(initial=0.0))
    if not (share <= _FLOAT64).all():
        proof.violations.append(f"{engine}: {int((share > _FLOAT64).sum())} values leave their proven radius")
    if not (_share(found[output], first[output][:count], radius + others) <= _FLOAT64).all():
        proof.violations.append(f"{engine} and the first engine are further apart than both their radii")
    if CERTIFIED in first:
        other = found[LABEL] != exact[LABEL][:count]
        if other[first[CERTIFIED][:count]].any():
            proof.violations.append(f"{engine} gives another label than the exact one where it is certified")


def _share(found: NDArray[Any], exact: NDArray[Any], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |found - exact| / radius: 0 where no radius is claimed, which is infinite then.

    A claimed value that is not finite takes an infinite share, and so does every value of a radius that is negative or
    NaN: nothing lies within that.
    """
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - exact)
        share = np.where((error == 0) & (radius == 0), 0.0, error / radius)
    share = np.where(radius >= 0, np.nan_to_num(share, nan=np.inf, posinf=np.inf), np.inf)
    return np.where(np.isposinf(radius), 0.0, share)


def _record(first: Arrays, expectation: Expectation, proof: Proof) -> None:
    radius = first[RADIUS].reshape(len(first[RADIUS]), -1)
    claimed = is_claimed(radius).all(axis=1)
    ordinary = claimed & expectation.ordinary
    proof.rows, proof.bounded = len(radius), int(claimed.sum())
    proof.certified = int((first[CERTIFIED] & claimed).sum()) if CERTIFIED in first else None
    proof.median_radius = float(np.median(radius[claimed])) if claimed.any() else 0.0
    proof.largest_radius = float(radius[ordinary].max(initial=0.0))
