"""The elementary functions that a proof knows, and how exactly each backend computes them.

A backend computes f within ``alpha |f(x)| + beta``. The pairs stand in elementary_functions.json: measured over every
float32 by benchmarks/elementary.py, or documented by the vendor. docs/proof.md says what that covers.
"""

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import Tensor
from torch.nn import functional

_OPSET = 22
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_SELU_ALPHA, _SELU_SCALE = float(np.float32(1.6732632423543772)), float(np.float32(1.0507009873554805))
"""Klambauer et al., Self-Normalizing Neural Networks, 2017; as binary32, which is what a graph holds."""

_SIXTH = float(np.float32(1 / 6))
"""HardSigmoid's slope as a graph holds it. HardSwish has none: its sixth is exact."""

Nodes = tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...]


@dataclass(frozen=True)
class Elementary:
    """One function of a real number.

    Attributes:
        exact: the function in float64, from and to a torch tensor; accurate to a few units of float64.
        torch: torch's own.
        nodes: the ONNX nodes that compute ``y`` of ``x``: operator, inputs, attributes.
        slope: its Lipschitz constant over all reals, rounded upward.
        bounded: whether its values are.
    """

    exact: Callable[[Tensor], Tensor]
    torch: Callable[[Tensor], Tensor]
    nodes: Nodes
    slope: float
    bounded: bool = False


def _node(op_type: str, **attributes: Any) -> Nodes:
    return ((op_type, ("x",), attributes),)


def _sigmoid(x: Tensor) -> Tensor:
    small = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _softplus(x: Tensor) -> Tensor:
    return torch.log1p(torch.exp(-x.abs())) + x.clamp(min=0)


def _elu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.expm1(x))


def _gelu_tanh(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-2 * _SQRT_2_OVER_PI * (x + 0.044715 * x**3)))


ELEMENTARY = {
    "Tanh": Elementary(torch.tanh, torch.tanh, _node("Tanh"), 1.0, bounded=True),
    "Sigmoid": Elementary(_sigmoid, torch.sigmoid, _node("Sigmoid"), 0.25, bounded=True),
    "Erf": Elementary(torch.erf, torch.erf, _node("Erf"), 1.1284, bounded=True),
    "HardSigmoid": Elementary(
        lambda x: (x * _SIXTH + 0.5).clamp(0, 1),
        functional.hardsigmoid,
        _node("HardSigmoid", alpha=_SIXTH, beta=0.5),
        1 / 6 + 1e-7,
        bounded=True,
    ),
    "Gelu": Elementary(
        lambda x: 0.5 * x * torch.special.erfc(-x / math.sqrt(2)), functional.gelu, _node("Gelu"), 1.1290
    ),
    "GeluTanh": Elementary(
        _gelu_tanh,
        lambda x: functional.gelu(x, approximate="tanh"),
        _node("Gelu", approximate="tanh"),
        1.1290,
    ),
    "Silu": Elementary(
        lambda x: x * _sigmoid(x), functional.silu, (*_node("Sigmoid"), ("Mul", ("x", "Sigmoid"), {})), 1.0999
    ),
    "Softplus": Elementary(_softplus, functional.softplus, _node("Softplus"), 1.0),
    "Elu": Elementary(_elu, functional.elu, _node("Elu"), 1.0),
    "Celu": Elementary(_elu, functional.celu, _node("Celu"), 1.0),
    "Selu": Elementary(
        lambda x: _SELU_SCALE * torch.where(x > 0, x, _SELU_ALPHA * torch.expm1(x)),
        functional.selu,
        _node("Selu"),
        1.7581,
    ),
    "Mish": Elementary(lambda x: x * torch.tanh(_softplus(x)), functional.mish, _node("Mish"), 1.0885),
    "HardSwish": Elementary(
        lambda x: x * (x / 6 + 0.5).clamp(0, 1), functional.hardswish, _node("HardSwish"), 1.5
    ),
}  # fmt: skip
"""Every function by its name in elementary_functions.json. ``Silu`` is what SiLU is exported to, x Sigmoid(x)."""


def functions_graph(names: Sequence[str]) -> bytes:
    """Return a serialized graph that computes functions: ``x`` float32 ``[n]`` to an output of each name."""
    nodes = []
    for name in names:
        steps = ELEMENTARY[name].nodes
        for index, (op_type, inputs, attributes) in enumerate(steps):
            taken = [f"{name}.{source}" if source != "x" else "x" for source in inputs]
            output = name if index == len(steps) - 1 else f"{name}.{op_type}"
            nodes.append(helper.make_node(op_type, taken, [output], **attributes))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in names]
    graph = helper.make_graph(
        nodes, "elementary", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])], outputs
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@dataclass(frozen=True)
class Accuracy:
    """A backend computes a function within ``alpha |f(x)| + beta``.

    Attributes:
        alpha: the relative part.
        beta: the absolute part.
    """

    alpha: float
    beta: float


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
