"""The pass from the answers back to the inputs, and what the operators' own errors add up to there.

Each answer is a seed, so that a value has one adjoint for each. An error of answer i is at most the sum of |A_i| . own
over all operators, and one of the difference of answers i and j at most that of |A_i - A_j| . own, because both are of
one evaluation. Where the pass ends, own is the whole error. With A = a + d

    |A_i| . own <= |a_i| . own + |d_i| . own        |A_i - A_j| . own <= |a_i - a_j| . own + (|d_i| + |d_j|) . own
    |d| . own <= ||d'|| ||own|| + relative |a| . own
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import onnx_ir as ir

from parity_export.error_bounds.adjoints.adjoint import Adjoint
from parity_export.error_bounds.adjoints.pulls import added, flat, flattened, weighed
from parity_export.error_bounds.adjoints.seeds import Seeds
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.norms.error_norm import length
from parity_export.error_bounds.rounding_model import FLUSHED, U, gamma

_NOTHING = Bound()


@dataclass(frozen=True)
class Counted:
    """A value whose own error counts.

    Attributes:
        value: an operator's result, or what an evaluation begins with.
        adjoint: of the value.
        own: its own error in units, where the pass ends its whole one, but for the scale.
        scale: to apply.
    """

    value: ir.Value
    adjoint: Adjoint
    own: ir.Value
    scale: float


@dataclass
class Sums:
    """What the operators' own errors add up to: parts in units, each ``[batch, count, 1]``, but for factors.

    Attributes:
        seeds: the answers.
        nominal: of |a|.
        radius: of rho, and what was paid for on the way.
        differences: of |a_j - a_label|.
        factor: at least what |a| . own is to be multiplied by, of every value.
        norm_factor: at least what rho ||own|| is.
        relative: at least the part of |a| that |d| may be beside d', of every value.
        counted: what they are made of.
    """

    seeds: Seeds
    nominal: list[ir.Value] = field(default_factory=list)
    radius: list[ir.Value] = field(default_factory=list)
    differences: list[ir.Value] = field(default_factory=list)
    factor: float = 1.0
    norm_factor: float = 1.0
    relative: float = 0.0
    counted: list[Counted] = field(default_factory=list)


def backward_pass(builder: BoundBuilder, nodes: Sequence[ir.Node], answer: ir.Value, seeds: Seeds) -> Sums:
    """Go back from some of the answers of each row.

    Args:
        builder: the graph, every rule asked.
        nodes: all that the answer is computed by, in order.
        answer: ``[batch, answers]``, of known size.
        seeds: some of the answers.
    """
    builder.seeds, sums = seeds.count, Sums(seeds)
    answers = int(answer.shape[1]) if answer.shape is not None and isinstance(answer.shape[1], int) else 0
    waiting: dict[ir.Value, list[Adjoint]] = {answer: [Adjoint(seeds.rows, (answers,))]}
    for value in _backwards(nodes):
        if value in waiting:
            adjoint, step = added(builder, waiting.pop(value)), builder.steps.get(value)
            if value not in builder.handed_on and (step is None or step.own != _NOTHING):
                _count(builder, value, adjoint, sums)
            for operand, pull in () if step is None else step.passages:
                waiting.setdefault(operand, []).append(pull(adjoint))
    sums.radius += builder.paid
    return sums


def _backwards(nodes: Sequence[ir.Node]) -> Iterator[ir.Value]:
    """Yield the nodes' results, the last first, and then what they take from elsewhere."""
    results = [value for node in reversed(nodes) for value in node.outputs]
    yield from results
    taken = dict.fromkeys(value for node in nodes for value in node.inputs if value is not None)
    yield from (value for value in taken if value not in {*results})


def _count(builder: BoundBuilder, value: ir.Value, adjoint: Adjoint, sums: Sums) -> None:
    """Add what a value's own error is worth; its whole error, where the pass ends."""
    step = builder.steps.get(value)
    own, scale = builder.tensor(value) if step is None else builder.summed(value, step.own)
    sums.counted.append(Counted(value, adjoint, own, scale))
    factor = scale * (1 + gamma(math.prod(adjoint.sizes) + 8)) * (1 + 8 * U)
    sums.factor, sums.relative = max(sums.factor, factor), max(sums.relative, adjoint.relative)
    sums.nominal.append(weighed(builder, flat(builder, adjoint), own))
    if adjoint.norm is not None or adjoint.floor:
        found, more = _of_norms(builder, adjoint, own)
        sums.radius.append(found)
        sums.norm_factor = max(sums.norm_factor, factor * more)
    if sums.seeds.apart is not None:
        places = flattened(builder, adjoint.nominal, adjoint.sizes)
        difference = builder.emit("Abs", [builder.emit("MatMul", [sums.seeds.apart, places])])
        sums.differences.append(weighed(builder, difference, own))


def _of_norms(builder: BoundBuilder, adjoint: Adjoint, own: ir.Value) -> tuple[ir.Value, float]:
    """Return ||d'|| ||own||, ``[batch, count, 1]``, and a factor that is left to apply."""
    count = math.prod(adjoint.sizes)
    known = length(builder, own, tuple(range(1, 1 + len(adjoint.sizes))), count)
    size = builder.emit("Reshape", [known.tensor, builder.initializer(np.array([0, 1, 1]))])
    size = builder.emit("Add", [size, builder.number([[[known.constant * math.sqrt(count)]]])])
    norm = builder.number([[[adjoint.floor]]])
    if adjoint.norm is not None:
        norm = builder.emit("Add", [adjoint.norm, norm]) if adjoint.floor else adjoint.norm
    return builder.emit("Mul", [norm, size]), adjoint.scale * known.scale * (1 + 8 * U)


def worth(builder: BoundBuilder, sums: Sums) -> tuple[ir.Value, ir.Value | None]:
    """Return error bounds in units, ``[batch, count]``: of each answer, and of its difference to the label's."""
    nominal = _total(builder, sums.nominal, sums.factor)
    radius = _total(builder, sums.radius, sums.norm_factor) if sums.radius else None
    if sums.relative:
        part = builder.emit("Mul", [nominal, builder.number([[sums.relative * (1 + 8 * U)]])])
        radius = part if radius is None else builder.emit("Add", [radius, part])
    found = nominal if radius is None else builder.emit("Add", [nominal, radius])
    if not sums.differences:
        return found, None
    apart = _total(builder, sums.differences, sums.factor * (1 + 8 * U))
    if radius is not None and sums.seeds.label is not None:
        of_label = builder.emit("GatherElements", [radius, sums.seeds.label], {"axis": 1})
        apart = builder.emit("Add", [apart, builder.emit("Add", [radius, of_label])])
    return found, apart


def _total(builder: BoundBuilder, parts: Sequence[ir.Value], factor: float) -> ir.Value:
    """Return the sum of parts times a factor, ``[batch, count]``, and what they lose by rounding and flushing."""
    found = reduce(lambda first, second: builder.emit("Add", [first, second]), parts)
    found = builder.emit("Mul", [found, builder.number([[[factor * (1 + gamma(len(parts) + 8))]]])])
    found = builder.emit("Add", [found, builder.number([[[len(parts) * FLUSHED]]])])
    return builder.emit("Squeeze", [found, builder.initializer(np.array([2]))])
