"""What a file of `operators` says of its operator: everything that the proof, its tests and its documentation need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.aten_operator import AtenOperator
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.elementary_functions import Elementary, measured_function

OLDEST_OPSET = 18
"""The exporter's; before 13 axes were attributes, and before 18 some reductions had others."""

ErrorRule = Callable[[BoundBuilder, ir.Node], Bound]

Node = tuple[str, list[str], dict[str, Any]]
"""An ONNX operator, the names of its inputs, and its attributes."""


@dataclass(frozen=True)
class WorstCase:
    """A graph from ``features`` to ``value`` and rows whose true error comes near to what the rule allows.

    Attributes:
        name: unique among all operators.
        nodes: each gives a value named by its operator and its index (``Gemm0``), the last one ``value``.
        constants: the graph's initializers, by name.
        rows: float32 ``[rows, ...]``, values of ``features``.
        outputs: how many numbers of ``value`` belong to one row.
        overflows: whether rows of 3e38 lead to a sum or product that may overflow.
        least: what share of the error bound the worst true error must reach.
    """

    name: str
    nodes: Sequence[Node]
    constants: Mapping[str, Any]
    rows: NDArray[np.float32]
    outputs: int = 1
    overflows: bool = True
    least: float = 0.5


@dataclass(frozen=True)
class OperatorRule:
    """An ONNX operator of the domain ai.onnx, or a pattern of several that backends compute as one function.

    Attributes:
        name: the operator's in ONNX; of a pattern, one of ours.
        formula: its error bound in a line, for the table in docs/explanation/proof.md; of its operands' errors e.
        error_rule: from a node to the error bound of its result; the derivation stands in its docstring. None for a
            comparison, whose result only the rule of Where may take.
        worst_cases: makes the worst cases that the tests ask.
        aten: the ATen operators that it stands for: for a module of these the proof speaks as well.
        no_aten: why it stands for none.
        opset: the oldest whose form of the operator (inputs, attributes, meaning) the rule is written for.
        operations: what it is called where a graph's operations are compared with torch's: one operation of all
            operands, or one of the first two and then one with each further operand. By default its name in lower case.
        operands: how many of its first inputs are operands; the others are axes, bounds, shapes. None: all.
        attribute_operands: attributes that are an operand in torch, and their defaults.
        moves: of an operator that changes no element: whether it ``keeps`` all elements of its first input,
            ``selects`` some of them, or ``joins`` those of all inputs.
        never_negative: whether its result is zero or more, in every evaluation.
        functions: the elementary functions that it computes, by its attributes one of them.
        inner_functions: names of the elementary functions that it computes on the way, all of them.
        ends_in: of a pattern, the operator of its last node.
        matches: of a pattern, whether a node ends one.
        becomes: of a pattern, the operator that a backend may put in its place, which the error bound allows as well.
    """

    name: str
    formula: str
    error_rule: ErrorRule | None
    worst_cases: Callable[[], list[WorstCase]]
    aten: tuple[AtenOperator, ...] = ()
    no_aten: str = ""
    opset: int = OLDEST_OPSET
    operations: tuple[str, ...] = ()
    operands: int | None = None
    attribute_operands: Mapping[str, float] = field(default_factory=dict)
    moves: Literal["keeps", "selects", "joins"] | None = None
    never_negative: bool = False
    functions: tuple[Elementary, ...] = ()
    inner_functions: tuple[str, ...] = ()
    ends_in: str = ""
    matches: Callable[[BoundBuilder, ir.Node], bool] | None = None
    becomes: str = ""

    @property
    def onnx(self) -> str:
        """The ONNX operator of the node that the rule is asked for."""
        return self.ends_in or self.name

    @property
    def flow_operations(self) -> tuple[str, ...]:
        """What it is called where a graph's operations are compared with torch's."""
        return self.operations or (self.name.lower(),)

    def function(self, node: ir.Node) -> Elementary | None:
        """Return the elementary function that a node computes; None where the operator computes none.

        Raises:
            CannotCertifyError: with parameters that were not measured.
        """
        if not self.functions:
            return None
        return self.functions[0] if self.ends_in else measured_function(node, self.functions)
