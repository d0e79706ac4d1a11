"""A graph in, the same graph with an error bound beside its logits or values out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from parity_export.error_bounds.adjoints.rows import find_rows
from parity_export.error_bounds.backend_fusions import refuse_inexact_fusions
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.claims import Answer, claims, finished
from parity_export.error_bounds.constants import fold
from parity_export.error_bounds.decisions import decided_alike
from parity_export.error_bounds.errors import WITH_RULES, CannotCertifyError, refusal
from parity_export.error_bounds.gelu_fusion import WrittenGelus
from parity_export.error_bounds.known_encoder import encoded_values
from parity_export.error_bounds.larger import larger
from parity_export.error_bounds.low_precision.lowered_graph import Lowered, lowered
from parity_export.error_bounds.low_precision.rounded_results import beyond_range, round_result
from parity_export.error_bounds.own_head import are_of_logits
from parity_export.error_bounds.precision import FLOAT32, Precision
from parity_export.error_bounds.preconditions import FLOATS_OF_INTEGERS, INTEGERS, check_graph, check_node
from parity_export.error_bounds.registry import COMPARISONS, OPERATORS, rule_of
from parity_export.error_bounds.rounding_model import FLUSHED, U
from parity_export.error_bounds.whole_numbers import made_of_integers
from parity_export.error_bounds.written_gelu import bound_written
from parity_export.export_options import Bounds
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


def propagate_error_bounds(
    graph: OnnxGraph, contract: ModelContract, bounds: Bounds = "fast", precision: Precision = FLOAT32
) -> OnnxGraph:
    """Return a graph that also answers ``error_bound``, and for a classifier ``certified``.

    The nodes that compute the answers stay as they are. ``error_bound`` float32 has the shape of ``logits`` or
    ``value``: every compliant evaluation (proof.md) lies within it of the exact value. ``certified`` bool
    ``[batch]``: every compliant evaluation gives the same label.

    Args:
        graph: without external data; its metadata is left out.
        contract: of the model.
        bounds: ``tight`` for smaller bounds by a pass backwards from the answers, which takes longer.
        precision: that the bounded evaluations may compute in. With a lower one than float32 the graph is that which is
            computed in it (`low_precision`), in float32, and both outputs speak of evaluations in that precision:
            ``error_bound`` of how far they may be from the values beside it.

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
    encoded = encoded_values(model.graph, contract)
    given = [value for value in (*model.graph.inputs, *encoded) if value.dtype == ir.DataType.FLOAT]
    others = [value for value in (*model.graph.inputs, *encoded) if value.dtype != ir.DataType.FLOAT]
    needed = _needed(answer, encoded)
    low = None
    if precision is not FLOAT32:
        low = lowered(model.graph, needed, given, precision)
        given, needed = low.given, low.nodes
    takers = Counter(value for node in needed for value in node.inputs if value is not None)
    builder = BoundBuilder(model.graph, takers + Counter([answer]) if bounds == "tight" else None, precision)
    builder.apply = partial(_apply_rule, opsets=model.opset_imports)
    builder.rows = find_rows(needed, [*given, *others])
    _begin(builder, given)
    fused = _bound_all(builder, needed, model.opset_imports, low)
    if not builder.knows(answer):
        raise CannotCertifyError(f"cannot certify: {answer.name} is not computed from the inputs")
    label = outputs[LABEL] if contract.is_classifier else None
    known = Answer(answer, label)
    if low is not None:
        known = _at_hand(builder, low, known, contract, model)
    bound, certified = claims(builder, needed, known, contract)
    if known.near is not None:  # of the values at hand, which the graph answers beside it
        both = builder.emit("Add", [bound, known.near])
        bound = builder.emit("Mul", [both, builder.number([[1 + 4 * U]])])
    _add_output(model.graph, bound, ERROR_BOUND, ir.DataType.FLOAT, answer.shape)
    if certified is not None and label is not None:
        _add_output(model.graph, certified, CERTIFIED, ir.DataType.BOOL, label.shape)
    written = [name for name in (contract.bounded, LABEL) if name in outputs]
    if contract.is_classifier and are_of_logits(outputs):
        model.metadata_props.update([OF_LOGITS])
        written.append(PROBABILITIES)
    pruned = OnnxGraph(passes.RemoveUnusedNodesPass()(model).model)
    light = _with_shapes(pruned.light, strict=True)
    if bounds == "tight":  # a backend infers them itself, and of so many values they are a fifth of a small graph
        _without_shapes(light.graph)
    certified_graph = pruned.with_light(light)
    refuse_inexact_fusions(graph, written, fused)
    refuse_inexact_fusions(certified_graph, [*written, ERROR_BOUND, *[CERTIFIED] * contract.is_classifier], fused)
    return certified_graph


