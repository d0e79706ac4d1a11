"""What an elementary function is for a proof, and how exactly each backend computes it.

A backend computes f within ``alpha |f(x)| + beta``. The pairs stand in elementary_functions.json: measured over every
float32 by benchmarks/elementary.py, or documented by the vendor. proof.md says what that covers. Each function
stands in the file of its operator.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper
from onnx.defs import get_schema
from torch import Tensor

from parity_export.error_bounds.errors import refusal

_OPSET = 22

Nodes = tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...]


@dataclass(frozen=True)
class Accuracy:
    """A backend computes a function within ``alpha |f(x)| + beta``.

    Attributes:
        alpha: the relative part.
        beta: the absolute part.
    """

    alpha: float
    beta: float


@dataclass(frozen=True)
class Elementary:
    """One function of a real number.

    Attributes:
        name: in elementary_functions.json.
        exact: the function in float64, from and to a torch tensor; accurate to a few units of float64.
        torch: torch's own.
        nodes: the ONNX nodes that compute ``y`` of ``x``: operator, inputs, attributes.
        slope: its Lipschitz constant over all reals, rounded upward.
        bounded: whether its values are.
    """

    name: str
    exact: Callable[[Tensor], Tensor]
    torch: Callable[[Tensor], Tensor]
    nodes: Nodes
    slope: float
    bounded: bool = False

    def accuracy(self) -> Accuracy:
        """Return what holds for every backend that was measured or is documented."""
        return accuracy(self.name)


def one_node(op_type: str, **attributes: Any) -> Nodes:
    """Return the nodes of a function that is one operator of ``x``."""
    return ((op_type, ("x",), attributes),)


def measured_function(node: ir.Node, functions: Sequence[Elementary]) -> Elementary:
    """Return the one of an operator's functions that a node computes; its attributes must be those that were measured.

    Args:
        node: of one operand.
        functions: each of one node, told apart by attributes that are texts.

    Raises:
        CannotCertifyError: no function has the node's attributes.
    """
    defaults = {
        key: helper.get_attribute_value(attribute.default_value)
        for key, attribute in get_schema(node.op_type).attributes.items()
        if attribute.default_value.name
    }
    given = _as_text(defaults | {name: attribute.value for name, attribute in node.attributes.items()})
    for function in functions:
        measured = _as_text(defaults | function.nodes[0][2])
        texts = [key for key, value in measured.items() if isinstance(value, str)]
        if all(given[key] == measured[key] for key in texts):
            break
    else:
        raise refusal(node, "with its attributes it was not measured")
    for key, value in measured.items():
        if isinstance(value, float) and np.float32(given[key]) != np.float32(value):
            raise refusal(node, f"{key} {given[key]:g} was not measured")
    return function


def _as_text(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}


def functions_graph(functions: Sequence[Elementary]) -> bytes:
    """Return a serialized graph that computes functions: ``x`` float32 ``[n]`` to an output of each one's name."""
    nodes = []
    for function in functions:
        for index, (op_type, inputs, attributes) in enumerate(function.nodes):
            taken = [f"{function.name}.{source}" if source != "x" else "x" for source in inputs]
            output = function.name if index == len(function.nodes) - 1 else f"{function.name}.{op_type}"
            nodes.append(helper.make_node(op_type, taken, [output], **attributes))
    outputs = [helper.make_tensor_value_info(function.name, TensorProto.FLOAT, ["n"]) for function in functions]
    graph = helper.make_graph(
        nodes, "elementary", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])], outputs
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@cache
def accuracy(name: str) -> Accuracy:
    """Return what holds for every backend that has a row: the largest alpha, and the largest beta."""
    rows = [row for row in table() if row["function"] == name]
    return Accuracy(max(row["alpha"] for row in rows), max(row["beta"] for row in rows))


def backends(functions: Collection[str]) -> list[str]:
    """Return the backends that have a row for each of some functions; others are assumed to be as exact."""
    known = {(row["backend"].partition(",")[0], row["function"]) for row in table()}
    names = sorted({backend for backend, _ in known})
    return [backend for backend in names if all((backend, function) in known for function in functions)]


@cache
def table() -> tuple[dict[str, Any], ...]:
    """Return the rows of elementary_functions.json."""
    text = (files(__package__) / "elementary_functions.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["rows"])
