"""A graph in, the same graph with an error bound beside its logits or values out."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from parity_export.error_bounds.backend_fusions import refuse_inexact_fusions
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.constants import fold
from parity_export.error_bounds.decisions import decided_alike
from parity_export.error_bounds.errors import WITH_RULES, CannotCertifyError, refusal
from parity_export.error_bounds.gelu_fusion import WrittenGelus
from parity_export.error_bounds.known_encoder import encoded_values
from parity_export.error_bounds.own_head import are_of_logits
from parity_export.error_bounds.preconditions import FLOATS_OF_INTEGERS, INTEGERS, check_graph, check_node
from parity_export.error_bounds.registry import COMPARISONS, rule_of
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U
from parity_export.error_bounds.whole_numbers import made_of_integers
from parity_export.error_bounds.written_gelu import bound_written
from parity_export.light_graph import full_model
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.arguments import argument
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, PROBABILITIES
from parity_runtime.errors import first_line
from parity_runtime.inference.probability_bound import OF_LOGITS
from parity_runtime.tasks import CERTIFIABLE

_FROM_CONSTANTS = frozenset({"Gather", "Where"})
"""Operators that may take numbers out of constants alone: rows of a table, what stands for a missing cell."""


def propagate_error_bounds(graph: OnnxGraph, contract: ModelContract) -> OnnxGraph:
    """Return a graph that also answers ``error_bound``, and for a classifier ``certified``.

    The nodes that compute the answers stay as they are. ``error_bound`` float32 has the shape of ``logits`` or
    ``value``: every compliant evaluation (docs/proof.md) lies within it of the exact value. ``certified`` bool
    ``[batch]``: every compliant evaluation gives the same label.

    Args:
        graph: without external data; its metadata is left out.
        contract: of the model.

    Raises:
        CannotCertifyError: an operator has no rule, the installed onnxruntime puts another function in the place of
            operators, or the model has a task that no bounds are derived for.
    """
    if contract.task == "tensors":
        raise CannotCertifyError(
            f"cannot certify: {contract.name} returns tensors without a meaning; parity export gives it one with "
            f"{argument('task')} binary, multiclass or regression"
        )
    if contract.task not in CERTIFIABLE:
        raise CannotCertifyError(
            f"cannot certify: {contract.name} has the task {contract.task}; error bounds are derived for binary, "
            "multiclass and regression alone"
        )
    check_graph(graph.model, contract)
    shaped = _with_shapes(graph.light, strict=False)
    del shaped.metadata_props[:]
    model = full_model(shaped, graph.weights)
    outputs = {str(value.name): value for value in model.graph.outputs}
    answer = outputs[contract.bounded]
    builder = BoundBuilder(model.graph)
    encoded = encoded_values(model.graph, contract)
    for value in (*model.graph.inputs, *encoded):
        if value.dtype == ir.DataType.FLOAT:
            builder.begin(value, Bound(constant=FLUSHED))
    fused = _bound_all(builder, _needed(answer, encoded), model.opset_imports)
    if not builder.knows(answer):
        raise CannotCertifyError(f"cannot certify: {answer.name} is not computed from the inputs")
    bound = _finish(builder, answer)
    _add_output(model.graph, bound, ERROR_BOUND, ir.DataType.FLOAT, answer.shape)
    if contract.is_classifier:
        certified = _certified(builder, (outputs[LABEL], answer, bound), contract)
        _add_output(model.graph, certified, CERTIFIED, ir.DataType.BOOL, outputs[LABEL].shape)
    written = [name for name in (contract.bounded, LABEL) if name in outputs]
    if contract.is_classifier and are_of_logits(outputs):
        model.metadata_props.update([OF_LOGITS])
        written.append(PROBABILITIES)
    finished = OnnxGraph(passes.RemoveUnusedNodesPass()(model).model)
    certified_graph = finished.with_light(_with_shapes(finished.light, strict=True))
    refuse_inexact_fusions(graph, written, fused)
    refuse_inexact_fusions(certified_graph, [*written, ERROR_BOUND, *[CERTIFIED] * contract.is_classifier], fused)
    return certified_graph


def _bound_all(builder: BoundBuilder, nodes: Sequence[ir.Node], opsets: dict[str, int]) -> Counter[str]:
    """Record what is known of nodes' results; return which operators a backend may put in their place, how often."""
    gelus, fused = WrittenGelus(builder), Counter[str]()
    for node in nodes:
        _apply(builder, node, opsets)
        gelu = gelus.find(node)
        if gelu is not None:
            bound_written(builder, node.outputs[0], gelu)
            fused["Gelu by tanh" if gelu.by_tanh else "Gelu"] += 1
        rule = rule_of(builder, node)
        if rule is not None and rule.becomes:
            fused[rule.becomes] += 1
    return fused


