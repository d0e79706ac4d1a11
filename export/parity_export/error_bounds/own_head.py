"""Whether a graph's probabilities are computed from its logits by the head that Parity writes."""

from collections.abc import Mapping

import onnx_ir as ir

from parity_export.error_bounds.known_encoder import is_same
from parity_export.graph.nodes import node
from parity_export.graph.probabilities import logistic, softmax
from parity_runtime.contract import LOGITS, PROBABILITIES


def are_of_logits(outputs: Mapping[str, ir.Value]) -> bool:
    """Return whether every node between the logits and the probabilities is the head's: names prove nothing.

    A module that returns probabilities gives them itself, and a graph of anybody's may compute them in another way.
    """
    if PROBABILITIES not in outputs:
        return False
    logits = ir.Value(name=LOGITS)
    graph = ir.Graph([logits], [], nodes=[])
    shape = outputs[LOGITS].shape
    if shape is None or len(shape) != 2:
        return False
    if shape[1] == 1:
        both = node(graph, "Concat", [logits, node(graph, "Neg", [logits], "negated")], "both", axis=1)
        wanted = logistic(graph, both)
    else:
        wanted = softmax(graph, logits)
    return is_same(outputs[PROBABILITIES], wanted, {(outputs[LOGITS], logits)})
