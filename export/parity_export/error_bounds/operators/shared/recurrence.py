"""LSTM and GRU: the certified graph computes each once more, written out step by step, with its error bounds.

What is written out is one more compliant evaluation of the same exact values, so that its error bounds are those of
every evaluation, the operator's own among them. Each step is made of operators that have rules, which are asked; a Scan
repeats it, over a sequence of any length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.errors import refusal
from parity_export.error_bounds.operators.shared.inner_products import attribute, weight_constant
from parity_export.error_bounds.precision import FLOAT32
from parity_export.error_bounds.rounding_model import FLUSHED, U

_X, _WEIGHTS, _RECURRENT, _BIAS, _LENGTHS, _STATES = 0, 1, 2, 3, 4, (5, 6)
_DIRECTIONS = ("forward", "reverse", "bidirectional")
_LAST = -(2**62)


@dataclass(frozen=True)
class Gates:
    """The constants of one direction, in the graph.

    Attributes:
        weights: W, ``[gates * hidden, features]``.
        recurrent: R, ``[gates * hidden, hidden]``.
        biases: Wb and Rb, ``[gates * hidden]`` each.
    """

    weights: ir.Value
    recurrent: ir.Value
    biases: tuple[ir.Value, ir.Value]


Cell = Callable[["Step", Gates, ir.Value, Sequence[ir.Value]], Sequence[ir.Value]]
"""From a place of the sequence ``[batch, features]`` and the states ``[batch, hidden]`` to the next states."""


class Step:
    """One step of a recurrence, which nodes that have rules are written into.

    Args:
        builder: of the step's own graph.
        outer: of the graph around it.
    """

    def __init__(self, builder: BoundBuilder, outer: BoundBuilder) -> None:
        self.builder, self._outer = builder, outer

    def ask(
        self, op_type: str, inputs: Sequence[ir.Value], columns: Sequence[int], attributes: object = None
    ) -> Sequence[ir.Value]:
        """Append a node whose results are ``[batch, columns]``, ask its rule, and return the results."""
        kinds = [str(index) for index in range(len(columns))]
        results = self.builder.several(op_type, inputs, kinds, attributes)
        rows = next(one.shape[0] for one in inputs if one.shape is not None and len(one.shape) == 2)
        for value, count in zip(results, columns, strict=True):
            value.shape, value.dtype = ir.Shape([rows, count]), ir.DataType.FLOAT
        node = results[0].producer()
        if node is not None:  # it was just made
            self.builder.apply(self.builder, node)
        return results

    def compute(self, op_type: str, *inputs: ir.Value) -> ir.Value:
        """Append a node that works element by element, and return its result."""
        return self.ask(op_type, inputs, [columns_of(inputs[0])])[0]

    def split(self, value: ir.Value, parts: int) -> Sequence[ir.Value]:
        """Return as many parts of one size, one behind the other; of what is never negative they are not."""
        size = columns_of(value) // parts
        sizes = self.builder.initializer(np.array([size] * parts))
        found = self.ask("Split", [value, sizes], [size] * parts, {"axis": 1})
        if self.builder.magnitude(value) is value:
            for part in found:
                self.builder.never_negative(part)
        return found

    def sums(self, x: ir.Value, weights: ir.Value, bias: ir.Value) -> ir.Value:
        """Return weights x + bias."""
        return self.ask("Gemm", [x, weights, bias], [len(_array(self._outer, weights))], {"transB": 1})[0]

    def gates(self, x: ir.Value, h: ir.Value, gates: Gates) -> ir.Value:
        """Return W x + R h + Wb + Rb, sums of ``features + hidden`` products and two numbers, in any order."""
        both = self.ask("Concat", [x, h], [columns_of(x) + columns_of(h)], {"axis": 1})[0]
        arrays = [_array(self._outer, value) for value in (gates.weights, gates.recurrent)]
        inputs = [gates.weights, gates.recurrent]
        weights = _folded(self._outer, "Concat", inputs, np.concatenate(arrays, axis=1), {"axis": 1})
        return self.compute("Add", self.sums(both, weights, gates.biases[0]), gates.biases[1])

    def rows(self, gates: Gates, start: int, end: int) -> Gates:
        """Return the constants of some of the rows."""
        first, second, third, fourth = (
            _some_rows(self._outer, value, start, end) for value in (gates.weights, gates.recurrent, *gates.biases)
        )
        return Gates(first, second, (third, fourth))


def columns_of(value: ir.Value) -> int:
    """Return how many columns a value ``[batch, columns]`` of a step has."""
    size = None if value.shape is None else value.shape[1]
    return size if isinstance(size, int) else 0  # every value of a step has its sizes


def _array(builder: BoundBuilder, value: ir.Value) -> NDArray[np.float32]:
    array = builder.constant(value)
    return np.zeros(0, np.float32) if array is None else array  # it is one: `_check`


def _some_rows(builder: BoundBuilder, value: ir.Value, start: int, end: int) -> ir.Value:
    places = [builder.initializer(np.array([number])) for number in (start, end, 0)]
    return _folded(builder, "Slice", [value, *places], _array(builder, value)[start:end])


def _folded(
    builder: BoundBuilder,
    op_type: str,
    inputs: Sequence[ir.Value],
    array: NDArray[np.float32],
    attributes: object = None,
) -> ir.Value:
    """Return a constant that the graph makes of constants by moving them, so that it is exact."""
    value = builder.emit(op_type, inputs, attributes)
    value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.FLOAT
    builder.fold(value, array)
    return value


WRITTEN_OUT = "written out once more, each step by the rules of Gemm, Add, Sigmoid, Tanh and Mul"
"""The error bound of LSTM and GRU in a line."""


def recurrence(builder: BoundBuilder, node: ir.Node, gates: int, states: int, cell: Cell) -> Bound:
    """Return the error bound of all steps, ``Y``, and record those of the last one, ``Y_h`` and ``Y_c``.

    Args:
        builder: the graph.
        node: LSTM or GRU.
        gates: how many rows of W, R, Wb and Rb belong to one element of a state.
        states: how many there are: h alone, or h and c.
        cell: writes a step.
    """
    if builder.precision is not FLOAT32:
        raise refusal(node, f"it has no rule in {builder.precision.name}, which rounds its states at every step")
    directions = _directions(node)
    hidden = _check(builder, node, gates, len(directions))
    found = [_one_direction(builder, node, place, (gates, states, hidden), cell) for place in range(len(directions))]
    place = builder.initializer(np.array([1])), builder.initializer(np.array([0]))
    steps = [builder.emit("Unsqueeze", [errors[-1], place[0]]) for errors in found]
    last = [[builder.emit("Unsqueeze", [errors[state], place[1]]) for errors in found] for state in range(states)]
    for output, errors in zip(node.outputs[1:], last, strict=False):
        builder.set(output, Bound(_beside(builder, errors, 0)))
    return Bound(_beside(builder, steps, 1))


def _beside(builder: BoundBuilder, values: Sequence[ir.Value], axis: int) -> ir.Value:
    return values[0] if len(values) == 1 else builder.emit("Concat", values, {"axis": axis})


def _directions(node: ir.Node) -> list[bool]:
    """Return, for each direction, whether it goes backwards."""
    given = str(attribute(node, "direction", "forward"))
    if given not in _DIRECTIONS:
        raise refusal(node, f"its direction is {given}")
    return {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[given]


def _check(builder: BoundBuilder, node: ir.Node, gates: int, directions: int) -> int:
    """Return how many elements a state has.

    Raises:
        CannotCertifyError: lengths of their own for each row, peepholes, other activations or a layout that torch never
            writes, or constants that do not fit.
    """
    inputs = [*node.inputs, *[None] * 8]
    if inputs[_LENGTHS] is not None or inputs[7] is not None:
        raise refusal(node, "its rows have lengths of their own, or it has peepholes")
    if inputs[_BIAS] is None:
        raise refusal(node, "it has no biases")
    others = [name for name in ("layout", "input_forget") if attribute(node, name, 0)]
    if others or {"activations", "clip"} & {*node.attributes}:
        raise refusal(node, "it has another layout, or other gates, than torch writes")
    width = weight_constant(builder, node, _RECURRENT).shape
    shapes = [weight_constant(builder, node, index).shape for index in (_WEIGHTS, _BIAS)]
    hidden = width[-1]
    if width != (directions, gates * hidden, hidden) or shapes[1] != (directions, 2 * gates * hidden):
        raise refusal(node, "its weights have other shapes than torch's")
    return int(hidden)


def _one_direction(
    builder: BoundBuilder, node: ir.Node, place: int, sizes: tuple[int, int, int], cell: Cell
) -> list[ir.Value]:
    """Return the errors of the last states, and then those of h at every step, in units."""
    gates, states, hidden = sizes
    x, backwards = builder.operand(node), _directions(node)[place]
    error, scale = builder.tensor(x)
    series = [_reversed(builder, value) if backwards else value for value in (x, error)]
    begins = [_initial(builder, node, index, place, hidden) for index in _STATES[:states]]
    body = ir.Graph([], [], nodes=[], name=f"step_{place}")
    step = Step(builder.within(body), builder)
    batch = _batch(x)
    names = [f"{kind}{index}" for index in range(states) for kind in ("state", "error")] + ["x", "error"]
    columns = [hidden] * 2 * states + [weight_constant(builder, node, _WEIGHTS).shape[2]] * 2
    given = [_input(f"{step.builder.prefix}in{index}.{name}", batch, count)
             for index, (name, count) in enumerate(zip(names, columns, strict=True))]  # fmt: skip
    body.inputs.extend(given)
    for value, known in zip(given[0:-2:2], given[1:-2:2], strict=True):
        step.builder.set(value, Bound(known))
    step.builder.set(given[-2], Bound(given[-1], scale))
    following = cell(step, _gates(builder, node, place, gates * hidden), given[-2], given[0:-2:2])
    results = []
    for value in following:
        total, factor = step.builder.tensor(value)
        results += [value, step.builder.emit("Mul", [total, step.builder.number([[factor * (1 + 4 * U)]])])]
    body.outputs.extend([*results, step.builder.emit("Identity", [results[1]])])
    for value in body.outputs:
        value.dtype, value.shape = ir.DataType.FLOAT, ir.Shape([batch, hidden])
    flat = [value for begin in begins for value in begin] + series
    kinds = [str(index) for index in range(len(results) + 1)]
    found = builder.several("Scan", flat, kinds, {"body": body, "num_scan_inputs": 2})
    steps = _reversed(builder, found[-1]) if backwards else found[-1]
    return [*found[1:-1:2], steps]


def _input(name: str, batch: int | ir.SymbolicDim, columns: int) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape([batch, columns]), type=ir.TensorType(ir.DataType.FLOAT))


def _batch(x: ir.Value) -> int | ir.SymbolicDim:
    """Return how many rows a step has, by a name of its own where that is unknown."""
    rows = None if x.shape is None or len(x.shape) != 3 else x.shape[1]
    return rows if isinstance(rows, int) or (rows is not None and rows.value is not None) else ir.SymbolicDim("rows")


def _reversed(builder: BoundBuilder, series: ir.Value) -> ir.Value:
    """Return a sequence, the last place first."""
    numbers = [builder.initializer(np.array([number])) for number in (-1, _LAST, 0, -1)]
    return builder.emit("Slice", [series, *numbers])


def _initial(builder: BoundBuilder, node: ir.Node, index: int, place: int, hidden: int) -> tuple[ir.Value, ir.Value]:
    """Return the state that a direction begins with, ``[batch, hidden]``, and its error bound."""
    if len(node.inputs) <= index or node.inputs[index] is None:
        x, axis = builder.operand(node), builder.initializer(np.array([hidden]))
        rows = builder.emit("Shape", [x], {"start": 1, "end": 2})
        shape = builder.emit("Concat", [rows, axis], {"axis": 0})
        numbers = (np.zeros((1, 1)), np.full((1, 1), FLUSHED))
        first, second = (builder.emit("Expand", [builder.number(number), shape]) for number in numbers)
        return first, second
    value = builder.operand(node, index)
    error, scale = builder.tensor(value)
    error = builder.emit("Mul", [error, builder.number([[[scale * (1 + 4 * U)]]])])
    where = builder.initializer(np.array(place))
    state, known = (builder.emit("Gather", [one, where], {"axis": 0}) for one in (value, error))
    return state, known


def _gates(builder: BoundBuilder, node: ir.Node, place: int, rows: int) -> Gates:
    """Return the constants of a direction, as nodes that take them out of the operator's own."""
    parts = []
    for index in (_WEIGHTS, _RECURRENT, _BIAS):
        array, value = weight_constant(builder, node, index), node.inputs[index]
        if value is not None:  # it is a constant
            where = builder.initializer(np.array(place))
            parts.append(_folded(builder, "Gather", [value, where], array[place], {"axis": 0}))
    biases = [_some_rows(builder, parts[2], *ends) for ends in ((0, rows), (rows, 2 * rows))]
    return Gates(parts[0], parts[1], (biases[0], biases[1]))