def _add_output(graph: ir.Graph, value: ir.Value, name: str, dtype: ir.DataType, shape: ir.Shape | None) -> None:
    value.name, value.dtype, value.shape = name, dtype, shape
    graph.outputs.append(value)


def _with_shapes(model: onnx.ModelProto, *, strict: bool) -> onnx.ModelProto:
    """Return a model with its shapes inferred.

    Raises:
        CannotCertifyError: one contradicts another.
    """
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=strict, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise CannotCertifyError(f"cannot certify: its shapes contradict one another: {first_line(error)}") from error


def functions_of(graph: OnnxGraph, contract: ModelContract) -> set[str]:
    """Return the names of the elementary functions that a graph's logits or values are computed with."""
    outputs = {str(value.name): value for value in graph.model.graph.outputs}
    builder = BoundBuilder(graph.model.graph)
    nodes = _needed(outputs[contract.bounded], encoded_values(graph.model.graph, contract))
    found = [rule.function(node) for node in nodes if (rule := rule_of(builder, node)) is not None]
    gelus = WrittenGelus(builder)
    written = {"GeluTanh" if gelu.by_tanh else "Gelu" for node in nodes if (gelu := gelus.find(node)) is not None}
    return written | {function.name for function in found if function is not None}


def _needed(answer: ir.Value, given: Sequence[ir.Value]) -> list[ir.Node]:
    """Return the nodes that a value is computed by from inputs and given values, in their order in the graph."""
    needed: set[ir.Node] = set()
    waiting, begins = [answer], {*given}
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if node is not None and node not in needed and value not in begins:
            needed.add(node)
            waiting += [value for value in node.inputs if value is not None]
    graph = answer.graph
    return [node for node in graph if node in needed] if graph is not None else []


def _apply(builder: BoundBuilder, node: ir.Node, opsets: dict[str, int]) -> None:
    """Record what is known of a node's result.

    Raises:
        CannotCertifyError: nothing is.
    """
    check_node(node)
    result = node.outputs[0]
    if decided_alike(builder, node) or _known_beforehand(builder, node, opsets):
        return  # the same truth value in every evaluation, the same constant, or as good as that
    if node.op_type in COMPARISONS:
        builder.choose(result)
    elif builder.chosen(node) and (node.op_type != "Where" or result.dtype != ir.DataType.FLOAT):
        raise refusal(node, "it depends on a comparison")
    elif node.op_type in _FROM_CONSTANTS and result.dtype == ir.DataType.FLOAT:
        _asked(builder, node, opsets)
    elif node.op_type == "Shape" or not any(builder.knows(value) for value in node.inputs):
        if result.dtype == ir.DataType.FLOAT and node.op_type in FLOATS_OF_INTEGERS:
            builder.begin(result, Bound(constant=FLUSHED))
        elif result.dtype is None or result.dtype.is_floating_point() or node.op_type not in INTEGERS:
            raise refusal(node, "it computes from constants or integers")
    else:
        _asked(builder, node, opsets)


def _known_beforehand(builder: BoundBuilder, node: ir.Node, opsets: dict[str, int]) -> bool:
    """Record a result that is made of constants or integers alone, and return whether it is."""
    try:
        return fold(builder, node, opsets) or made_of_integers(builder, node)
    except CannotCertifyError:  # a ValueError too
        raise
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise refusal(node, f"its parts do not fit: {first_line(error)}") from error


