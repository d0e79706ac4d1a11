"""The end of the graph of a model whose task is known: from what the module returns to what the contract promises.

The head is written in ONNX, node by node, and not traced from torch: the gate compares it with a reference that
shares no code with it.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from parity_export.graph.nodes import constant, node
from parity_export.graph.probabilities import SHAPE_ONLY, logistic, replace_sigmoids, softmax
from parity_export.sources.output_spec import ModuleOutput
from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.contract import EMBEDDING, LABEL, LABELS, LOGITS, PROBABILITIES, TAGS, TOKENS, VALUE

SMALLEST_PROBABILITY = 2.0**-16
"""Where a probability must be turned into a logit, it is cut to [2^-16, 1 - 2^-16], a logit of +-11.09: float32 holds
numbers near 1 to 6e-8, so that a logit beyond is noise (an error of 6e-8 at 1 - 2^-16 moves it by 0.004)."""

_FINAL_ACTIVATIONS = {"Sigmoid", "Softmax"}


def add_head(model: ir.Model, contract: ModelContract, module_output: ModuleOutput) -> None:
    """Give the graph the outputs of its contract, in place.

    Raises:
        InputError: the module returns several tensors, or its last operator contradicts ``module_output``.
    """
    graph = model.graph
    if contract.task == "tensors":
        name_outputs(graph, [spec.name for spec in contract.outputs])
        replace_sigmoids(graph)
        return
    if len(graph.outputs) != 1:
        raise InputError(f"the task {contract.task} takes a module that returns one tensor, not {len(graph.outputs)}")
    returned = graph.outputs[0]
    _free_names(graph, [spec.name for spec in contract.outputs])
    if contract.task in ("regression", "embedding"):
        name = VALUE if contract.task == "regression" else EMBEDDING
        _set_outputs(graph, contract, {name: _as_matrix(graph, returned)})
    else:
        final_activation = _activation_before(returned, contract, module_output)
        if module_output == "logits" or final_activation is not None:
            logits = returned if final_activation is None else _without(graph, final_activation, returned)
            _set_outputs(graph, contract, _of_logits(graph, _as_matrix(graph, logits), contract))
        else:
            replace_sigmoids(graph)
            _set_outputs(graph, contract, _of_probabilities(graph, _as_matrix(graph, graph.outputs[0]), contract))


def _final_activation(value: ir.Value) -> ir.Node | None:
    """Return the Sigmoid or Softmax that gives ``value``, looking through operators that only reshape."""
    maker = value.producer()
    while maker is not None and maker.op_type in SHAPE_ONLY:
        source = maker.inputs[0]
        maker = source.producer() if source is not None else None
    return maker if maker is not None and maker.op_type in _FINAL_ACTIVATIONS else None


def _activation_before(returned: ir.Value, contract: ModelContract, module_output: ModuleOutput) -> ir.Node | None:
    """Return the last activation where it can be taken out of the graph.

    Raises:
        InputError: it contradicts what the module was declared to return.
    """
    final_activation = _final_activation(returned)
    if final_activation is None:
        return None
    if module_output == "logits":
        way_out = f"export it with {argument('output', 'probabilities')}"
        if contract.task == "language_model":
            way_out = f"return what goes into it: {argument('task', contract.task)} takes logits"
        raise InputError(
            f"the module ends in {final_activation.op_type}, so it returns probabilities, not logits; {way_out}"
        )
    wanted = "Sigmoid" if contract.task in ("binary", "multilabel") else "Softmax"
    if final_activation.op_type != wanted:
        raise InputError(f"the module ends in {final_activation.op_type}; the task {contract.task} expects {wanted}")
    alone = len(final_activation.outputs[0].uses()) == 1 or final_activation.outputs[0] is returned
    return final_activation if alone else None


def _without(graph: ir.Graph, final_activation: ir.Node, returned: ir.Value) -> ir.Value:
    """Take the last activation out, so that the logits are exact, and return what then ends the graph."""
    source, activated = final_activation.inputs[0], final_activation.outputs[0]
    if source is None:
        raise InputError(f"the module's {final_activation.op_type} has no input")
    graph.outputs.clear()
    ir.convenience.replace_all_uses_with(activated, source)
    graph.remove(final_activation, safe=True)
    return source if activated is returned else returned


def _of_probabilities(graph: ir.Graph, given: ir.Value, contract: ModelContract) -> dict[str, ir.Value]:
    """Return the outputs from probabilities that no activation at the end of the graph explains: they pass as they are.

    Raises:
        InputError: the threshold lies where float32 probabilities have no precise logit.
    """
    low, high = constant(graph, "low", SMALLEST_PROBABILITY), constant(graph, "high", 1 - SMALLEST_PROBABILITY)
    kept = node(graph, "Clip", [given, low, high], "kept")
    # A backend's tanh may be larger than 1 by its last bit: (1 + tanh) / 2 is a probability all the same.
    given = node(graph, "Clip", [given, constant(graph, "never", 0.0), constant(graph, "always", 1.0)], "probability")
    logarithm = node(graph, "Log", [kept], "log")
    if contract.task in ("multiclass", "tagging"):
        return _largest(graph, logarithm, contract) | {PROBABILITIES: given, LOGITS: logarithm}
    if not all(SMALLEST_PROBABILITY < threshold < 1 - SMALLEST_PROBABILITY for threshold in _thresholds(contract)):
        raise InputError(
            f"{argument('threshold')} {', '.join(map(str, _thresholds(contract)))} is too near to 0 or 1 for a module "
            "that returns probabilities"
        )
    one = constant(graph, "one", 1.0)
    other = node(graph, "Log", [node(graph, "Sub", [one, kept], "other")], "log_other")
    logits = node(graph, "Sub", [logarithm, other], "log_odds")
    if contract.task == "multilabel":
        return {LABELS: _reaches(graph, logits, contract), PROBABILITIES: given, LOGITS: logits}
    both = node(graph, "Concat", [node(graph, "Sub", [one, given], "negative"), given], "both", axis=1)
    return {LABEL: _threshold(graph, logits, contract), PROBABILITIES: both, LOGITS: logits}


def _of_logits(graph: ir.Graph, logits: ir.Value, contract: ModelContract) -> dict[str, ir.Value]:
    match contract.task:
        case "language_model":  # no probabilities: as many numbers again as the logits, over a whole vocabulary
            return _largest(graph, logits, contract) | {LOGITS: logits}
        case "multiclass" | "tagging":
            probabilities = softmax(graph, logits, _last_axis(contract))
            return _largest(graph, logits, contract) | {PROBABILITIES: probabilities, LOGITS: logits}
        case "multilabel":
            probabilities = logistic(graph, node(graph, "Neg", [logits], "negated"))
            return {LABELS: _reaches(graph, logits, contract), PROBABILITIES: probabilities, LOGITS: logits}
    both = node(graph, "Concat", [logits, node(graph, "Neg", [logits], "negated")], "both", axis=1)
    return {LABEL: _threshold(graph, logits, contract), PROBABILITIES: logistic(graph, both), LOGITS: logits}


def _last_axis(contract: ModelContract) -> int:
    """Return the axis of the logits that the classes stand in."""
    return len(contract.output(LOGITS).shape) - 1


def _largest(graph: ir.Graph, logits: ir.Value, contract: ModelContract) -> dict[str, ir.Value]:
    """Return the decision for the largest logit, by its output's name."""
    name = {"tagging": TAGS, "language_model": TOKENS}.get(contract.task, LABEL)
    return {name: node(graph, "ArgMax", [logits], "argmax", axis=_last_axis(contract), keepdims=0)}


