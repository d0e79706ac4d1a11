"""Probabilities that are exact where they are rare: operators in the place of onnxruntime's Sigmoid and Softmax."""

import numpy as np
import onnx_ir as ir

from parity_export.graph.nodes import constant, node

SHAPE_ONLY = {"Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Transpose"}

_KEEPS_RARE = SHAPE_ONLY | {
    *("Add", "Mul", "Div", "Sub", "Max", "Min", "Mean", "Sum", "Pow", "Sqrt", "Log", "Reciprocal", "Clip", "Where"),
    *("Concat", "Slice", "Split", "Gather", "GatherElements", "GatherND", "Expand", "Cast", "Pad", "TopK"),
    *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum"),
}
"""Operators behind which a small probability still shows."""

_PROBABILITIES = {"Sigmoid", "Softmax"}


def logistic(graph: ir.Graph, negated: ir.Value, name: str = "") -> ir.Value:
    """Return 1 / (1 + exp(z)) of ``negated``, z: the sigmoid of -z.

    onnxruntime's Sigmoid is exact to an absolute 2e-7 alone: it is 17 % off at -15, 0 from -18 on, and not monotone.
    Each operator here is monotone and exact to a few units in the last place, so that the result is both, from
    infinity to infinity: where exp overflows, the probability is below 2^-127.
    """
    grown = node(graph, "Exp", [negated], f"{name}exp")
    total = node(graph, "Add", [grown, constant(graph, f"{name}unit", 1.0)], f"{name}one_more")
    return node(graph, "Reciprocal", [total], f"{name}logistic")


def softmax(graph: ir.Graph, logits: ir.Value, axis: int = 1) -> ir.Value:
    """Return the softmax over the last axis, never falling when its logit rises: 1 / (1 + others / own).

    With e_i = exp(z_i - max z), ``own`` is e_i and ``others`` the sum of the e_j before and behind it, each added up in
    one order. Rounding keeps the order of numbers, so that every operator is monotone in z_i. A quotient e_i / sum e
    is not: both grow, and the sum may be rounded up where e_i is not.

    Args:
        graph: that it is added to.
        logits: ``[batch, ..., classes]``.
        axis: of the classes, the last one.
    """
    last, axes = constant(graph, "last", np.array(axis)), constant(graph, "class_axis", np.array([axis]))
    largest = node(graph, "ReduceMax", [logits, axes], "largest", keepdims=1)
    own = node(graph, "Exp", [node(graph, "Sub", [logits, largest], "below_largest")], "own")
    before = node(graph, "CumSum", [own, last], "before", exclusive=1)
    behind = node(graph, "CumSum", [own, last], "behind", exclusive=1, reverse=1)
    odds = node(graph, "Div", [node(graph, "Add", [before, behind], "others"), own], "odds_against")
    total = node(graph, "Add", [odds, constant(graph, "unit", 1.0)], "one_more")
    return node(graph, "Reciprocal", [total], "softmax")


def replace_sigmoids(graph: ir.Graph) -> None:
    """Replace each Sigmoid whose values an output shows as probabilities, in place, by `logistic`.

    An output shows them where only operators that keep small numbers stand between, and these combine nothing but
    probabilities and constants: a sigmoid that gates other numbers (SiLU, an attention gate) stays.
    """
    shown = _shown(graph)
    for sigmoid in [maker for maker in graph if maker.op_type == "Sigmoid" and maker.outputs[0] in shown]:
        _spell_out(graph, sigmoid)


def _shown(graph: ir.Graph) -> set[ir.Value]:
    """Return the probabilities that an output is made of."""
    probabilities: set[ir.Value] = set()
    for maker in graph:
        computed = [value for value in maker.inputs if _is_number(value)]
        carried = maker.op_type in _KEEPS_RARE and bool(computed) and probabilities.issuperset(computed)
        if maker.op_type in _PROBABILITIES or carried:
            probabilities.update(maker.outputs)
    shown, waiting = set(), [value for value in graph.outputs if value in probabilities]
    while waiting:
        value = waiting.pop()
        maker_of = value.producer()
        if value not in shown and maker_of is not None:
            shown.add(value)
            waiting += [source for source in maker_of.inputs if source is not None and source in probabilities]
    return shown


def _is_number(value: ir.Value | None) -> bool:
    """Whether a value is computed and no condition, index or shape."""
    whole = value is not None and value.dtype is not None and not value.dtype.is_floating_point()
    return value is not None and value.const_value is None and not whole


def _spell_out(graph: ir.Graph, sigmoid: ir.Node) -> None:
    source, activated, name = sigmoid.inputs[0], sigmoid.outputs[0], str(sigmoid.outputs[0].name)
    if source is None or source.dtype not in (None, ir.DataType.FLOAT):
        return
    result = logistic(graph, node(graph, "Neg", [source], f"{name}.negated"), f"{name}.")
    if activated.dtype is not None:
        result.dtype = activated.dtype
    result.shape = activated.shape
    ir.convenience.replace_all_uses_with(activated, result, replace_graph_outputs=True)
    graph.remove(sigmoid, safe=True)
    result.name = name
    graph.sort()