def _begin(builder: BoundBuilder, given: Sequence[ir.Value]) -> None:
    for value in given:
        builder.begin(value, Bound(constant=FLUSHED))


def _bound_all(
    builder: BoundBuilder, nodes: Sequence[ir.Node], opsets: dict[str, int], low: Lowered | None = None
) -> Counter[str]:
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
        if low is not None:
            round_result(builder, node, low)
    return fused


def _at_hand(builder: BoundBuilder, low: Lowered, answer: Answer, contract: ModelContract, model: ir.Model) -> Answer:
    """Return an answer with the error bound of its values as they are computed in float32.

    A binary label's threshold may be rounded as any constant, or not: that is added.
    """
    alone = BoundBuilder(model.graph, names="error_bound.float32.")
    alone.apply = builder.apply
    _begin(alone, low.given)
    _bound_all(alone, low.nodes, model.opset_imports)
    near = finished(alone, answer.values)
    threshold, storage = contract.logit_threshold, builder.precision.storage
    if storage is not None and threshold is not None:
        exact = np.array([threshold], np.float32)
        apart = abs(float(storage.rounded(exact)[0]) - float(exact[0]))
        near = builder.emit("Add", [near, builder.number([[apart]])])
    return replace(answer, near=near, beyond=beyond_range(builder, answer.values))


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


def _without_shapes(graph: onnx.GraphProto) -> None:
    """Remove the shapes of what was added, in place."""
    kept = [value for value in graph.value_info if not value.name.startswith("error_bound.")]
    del graph.value_info[:]
    graph.value_info.extend(kept)


def functions_of(graph: OnnxGraph, contract: ModelContract) -> set[str]:
    """Return the names of the elementary functions that a graph's logits or values are computed with."""
    outputs = {str(value.name): value for value in graph.model.graph.outputs}
    builder = BoundBuilder(graph.model.graph)
    nodes = _needed(outputs[contract.bounded], encoded_values(graph.model.graph, contract))
    rules = [(rule, node) for node in nodes if (rule := rule_of(builder, node)) is not None]
    found = [rule.function(node) for rule, node in rules]
    inner = {name for rule, _ in rules for name in rule.inner_functions}
    gelus = WrittenGelus(builder)
    written = {"GeluTanh" if gelu.by_tanh else "Gelu" for node in nodes if (gelu := gelus.find(node)) is not None}
    return written | inner | {function.name for function in found if function is not None}


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
    if rule.becomes and builder.precision.storage is not None:
        _allow_written(builder, node)
    if rule.never_negative:
        builder.never_negative(node.outputs[0])
    if rule.moves and all(builder.begins(value) for value in node.inputs if builder.knows(value)):
        for value in node.outputs:
            builder.begin(value, builder.bound(value))


def _allow_written(builder: BoundBuilder, node: ir.Node) -> None:
    """Let the error bound of a pattern that is one operator hold as well where each of its nodes is rounded."""
    result, alone = node.outputs[0], OPERATORS[node.op_type].error_rule
    if alone is not None:
        known = builder.bound(result)
        builder.set(result, larger(builder, result, [known, alone(builder, node)]))
        builder.steps.pop(result, None)