def _thresholds(contract: ModelContract) -> tuple[float, ...]:
    return contract.thresholds or (contract.threshold or 0.5,)


def _reaches(graph: ir.Graph, logits: ir.Value, contract: ModelContract) -> ir.Value:
    """Return which logits ``[batch, classes]`` reach the threshold of their class."""
    thresholds = constant(graph, "logit_thresholds", np.array(contract.logit_thresholds, np.float32))
    return node(graph, "GreaterOrEqual", [logits, thresholds], "reaches")


def _threshold(graph: ir.Graph, logits: ir.Value, contract: ModelContract) -> ir.Value:
    column = node(graph, "Squeeze", [logits, constant(graph, "last_axis", np.array([1]))], "column")
    threshold = constant(graph, "logit_threshold", np.float32(contract.logit_threshold or 0.0))
    positive = node(graph, "GreaterOrEqual", [column, threshold], "positive")
    return node(graph, "Cast", [positive], "index", to=ir.DataType.INT64)


def _as_matrix(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """Return ``value``, with an axis for its only column where it is ``[batch]``."""
    if value.shape is not None and len(value.shape) == 1:
        return node(graph, "Unsqueeze", [value, constant(graph, "column_axis", np.array([1]))], "matrix")
    return value


def _set_outputs(graph: ir.Graph, contract: ModelContract, values: dict[str, ir.Value]) -> None:
    """Make ``values`` the graph's outputs under the contract's names, dtypes and shapes."""
    graph.outputs.clear()
    for spec in contract.outputs:
        value = values[spec.name]
        if value.is_graph_input() or value.is_initializer() or value in graph.outputs:
            value = node(graph, "Identity", [value], f"copy_{spec.name}")
        value.name = spec.name
        value.dtype = ir.DataType.from_numpy(np.dtype(spec.dtype))
        value.shape = ir.Shape(spec.shape)
        graph.outputs.append(value)


def name_outputs(graph: ir.Graph, names: Sequence[str]) -> None:
    """Name the outputs of a tensors task."""
    _free_names(graph, names)
    outputs = list(graph.outputs)
    graph.outputs.clear()
    for name, value in zip(names, outputs, strict=True):
        shape, kind = value.shape, value.type
        if value.is_graph_input() or value.is_initializer() or value in graph.outputs:
            value = node(graph, "Identity", [value], f"copy_{name}")  # noqa: PLW2901
        value.name, value.shape, value.type = name, shape, kind
        graph.outputs.append(value)


def _free_names(graph: ir.Graph, names: Sequence[str]) -> None:
    """Rename values that bear a name which the head needs; inputs keep theirs, so a clash there is an error."""
    taken = {value.name for value in graph.inputs}
    for name in names:
        if name in taken:
            raise InputError(f"an input is called {name!r}, as one of the outputs; give it another name")
    for maker in graph:
        for value in maker.outputs:
            if value.name in names:
                value.name = f"module.{value.name}"
