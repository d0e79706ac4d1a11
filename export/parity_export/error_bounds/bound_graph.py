"""The graph that is being certified: what is known of its values, and how nodes are added."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.adjoints.adjoint import Step
from parity_export.error_bounds.adjoints.rows import Rows
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.errors import CannotCertifyError, refusal
from parity_export.error_bounds.precision import FLOAT32, Precision
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT, U, upward
from parity_export.graph.nodes import ConstantPool

_NEGLIGIBLE_SCALE = 1 + 2.0**-10


class BoundBuilder:
    """A graph, the error bounds of its float values, and its constants.

    Args:
        graph: nodes are appended to it.
        takers: how often each value is taken on the way to the answer, for a backward pass; None without one.
        precision: that the bounded evaluations may compute in.
        names: that those of nodes begin with; others for each builder of a graph.

    Attributes:
        precision: as given.
        overflow: tensors that are infinite in rows where a value may leave the range of the precision's format, else 0.
        initializer: returns the constant of an array as it is; one for equal ones.
        backwards: whether rules record their steps (`adjoints.steps`).
        takers: as given.
        steps: of the operators that a backward pass goes through, by their results.
        handed_on: values whose own error stands in that of the operator that takes them.
        held: makes what a linear map adds of its own, of values behind it that may be folded into it (`steps.held`).
        whole: values whose step's own error holds that as well.
        seeds: how many adjoints of each value the pass carries.
        rows: where those of the batch stand in values, where that is known (`adjoints.rows`).
        paid: what the backward pass has paid for on its way, in units, each ``[batch or 1, seeds, 1]``.
        prepaid: at least gamma of the sums of every linear map, the other way round, times || |W| || / ||W||.
        prefix: what the names of nodes begin with.
        apply: asks the rule of a node that a rule has written; set by who knows all rules.
    """

    def __init__(
        self,
        graph: ir.Graph,
        takers: Mapping[ir.Value, int] | None = None,
        precision: Precision = FLOAT32,
        names: str = "error_bound.",
    ) -> None:
        self._graph, self.prefix = graph, names
        self.precision, self.overflow = precision, list[ir.Value]()
        self.backwards, self.takers = takers is not None, {} if takers is None else takers
        self.steps: dict[ir.Value, Step] = {}
        self.handed_on: set[ir.Value] = set()
        self.held: dict[ir.Value, Callable[[], Bound]] = {}
        self.whole: set[ir.Value] = set()
        self.seeds, self.prepaid = 1, 0.0
        self.rows: dict[ir.Value, Rows] = {}
        self.paid: list[ir.Value] = []
        self._once: dict[tuple[str, tuple[ir.Value, ...]], ir.Value] = {}
        self._bounds: dict[ir.Value, Bound] = {}
        self._folded: dict[ir.Value, NDArray[Any]] = {}
        self._rounded: dict[ir.Value, tuple[NDArray[np.float32], NDArray[np.float64]]] = {}
        self._chosen: set[ir.Value] = set()
        self._begins: set[ir.Value] = set()
        self._least: dict[ir.Value, float] = {}
        self.initializer = ConstantPool(graph, names).value
        self._magnitudes: dict[ir.Value, ir.Value] = {}
        self._lengths: dict[tuple[ir.Value, tuple[int, ...]], ir.Value] = {}
        self._count = 0
        self.apply: Callable[[BoundBuilder, ir.Node], None] = _unknown

    def within(self, body: ir.Graph) -> "BoundBuilder":
        """Return what builds the body of a node of this graph; their constants are this graph's."""
        inner = BoundBuilder(body, precision=self.precision, names=f"{self.prefix}{self._count}.")
        inner.initializer = self.initializer
        inner._folded, inner._rounded, inner.apply = self._folded, self._rounded, self.apply
        self._count += 1
        return inner

    def constant(self, value: ir.Value | None, *, masks: bool = False) -> NDArray[Any] | None:
        """Return what a value is in every evaluation; None if it is computed.

        Args:
            value: of a node.
            masks: whether it may hold minus infinity, as what is added before a Softmax.

        Raises:
            CannotCertifyError: it is not finite.
        """
        if value is None:
            return None
        array = self._folded.get(value)
        if array is None:
            if value.const_value is None or value.is_graph_input():  # a caller may replace an input's default
                return None
            array = value.const_value.numpy()
        if array.dtype == np.float32 and not (array < np.inf if masks else np.isfinite(array)).all():
            raise CannotCertifyError(f"cannot certify: the constant {value.name} is not finite")
        return array

    def rounded_constant(self, value: ir.Value | None) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return what a value of constants alone is in one evaluation, and how far any may be from that.

        Raises:
            KeyError: it is computed from anything else.
        """
        array = self.constant(value)
        if array is not None:
            return array, np.zeros(array.shape)
        return self._rounded[value]  # type: ignore[index]

    def is_constant(self, value: ir.Value | None) -> bool:
        """Whether a value is computed from constants alone, and known but for roundings at most."""
        return value in self._rounded or self.constant(value, masks=True) is not None

    def is_rounded(self, value: ir.Value | None) -> bool:
        """Whether a value is computed from constants alone, and every evaluation may round it differently."""
        return value in self._rounded

    def fold(self, value: ir.Value, array: NDArray[Any], error: NDArray[np.float64] | None = None) -> None:
        """Record what a value of constants alone is: exactly, or within an error, which is then its error bound too."""
        if error is None:
            self._folded[value] = array
            return
        self._rounded[value] = array, error
        self._bounds[value] = Bound(self.number(error / UNIT + FLUSHED))

    def choose(self, value: ir.Value) -> None:
        """Record that a value depends on a comparison, so that only the rule of Where may take it."""
        self._chosen.add(value)

    def chosen(self, node: ir.Node) -> bool:
        """Whether an input of a node depends on a comparison."""
        return any(value in self._chosen for value in node.inputs)

    def alike(self, value: ir.Value | None) -> bool:
        """Whether a truth value that no rule knows comes out alike in every evaluation."""
        return value is not None and value not in self._bounds and value not in self._chosen

    def knows(self, value: ir.Value | None) -> bool:
        """Whether a value has an error bound."""
        return value in self._bounds

    def operand(self, node: ir.Node, index: int = 0) -> ir.Value:
        """Return a node's input, which must have an error bound.

        Raises:
            CannotCertifyError: it is constant, absent, or no float32.
        """
        value = node.inputs[index]
        if value is None or value not in self._bounds:
            raise refusal(node, f"its input {index} is not a float32 tensor that is computed")
        return value

    def bound(self, value: ir.Value) -> Bound:
        """Return the error bound of a value that has one."""
        return self._bounds[value]

    def set(self, value: ir.Value, bound: Bound) -> None:
        """Record the error bound of a value."""
        self._bounds[value] = bound

    def begin(self, value: ir.Value, bound: Bound) -> None:
        """Record the error bound of a value that an evaluation begins with: an input, or elements of inputs.

        Every evaluation reads the same numbers there, but for a flush, and NaN in the same places. A backward pass ends
        there: what was taken out of an input does not depend on what is missing elsewhere in it.
        """
        self.steps.pop(value, None)
        self._begins.add(value)
        self._bounds[value] = bound

    def begins(self, value: ir.Value | None) -> bool:
        """Whether every evaluation reads the same numbers of a value."""
        return value in self._begins

    def never_subnormal(self, value: ir.Value, least: float) -> None:
        """Record that a value which begins is made of integers, and its least magnitude that is not zero."""
        self._least[value] = least

    def least(self, value: ir.Value | None) -> float | None:
        """Return the least magnitude but zero of a value that is made of integers; None of any other."""
        return None if value is None else self._least.get(value)

    def tensor(self, value: ir.Value) -> tuple[ir.Value, float]:
        """Return the whole error bound of a value as one tensor of the graph, and the scale that is left to apply.

        It is NaN or infinite wherever the value is not finite.
        """
        bound = self._bounds[value]
        total, scale = self.summed(value, bound)
        if total is not bound.tensor:
            norm = None if bound.norm is None or bound.norm.beside is not bound.tensor else bound.norm
            if norm is not None:  # t now stands for the whole error
                relative, constant = norm.relative + bound.relative, norm.constant + bound.constant
                norm = replace(norm, beside=total, relative=relative, constant=constant)
            self._bounds[value] = Bound(total, scale, folding=bound.folding, factor=bound.factor, norm=norm)
        return total, scale

    def absolute(self, value: ir.Value, times: float = 1.0) -> ir.Value:
        """Return so many times the error bound of a value, in the value's own unit."""
        total, scale = self.tensor(value)
        return self.emit("Mul", [total, self.number(times * UNIT * scale * (1 + 8 * U))])

    def summed(self, value: ir.Value, bound: Bound) -> tuple[ir.Value, float]:
        """Return an error bound of a value as `tensor` does, also one that is not its whole one."""
        total, scale = bound.tensor, bound.scale
        if total is None:  # x - x is 0, or NaN where x is not finite
            total, scale = self.emit("Sub", [value, value]), 1.0
        elif scale > _NEGLIGIBLE_SCALE:  # a smaller one is left to apply: it is at least 1, and so may scale all parts
            total, scale = self.emit("Mul", [total, self.number(scale)]), 1.0
        if bound.relative:
            part = self.emit("Mul", [self.magnitude(value), self.number(bound.relative)])
            total = self.emit("Add", [total, part])
        if bound.constant or total is not bound.tensor:
            total = self.emit("Add", [total, self.number(bound.constant + FLUSHED)])
        if total is not bound.tensor:
            scale *= 1 + 4 * U  # four roundings above; the error bound is a sum of numbers that are not negative
        return total, scale

    def never_negative(self, value: ir.Value) -> None:
        """Record that a value is its own magnitude."""
        self._magnitudes[value] = value

    def magnitude(self, value: ir.Value) -> ir.Value:
        """Return |v|."""
        if value not in self._magnitudes:
            self._magnitudes[value] = self.emit("Abs", [value])
        return self._magnitudes[value]

    def length(self, value: ir.Value, axes: tuple[int, ...]) -> ir.Value:
        """Return the Euclidean norm of a value over some axes, which stay with one element: see `norms.LENGTH`."""
        key = (value, axes)
        if key not in self._lengths:
            inputs = [value, self.initializer(np.array(axes))]
            self._lengths[key] = self.emit("Sqrt", [self.emit("ReduceSumSquare", inputs, {"keepdims": 1})])
        return self._lengths[key]

    def shielded(self, total: ir.Value) -> ir.Value:
        """Return an error bound that may now be multiplied by less than 1.

        A backend may fold a factor into the linear map before it; then the map's sum would not overflow any more where
        that of the value itself does. Nothing is folded past an Abs.
        """
        return self.emit("Abs", [total])

    def number(self, array: Any) -> ir.Value:
        """Return a float32 constant, rounded upward."""
        return self.initializer(upward(array))

    def topmost(self, value: ir.Value, count: int) -> ir.Value:
        """Return the places of the largest numbers along the last axis."""
        return self.several("TopK", [value, self.initializer(np.array([count]))], ("values", "places"))[1]

    def several(
        self, op_type: str, inputs: Sequence[ir.Value], kinds: Sequence[str], attributes: Any = None
    ) -> Sequence[ir.Value]:
        """Append a node with several outputs and return those.

        Args:
            op_type: its operator.
            inputs: of it.
            kinds: what the outputs' names end in.
            attributes: of it.
        """
        name = f"{self.prefix}{op_type}_{self._count}"
        self._count += 1
        node = ir.node(op_type, inputs, attributes, num_outputs=len(kinds), name=name)
        for output, kind in zip(node.outputs, kinds, strict=True):
            output.name = f"{name}.{kind}"
        self._graph.append(node)
        return node.outputs

    def once(self, op_type: str, inputs: Sequence[ir.Value]) -> ir.Value:
        """Append a node without attributes, unless it is there already."""
        key = (op_type, tuple(inputs))
        if key not in self._once:
            self._once[key] = self.emit(op_type, inputs)
        return self._once[key]

    def emit(self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Any = None) -> ir.Value:
        """Append a node with one output and return that."""
        name = f"{self.prefix}{op_type}_{self._count}"
        self._count += 1
        node = ir.node(op_type, inputs, attributes, name=name)
        node.outputs[0].name = name
        self._graph.append(node)
        return node.outputs[0]


def _unknown(_: BoundBuilder, node: ir.Node) -> None:
    raise refusal(node, "its rule is unknown")
