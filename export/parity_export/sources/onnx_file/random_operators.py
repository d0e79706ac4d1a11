"""Operators of a graph that draw random numbers: what they answer is compared with nothing."""

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, numpy_helper

from parity_export.sources.onnx_file.read_file import nodes_of
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.printable import shown

_DRAWING = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


def check_deterministic(model: ModelProto, where: str) -> None:
    """Refuse a graph that draws random numbers.

    Args:
        model: the graph.
        where: names it in a message.

    Raises:
        InputError: names the first node that draws, and the input that scales what it draws, where there is one.
    """
    constants = _constants(model)
    drawing = next((node for node in nodes_of(model) if _draws(node, constants)), None)
    if drawing is None:
        return
    scaled_by = _scaling_inputs(model.graph, drawing)
    way_out = "export the model without it"
    if scaled_by:
        only = f"{argument('samples')} and {argument('samples_only', True)}"
        way_out = (
            f"where {' or '.join(scaled_by)} makes its factor 0 the outputs are the same each time: give such rows "
            f"with {only}"
        )
    name = drawing.name or drawing.output[0]
    raise InputError(f"{where} draws random numbers ({drawing.op_type} {shown(name)}), so that its outputs "
                     f"differ each time; {way_out}")  # fmt: skip


def _constants(model: ModelProto) -> dict[str, np.ndarray]:
    """Return the small constants of the main graph, by name: flags are among them."""
    found = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer if sum(one.dims) <= 1}
    for node in model.graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.HasField("t") and sum(attribute.t.dims) <= 1:
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
    return found


def _draws(node: NodeProto, constants: dict[str, np.ndarray]) -> bool:
    if node.domain not in ("", "ai.onnx"):
        return False
    training = node.input[2] if node.op_type == "Dropout" and len(node.input) > 2 else ""
    return node.op_type in _DRAWING or (training in constants and bool(np.any(constants[training])))


def _scaling_inputs(graph: GraphProto, drawing: NodeProto) -> list[str]:
    """Return the inputs alone of which a factor of what is drawn is made: with 0 there nothing random is left."""
    makers = {name: node for node in graph.node for name in node.output if name}
    given = {value.name for value in graph.input}
    found: list[str] = []
    for node in graph.node:
        if node.op_type == "Mul" and drawing.output[0] in node.input:
            others = [name for name in node.input if name != drawing.output[0]]
            made_of = _inputs_of(others, makers, given)
            if len(made_of) == 1:
                found += made_of
    return list(dict.fromkeys(found))


def _inputs_of(names: list[str], makers: dict[str, NodeProto], given: set[str]) -> set[str]:
    """Return the graph's inputs that values are computed of."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in given:
            found.add(name)
        elif name in makers:
            waiting += [one for one in makers[name].input if one]
    return found
