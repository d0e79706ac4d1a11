"""Whether a package of somebody's classifier decides as the file that it was made of does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.comparison import decided
from parity_export.gate.oracle import Oracle
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.model_source import ModelSource
from parity_runtime.arguments import argument
from parity_runtime.printable import counted, shown


def check_own_labels(source: ModelSource, oracle: Oracle) -> list[str]:
    """Return why a package would answer other labels than its file, a line for each of the file's own decisions.

    A file need not decide for the largest of its probabilities: libsvm decides by votes, and fits probabilities to
    them. Rows in which rounding decides are left out, ties among them; so is a threshold that a person set.

    Args:
        source: of an ONNX file.
        oracle: the probes, and what the file's own graph answers to them.
    """
    if source.own_labels is None or source.contract.threshold not in (None, 0.5):
        return []
    names = [value.name for value in source.own_labels.model.graph.output]
    judged, wanted = _decided_rows(source, oracle)
    found = _answers(OnnxGraph(source.own_labels.model), names, oracle, judged)
    classes = [source.own_labels.classes, source.contract.classes, range(len(source.contract.classes))]
    lines = [_difference(name, found[name], wanted, classes, source) for name in names if len(judged)]
    return [line for line in lines if line is not None]


def _decided_rows(source: ModelSource, oracle: Oracle) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the probes that no rounding decides, and the class of each, as an index."""
    expected = oracle(len(oracle.probes))
    rows = np.arange(len(oracle.probes))
    judged = rows[decided(source.contract, expected, rows)]
    return judged, expected.float64[str(source.contract.decision)][judged]


def _answers(
    graph: OnnxGraph, names: Sequence[str], oracle: Oracle, rows: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    session = graph.session()
    size = min(len(rows), oracle.plan.batch) or 1
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    answers = [session.run(names, oracle.batches.call(oracle.probes.inputs, part)) for part in parts]
    return {name: np.concatenate([np.ravel(answer[index]) for answer in answers]) for index, name in enumerate(names)}


def _difference(
    name: str,
    found: NDArray[Any],
    wanted: NDArray[np.int64],
    classes: Sequence[Sequence[str | int]],
    source: ModelSource,
) -> str | None:
    """Return how labels differ from the classes that are wanted; None where they agree, or are no labels of a row."""
    known = next((labels for labels in classes if set(found.tolist()) <= set(labels)), None)
    if found.shape != wanted.shape or known is None:
        return None
    differs = np.flatnonzero(found != np.array(known, found.dtype)[wanted])
    if not len(differs):
        return None
    own, ours = found[differs[0]], source.contract.classes[wanted[differs[0]]]
    return (
        f"the file does not decide by its probabilities: its output {shown(name)} is {shown(str(own))} where "
        f"the largest belongs to {shown(str(ours))}, in {len(differs)} of {counted(len(wanted), 'row')}; take its "
        f"outputs as they are: {argument('task', 'tensors')}"
    )
