"""Which graphs are taken at all, before any rule is asked."""

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.decisions import COMPARING
from parity_export.error_bounds.errors import CannotCertifyError, refusal
from parity_export.error_bounds.operator_rule import OLDEST_OPSET
from parity_runtime import InputError, ModelContract
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, LOGITS

INTEGERS = COMPARING | frozenset(
    {"Shape", "Size", "Gather", "Concat", "Squeeze", "Unsqueeze", "Slice", "Cast", "Add", "Sub", "Mul", "Reshape",
     "Identity", "Expand", "Transpose", "ConstantOfShape", "Range", "Where", "And", "Or", "Xor", "Not", "Clip",
     "Max", "Min", "ReduceSum", "CumSum", "IsNaN", "Trilu"}
)  # fmt: skip
"""Operators that may compute sizes, places and truth values from sizes and from the inputs' own integers."""

FLOATS_OF_INTEGERS = frozenset({"Cast", "Expand", "ConstantOfShape"})
"""Operators whose float result is the same number everywhere where only its integers are computed: an integer rounded
to float32, and a constant repeated."""


_SEVERAL = frozenset({"Split", "LSTM", "GRU"})
"""Operators of several results whose rules know all of them."""


def check_graph(model: ir.Model, contract: ModelContract) -> None:
    """Refuse a graph that the rules are not written for.

    Raises:
        CannotCertifyError: an old opset, a certified graph already, or a label that is not made of the logits.
        InputError: this process flushes subnormal numbers, so that constants could not be read.
    """
    if float(np.array([1e-40], np.float32).astype(np.float64)[0]) == 0:
        raise InputError("this process flushes subnormal numbers (torch.set_flush_denormal); certify in another one")
    if model.opset_imports.get("", 0) < OLDEST_OPSET:
        raise CannotCertifyError(f"cannot certify: opset {model.opset_imports.get('', 0)}; {OLDEST_OPSET} or later")
    names = {str(value.name) for node in model.graph for value in node.outputs} | {*model.graph.initializers}
    taken = [name for name in names if name in (ERROR_BOUND, CERTIFIED) or name.startswith("error_bound.")]
    if taken:
        raise CannotCertifyError(f"cannot certify: the graph has a value {min(taken)} already; is it certified?")
    outputs = {str(value.name): value for value in model.graph.outputs}
    missing = [name for name in [contract.bounded, *[LABEL] * contract.is_classifier] if name not in outputs]
    if missing:
        raise CannotCertifyError(f"cannot certify: the graph has no output {missing[0]}")
    if contract.is_classifier:
        _check_label(outputs[LABEL], outputs[LOGITS], contract)


def check_node(node: ir.Node) -> None:
    """Refuse a node of another domain, with a subgraph, or with several results."""
    if node.domain not in ("", "ai.onnx"):
        raise refusal(node, f"of the domain {node.domain}")
    if {attribute.type for attribute in node.attributes.values()} & {ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS}:
        raise refusal(node, "it has a subgraph")
    if len(node.outputs) != 1 and node.op_type not in _SEVERAL:
        raise refusal(node, "it has several results")


def _check_label(label: ir.Value, logits: ir.Value, contract: ModelContract) -> None:
    """The label must be the logit's comparison with the threshold, or the index of the largest logit."""
    source: ir.Value | None = None
    if contract.task == "binary":
        compared = _maker(_first(_maker(label, "Cast")), "GreaterOrEqual")
        squeezed = _maker(_first(compared), "Squeeze")
        threshold = None if compared is None else compared.inputs[1]
        wanted = [float(np.float32(contract.logit_threshold or 0.0))]
        if squeezed and threshold and threshold.const_value and not threshold.is_graph_input():
            source = squeezed.inputs[0] if threshold.const_value.numpy().reshape(-1).tolist() == wanted else None
    else:
        largest = _maker(label, "ArgMax")
        columns = logits.shape[1] if logits.shape is not None else None
        if largest and columns == len(contract.classes) and _plain(largest):
            source = largest.inputs[0]
    if source is None or _behind(source) is not _behind(logits):
        raise CannotCertifyError("cannot certify: the label is not the comparison of the logits that the contract says")


def _maker(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Return the node that a value is from, if it is of this operator."""
    node = None if value is None else _behind(value).producer()
    return node if node is not None and node.op_type == op_type else None


def _first(node: ir.Node | None) -> ir.Value | None:
    return None if node is None else node.inputs[0]


def _plain(largest: ir.Node) -> bool:
    """Whether an ArgMax gives, for each row, the index of the first of its largest values."""
    found = {"axis": 0, "keepdims": 1, "select_last_index": 0}
    found |= {name: attribute.as_int() for name, attribute in largest.attributes.items()}
    return found == {"axis": 1, "keepdims": 0, "select_last_index": 0}


def _behind(value: ir.Value) -> ir.Value:
    """Return what a value is a copy of."""
    producer = value.producer()
    while producer is not None and producer.op_type == "Identity" and producer.inputs[0] is not None:
        value = producer.inputs[0]
        producer = value.producer()
    return value