def _asked(builder: BoundBuilder, node: ir.Node, opsets: dict[str, int]) -> None:
    """Ask a node's rule, and refuse a node whose parts it does not expect."""
    try:
        _apply_rule(builder, node, opsets)
    except CannotCertifyError:  # a ValueError too
        raise
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise refusal(node, f"its parts do not fit: {first_line(error)}") from error


def _apply_rule(builder: BoundBuilder, node: ir.Node, opsets: dict[str, int]) -> None:
    rule, opset = rule_of(builder, node), opsets.get("", 0)
    if rule is None or rule.error_rule is None:
        raise refusal(node, "it has no rule", WITH_RULES)
    if opset < rule.opset:
        raise refusal(node, f"opset {opset}; {rule.opset} or later")
    builder.set(node.outputs[0], rule.error_rule(builder, node))
    if rule.never_negative:
        builder.never_negative(node.outputs[0])
    if rule.moves and all(builder.begins(value) for value in node.inputs if builder.knows(value)):
        for value in node.outputs:
            builder.begin(value, builder.bound(value))


def _finish(builder: BoundBuilder, answer: ir.Value) -> ir.Value:
    """Return the error bound in the answer's own unit, +inf where nothing is claimed: where it is NaN, or negative."""
    total, scale = builder.tensor(answer)
    bound = builder.emit("Mul", [builder.shielded(total), builder.number([[UNIT * scale * (1 + 4 * U)]])])
    infinite = builder.initializer(np.array([[np.inf]], np.float32))
    zero = builder.initializer(np.array([[0.0]], np.float32))
    known = builder.emit(
        "And", [builder.emit("Less", [bound, infinite]), builder.emit("GreaterOrEqual", [bound, zero])]
    )  # fmt: skip
    return builder.emit("Where", [known, bound, infinite])


def _certified(builder: BoundBuilder, values: tuple[ir.Value, ir.Value, ir.Value], contract: ModelContract) -> ir.Value:
    label, logits, bound = values
    if contract.task == "binary":
        return _binary(builder, logits, bound, contract.logit_threshold or 0.0)
    return _multiclass(builder, logits, bound, label, len(contract.classes))


def _binary(builder: BoundBuilder, logits: ir.Value, bound: ir.Value, threshold: float) -> ir.Value:
    """Certify z >= c: |z' - c| > 2 R, because z' lies within R of the exact z, and so does every compliant one.

    The difference rounds by at most u of itself, which 2 R (1 + 8u) pays for. Nothing that is NaN is greater.
    """
    constant = builder.initializer(np.array([[threshold]], np.float32))
    margin = builder.emit("Abs", [builder.emit("Sub", [logits, constant])])
    reach = builder.emit("Mul", [bound, builder.number([[2 * (1 + 8 * U)]])])
    return builder.emit("Squeeze", [builder.emit("Greater", [margin, reach]), builder.initializer(np.array([1]))])


def _multiclass(builder: BoundBuilder, logits: ir.Value, bound: ir.Value, label: ir.Value, classes: int) -> ir.Value:
    """Certify the largest logit: z'_i - z'_j > 2 (R_i + R_j) for every other j, counted.

    The label itself is never counted (0 > 4 R_i is false), so that all others are iff there are one less than classes.
    """
    column = builder.emit("Unsqueeze", [label, builder.initializer(np.array([1]))])
    best, best_bound = (builder.emit("GatherElements", [values, column], {"axis": 1}) for values in (logits, bound))
    margin = builder.emit("Sub", [best, logits])
    reach = builder.emit("Mul", [builder.emit("Add", [best_bound, bound]), builder.number([[2 * (1 + 8 * U)]])])
    behind = builder.emit("Cast", [builder.emit("Greater", [margin, reach])], {"to": ir.DataType.INT32})
    count = builder.emit("ReduceSum", [behind, builder.initializer(np.array([1]))], {"keepdims": 0})
    return builder.emit("Equal", [count, builder.initializer(np.array([classes - 1], np.int32))])
