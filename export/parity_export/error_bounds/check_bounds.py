"""Error bounds, checked at the gate: every backend runs the certified graph, and none may leave its own error bound."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.bound_report import BoundReport
from parity_export.error_bounds.certified_model import is_bounded
from parity_export.export_graph import ExportGraph
from parity_export.gate.backends import REFERENCE, Backend, backends
from parity_export.gate.batching import Batches
from parity_export.gate.graph_float64 import graph_float64
from parity_export.gate.oracle import Oracle
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, PROBABILITIES
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.probability_bound import probability_error_bound

_FLOAT64 = 1 + 2.0**-20  # what float64's own rounding may add to an error of float32's size


def check_bounds(report: BoundReport, plain: ExportGraph, oracle: Oracle) -> list[str]:
    """Run a graph and its certified form on every backend; record what is claimed, and whether it is so.

    The exact answers are those of the graph with its own float32 constants, in float64 (`graph_float64`): torch's are
    others where its code brings in a number that is no float32. The plain graph is asked as well, because a backend may
    rewrite it where the certified one has nodes in the way.

    Args:
        report: its claims are known, its figures are filled in.
        plain: the graph that was certified.
        oracle: the probes and torch's outputs.

    Returns:
        The report's violations.
    """
    contract = report.model.contract
    plain_outputs = tuple(spec for spec in contract.outputs if spec.name not in (ERROR_BOUND, CERTIFIED))
    plain_contract = replace(contract, outputs=plain_outputs)
    graphs = {"": (report.model.graph, contract), ", plain graph": (plain.onnx, plain_contract)}
    try:
        exact = _exact(plain.onnx, plain_contract, oracle)
    except Exception as error:  # torch's, onnxruntime's and the reference evaluator's own
        report.violations.append(f"the graph has no exact outputs to compare with: {first_line(error)}")
        return report.violations
    first: Arrays | None = None
    for backend in filter(lambda one: one.is_planned(oracle.plan), backends(report.model.graph)):
        for name, (graph, asked) in graphs.items():
            try:
                found = _run(backend, graph, asked, oracle)
            except Exception as error:  # onnxruntime's and the reference evaluator's own
                reason = f"{backend}{name} fails: {first_line(error)}"
                (report.not_run if backend == REFERENCE else report.violations).append(reason)
                continue
            first = first or found
            bound = {} if ERROR_BOUND in found else {ERROR_BOUND: first[ERROR_BOUND][: len(found[contract.bounded])]}
            _compare(f"{backend}{name}", found | bound, first, exact, report)
    if first is not None and not report.model.torch_gaps:
        expected = oracle(len(oracle.probes))
        answers = {name: array for name, array in expected.float32.items() if name != PROBABILITIES}  # of no head
        _compare("torch float32", answers | {ERROR_BOUND: first[ERROR_BOUND]}, first, exact, report)
    if first is not None:
        _record(first, oracle, report)
    return report.violations


def _exact(plain: OnnxGraph, contract: ModelContract, oracle: Oracle) -> Arrays:
    """Return the graph's own answers to all probes in float64, rows first."""
    names = [spec.name for spec in contract.outputs]
    rows = np.arange(len(oracle.probes))
    with np.errstate(all="ignore"):
        return Batches(contract).run(graph_float64(plain, names), oracle.probes.inputs, rows, len(rows))


def _run(backend: Backend, graph: OnnxGraph, contract: ModelContract, oracle: Oracle) -> Arrays:
    """Return the answers to all probes; ONNX's reference evaluator is asked the first few."""
    batch = backend.batch_sizes(oracle.plan)[-1]
    most = batch * backend.max_batches(oracle.plan)
    count = min(len(oracle.probes), most if backend == REFERENCE else len(oracle.probes))
    with np.errstate(all="ignore"):
        answer = backend.load(graph, contract)
        return Batches(contract).run(answer, oracle.probes.inputs, np.arange(count), batch)


def _compare(backend: str, found: Arrays, first: Arrays, exact: Arrays, report: BoundReport) -> None:
    """Compare one engine with the exact answers and with the first engine."""
    output = report.model.contract.bounded
    count = len(found[output])
    bound, others = found[ERROR_BOUND].astype(np.float64), first[ERROR_BOUND][:count].astype(np.float64)
    share = _share(found[output], exact[output][:count], bound)
    report.nearest[backend] = float(share.max(initial=0.0))
    if not (share <= _FLOAT64).all():
        report.violations.append(f"{backend}: {int((share > _FLOAT64).sum())} values leave their proven error bound")
    if not (_share(found[output], first[output][:count], bound + others) <= _FLOAT64).all():
        report.violations.append(f"{backend} and the first engine are further apart than both their error bounds")
    if report.model.bounds_probabilities and PROBABILITIES in found:
        allowed = probability_error_bound(first[output][:count], first[ERROR_BOUND][:count])
        if not (
            _share(found[PROBABILITIES], exact[PROBABILITIES][:count], allowed.astype(np.float64)) <= _FLOAT64
        ).all():
            report.violations.append(f"{backend}: probabilities leave their error bound")
    if CERTIFIED in first:
        other = found[LABEL] != exact[LABEL][:count]
        if other[first[CERTIFIED][:count]].any():
            report.violations.append(f"{backend} gives another label than the exact one where it is certified")


def _share(found: NDArray[Any], exact: NDArray[Any], bound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |found - exact| / error bound: 0 where no error bound is claimed, which is infinite then.

    A claimed value that is not finite takes an infinite share, and so does every value of an error bound that is
    negative or NaN: nothing lies within that.
    """
    with np.errstate(all="ignore"):
        error = np.abs(found.astype(np.float64) - exact)
        share = np.where((error == 0) & (bound == 0), 0.0, error / bound)
    share = np.where(bound >= 0, np.nan_to_num(share, nan=np.inf, posinf=np.inf), np.inf)
    return np.where(np.isposinf(bound), 0.0, share)


def _record(first: Arrays, oracle: Oracle, report: BoundReport) -> None:
    bound = first[ERROR_BOUND].reshape(len(first[ERROR_BOUND]), -1)
    claimed = is_bounded(bound).all(axis=1)
    ordinary = claimed & oracle.ordinary
    report.rows, report.bounded = len(bound), int(claimed.sum())
    report.certified = int((first[CERTIFIED] & claimed).sum()) if CERTIFIED in first else None
    report.median_bound = float(np.median(bound[claimed])) if claimed.any() else 0.0
    report.largest_bound = float(bound[ordinary].max(initial=0.0))
