"""What a graph's operators say of the integers that they take: how many places, rounds or keys there are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from parity_export.onnx_module.node_search import nodes_within
from parity_export.sources.onnx_file.input_shapes import GraphInputs
from parity_runtime.arguments import argument

_COUNTS = {"Loop": (0,), "Range": (0, 1, 2), "Tile": (1,), "Expand": (1,), "ConstantOfShape": (0,)}
"""Inputs that say how often, or how much: a large number takes hours, or all memory."""

_LENGTHS = 4  # sequence_lens, of a recurrent operator
_MOST = 16
_PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Split", "Concat",
            "TopK")  # fmt: skip
_KEYS = ("keys_int64s", "keys_tensor", "cats_int64s")


@dataclass(frozen=True)
class Domain:
    """What one input holds.

    Attributes:
        low: its lowest value.
        high: its highest; None without a limit.
        why: what says so.
        counts_length: its highest is the length of the rows, where they have one.
    """

    low: int
    high: int | None
    why: str
    counts_length: bool = False

    @property
    def words(self) -> str:
        """The words of a specification."""
        return f">= {self.low}" if self.high is None else f"in {self.low}..{self.high}"


@dataclass(frozen=True)
class _Known:
    """What a graph says of its values: single numbers, and shapes, 0 where a size is dynamic."""

    numbers: Mapping[str, np.ndarray]
    shapes: Mapping[str, Sequence[int]]


def graph_domains(model: ModelProto) -> dict[str, Domain]:
    """Return the domains of the inputs of which an operator says something."""
    nodes, known = list(nodes_within(model.graph.node)), _Known(_constants(model.graph), _shapes(model.graph))
    found = {}
    for value in model.graph.input:
        domains = list(_domains(value.name, nodes, known))
        if domains:
            highs = [one for one in domains if one.high is not None]
            found[value.name] = min(highs, key=lambda one: one.high or 0) if highs else domains[0]
    return found


def with_domains(inputs: GraphInputs, domains: Mapping[str, Domain]) -> GraphInputs:
    """Return inputs with the domains of those integers of which nobody said anything, and a line for each."""
    specs, notes = [], []
    for spec in inputs.specs:
        domain = domains.get(spec.name)
        if domain is None or spec.domain or spec.numpy_dtype.kind not in "iu":
            specs.append(spec)
            continue
        words = domain.words if not domain.counts_length else _up_to_the_length(domain, inputs)
        specs.append(replace(spec, domain=words))
        other = argument("inputs", [f"{spec} in {domain.low}..{2 * (domain.high or 8)}"], option="--input")
        notes.append(f"{spec.name}: {words} ({domain.why}); declare it otherwise as {other}")
    return replace(inputs, specs=tuple(specs), notes=(*inputs.notes, *notes))


def _up_to_the_length(domain: Domain, inputs: GraphInputs) -> str:
    """Return the words of a length: up to the one dimension that is no first axis; 1 where there is none."""
    lengths = {size for spec in inputs.specs for size in spec.shape[1:] if isinstance(size, str)}
    return f"in {domain.low}..{lengths.pop()}" if len(lengths) == 1 else f"in {domain.low}..1"


def _domains(name: str, nodes: list[NodeProto], known: _Known) -> Iterator[Domain]:
    """Yield what the operators say that take a value as it is."""
    waiting, seen = [name], {name}
    while waiting:
        value = waiting.pop()
        for node in nodes:
            for place in (index for index, taken in enumerate(node.input) if taken == value):
                yield from _said(node, place, known)
                if node.op_type in _PASSING and (place == 0 or node.op_type == "Concat"):
                    outputs = node.output[:1] if node.op_type == "TopK" else node.output  # sorted, and their places
                    waiting += [output for output in outputs if output not in seen]
                    seen.update(outputs)


def _said(node: NodeProto, place: int, known: _Known) -> Iterator[Domain]:
    operator = node.op_type
    if place in _COUNTS.get(operator, ()):
        yield Domain(int(operator == "Expand"), _MOST, f"{operator} counts by it")
    elif operator in ("Div", "Mod") and place == 1:
        yield Domain(1, None, f"{operator} divides by it")
    elif operator in ("RNN", "GRU", "LSTM") and place == _LENGTHS:
        yield Domain(1, None, f"{operator} ends each row there", counts_length=True)
    elif operator == "OneHot" and place == 0 and node.input[1] in known.numbers:
        depth = int(known.numbers[node.input[1]].reshape(-1)[0])
        yield Domain(0, max(0, depth - 1), f"OneHot has {depth} places")
    elif operator in ("Scatter", "ScatterElements") and place == 1:
        axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
        sizes = known.shapes.get(node.input[0], ())
        if -len(sizes) <= axis < len(sizes) and sizes[axis]:
            yield Domain(0, sizes[axis] - 1, f"{operator} writes to {sizes[axis]} places")
    elif operator in ("LabelEncoder", "CategoryMapper", "OneHotEncoder"):
        keys = _keys(node)
        if len(keys):
            yield Domain(int(keys.min()) - 1, int(keys.max()) + 1, f"{operator} knows {len(keys)} keys")


def _keys(node: NodeProto) -> np.ndarray:
    for attribute in node.attribute:
        if attribute.name in _KEYS:
            value = helper.get_attribute_value(attribute)
            array = numpy_helper.to_array(value) if attribute.HasField("t") else np.array(value)
            if array.dtype.kind in "iu":
                return array
    return np.zeros(0, np.int64)


def _shapes(graph: GraphProto) -> dict[str, Sequence[int]]:
    declared = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
                for value in (*graph.input, *graph.value_info)}  # fmt: skip
    return declared | {one.name: list(one.dims) for one in graph.initializer}


def _constants(graph: GraphProto) -> dict[str, np.ndarray]:
    """Return the single numbers among the constants, by name."""
    found = {one.name: numpy_helper.to_array(one) for one in graph.initializer if np.prod(one.dims) == 1}
    for node in nodes_within(graph.node):
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.HasField("t") and np.prod(attribute.t.dims) == 1:
                found[node.output[0]] = numpy_helper.to_array(attribute.t)
    return found
