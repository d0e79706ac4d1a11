"""A worst case for every rule: a graph, and inputs whose true error comes near to what the rule allows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.proof.graphs import Node, value_graph

U, K = np.float32(2.0**-24), 64
HALVES_LOST = np.full((1, K), U)  # each is half a unit in the last place of 1, and ties go to even
RANDOM = np.random.default_rng(11)
MANY = 40_000


@dataclass(frozen=True)
class Case:
    """A graph from ``features`` to ``value`` and rows.

    Attributes:
        overflows: whether rows of 3e38 lead to a sum or product that may overflow.
        least: what share of the error bound the worst true error must reach.
    """

    name: str
    nodes: list[Node]
    constants: dict[str, Any]
    rows: np.ndarray
    outputs: int
    overflows: bool = True
    least: float = 0.5

    def graph(self) -> Any:
        return value_graph(self.nodes, self.constants, self.rows.shape[1:], self.outputs)


def _ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def _narrow(columns: int = 1) -> np.ndarray:
    """Numbers whose sums and products land just above a power of two, where half a unit is most."""
    return (1 + RANDOM.integers(0, 4000, (MANY, columns)) * 2.0**-23).astype(np.float32)


def _halves(columns: int) -> list[Node]:
    """Split the columns in two."""
    return [
        ("Slice", ["features", "0", str(columns), "1"], {}),
        ("Slice", ["features", str(columns), str(2 * columns), "1"], {}),
    ]


def _after_gemm(name: str, nodes: list[Node], constants: dict[str, Any] | None = None, **options: Any) -> Case:
    """A rule that adds nothing, behind the worst case of a Gemm: nothing of the error may be lost, or gained."""
    gemm = ("Gemm", ["features", "w", "b"], {"transB": 1})
    everything = {"w": _ones(4, K), "b": _ones(4)} | (constants or {})
    return Case(name, [gemm, *nodes], everything, HALVES_LOST, **({"outputs": 4} | options))


NUMBERS = {str(number): np.array([number]) for number in range(9)}
LINEAR = [
    Case("Gemm", [("Gemm", ["features", "w", "b"], {"transB": 1})], {"w": _ones(1, K), "b": _ones(1)}, HALVES_LOST, 1),
    Case(
        "Gemm, no bias",
        [("Gemm", ["features", "w"], {})],
        {"w": _ones(K, 1)},
        np.concatenate([_ones(1, 1), HALVES_LOST[:, 1:]], axis=1),
        1,
    ),
    Case(
        "Gemm, sums flushed",
        [("Gemm", ["features", "w", "b"], {})],
        {"w": np.full((K, 1), 2.0**-100, np.float32), "b": np.zeros(1, np.float32)},
        np.full((1, K), 0.99 * 2.0**-26, np.float32),
        1,
        overflows=False,
    ),
    Case(
        "Gemm, weight flushed",
        [("Gemm", ["features", "w"], {})],
        {"w": np.full((1, 1), 0.99 * 2.0**-126, np.float32)},
        np.full((1, 1), 2.0**20, np.float32),
        1,
        overflows=False,
    ),
    Case(
        "MatMul",
        [("MatMul", ["features", "w"], {})],
        {"w": _ones(K, 1)},
        np.concatenate([_ones(1, 1), HALVES_LOST[:, 1:]], axis=1),
        1,
    ),
    Case(
        "Conv",
        [("Conv", ["features", "w", "b"], {}), ("Reshape", ["Conv0", "shape"], {})],
        {"w": _ones(1, 4, 3, 3), "b": _ones(1), "shape": np.array([0, 1])},
        np.full((1, 4, 3, 3), U),
        1,
    ),
    _after_gemm("Gemm, Mul", [("Mul", ["Gemm0", "c"], {})], {"c": np.full(4, 0.7, np.float32)}),
    _after_gemm("Gemm, Add", [("Add", ["Gemm0", "c"], {})], {"c": np.full(4, 2.0**-10, np.float32)}),
    _after_gemm(
        "Gemm, BatchNormalization",
        [("BatchNormalization", ["Gemm0", "s", "c", "m", "v"], {})],
        {
            "s": np.full(4, 0.7, np.float32),
            "c": np.full(4, 0.1, np.float32),
            "m": np.full(4, 0.3, np.float32),
            "v": _ones(4),
        },
    ),
    _after_gemm(
        "Gemm, residual",
        [("Slice", ["features", "0", "4", "1"], {}), ("Add", ["Gemm0", "Slice1"], {})],
        NUMBERS,
    ),
]
ELEMENTWISE = [
    Case("Add constant", [("Add", ["features", "c"], {})], {"c": _ones(1)}, _narrow() * np.float32(2.0**-12), 1),
    Case("Sub constant", [("Sub", ["c", "features"], {})], {"c": _ones(1)}, -_narrow() * np.float32(2.0**-12), 1),
    Case("Add", [*_halves(1), ("Add", ["Slice0", "Slice1"], {})], NUMBERS, _narrow(2) * np.float32([1, 2.0**-12]), 1),
    Case(
        "Sub", [*_halves(1), ("Sub", ["Slice0", "Slice1"], {})], NUMBERS, _narrow(2) * np.float32([1, -(2.0**-12)]), 1
    ),
    Case("Mul constant", [("Mul", ["features", "c"], {})], {"c": np.float32([1 + 321 * 2.0**-20])}, _narrow(), 1),
    Case("Div constant", [("Div", ["features", "c"], {})], {"c": np.float32([0.9 + 321 * 2.0**-20])}, _narrow(), 1),
    Case("Mul", [*_halves(1), ("Mul", ["Slice0", "Slice1"], {})], NUMBERS, _narrow(2), 1),
    Case("LeakyRelu", [("LeakyRelu", ["features"], {"alpha": 0.26})], {}, -_narrow(), 1),
    Case("PRelu", [("PRelu", ["features", "c"], {})], {"c": np.float32([0.26])}, -_narrow(), 1),
    Case(
        "BatchNormalization",
        [("BatchNormalization", ["features", "s", "c", "m", "v"], {})],
        {
            "s": RANDOM.uniform(0.5, 2, 3000).astype(np.float32),
            "c": RANDOM.uniform(-0.01, 0.01, 3000).astype(np.float32),
            "m": RANDOM.uniform(-0.01, 0.01, 3000).astype(np.float32),
            "v": RANDOM.uniform(0.5, 2, 3000).astype(np.float32),
        },
        RANDOM.uniform(1, 2, (300, 3000)).astype(np.float32),
        3000,
    ),
]
POOLING = [
    Case(
        "AveragePool",
        [("AveragePool", ["features"], {"kernel_shape": [8, 8]}), ("Reshape", ["AveragePool0", "shape"], {})],
        {"shape": np.array([0, 1])},
        np.concatenate([_ones(1, 1), HALVES_LOST[:, 1:]], axis=1).reshape(1, 1, 8, 8),
        1,
    ),
    Case(
        "ReduceMean",
        [("ReduceMean", ["features", "axes"], {"keepdims": 0})],
        {"axes": np.array([2])},
        np.concatenate([_ones(1, 1), HALVES_LOST[:, 1:]], axis=1).reshape(1, 1, K),
        1,
    ),
    Case(
        "ReduceSum",
        [("ReduceSum", ["features", "axes"], {"keepdims": 0})],
        {"axes": np.array([2])},
        np.concatenate([_ones(1, 1), HALVES_LOST[:, 1:]], axis=1).reshape(1, 1, K),
        1,
    ),
]
FUNCTIONS = [
    Case(name, [(name, ["features"], attributes)], {}, np.linspace(-12, 12, MANY, dtype=np.float32)[:, None], 1, False)
    for name, attributes in (
        ("Tanh", {}),
        ("Sigmoid", {}),
        ("Erf", {}),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
        ("Gelu", {}),
        ("Softplus", {}),
        ("Elu", {}),
        ("Celu", {}),
        ("Selu", {}),
        ("Mish", {}),
        ("HardSwish", {}),
    )
]
EXACT = [
    _after_gemm("Relu", [("Relu", ["Gemm0"], {})]),
    _after_gemm("Neg", [("Neg", ["Gemm0"], {})]),
    _after_gemm("Abs", [("Abs", ["Gemm0"], {})]),
    _after_gemm("Identity", [("Identity", ["Gemm0"], {})]),
    _after_gemm("Clip", [("Clip", ["Gemm0", "low", "high"], {})], {"low": np.float32(-8), "high": np.float32(8)}),
    _after_gemm("Mul by a half", [("Relu", ["Gemm0"], {}), ("Mul", ["Relu1", "c"], {})], {"c": np.float32(0.5)}),
    _after_gemm("Concat", [("Concat", ["Gemm0", "features"], {"axis": 1})], outputs=4 + K),
    _after_gemm("Reshape", [("Reshape", ["Gemm0", "s"], {})], {"s": np.array([-1, 4])}),
    _after_gemm("Slice", [("Slice", ["Gemm0", "0", "2", "1"], {})], NUMBERS, outputs=2),
    _after_gemm(
        "MaxPool",
        [
            ("Reshape", ["Gemm0", "s"], {}),
            ("MaxPool", ["Reshape1"], {"kernel_shape": [2, 2]}),
            ("Reshape", ["MaxPool2", "t"], {}),
        ],
        {"s": np.array([-1, 1, 2, 2]), "t": np.array([-1, 1])},
        outputs=1,
    ),
]
BIG = np.float32(2.0**10)
CANCELLED = np.concatenate([[[BIG]], np.full((1, K - 2), BIG * U), [[-BIG]]], axis=1).astype(np.float32)
"""Summed forward: BIG, then halves of its last place that are lost, then -BIG: 0 in place of 62 * 2^-14 = 0.0038."""

STEEPEST = {
    "Tanh": 0.0, "Sigmoid": 0.0, "Erf": 0.0, "HardSigmoid": 0.0, "Gelu": 1.4142, "Softplus": 30.0, "Elu": 2.0,
    "Celu": 2.0, "Selu": -0.01, "Mish": 1.4, "HardSwish": 2.98, "Relu": 1.0, "LeakyRelu": 1.0, "Abs": 1.0,
}  # fmt: skip
"""Where each function is steepest, or nearly."""

STEEP = [
    Case(
        f"{name} where it is steepest",
        [
            ("Gemm", ["features", "w", "b"], {"transB": 1}),
            (name, ["Gemm0"], {"alpha": 1 / 6, "beta": 0.5} if name == "HardSigmoid" else {}),
        ],
        {"w": _ones(1, K), "b": np.float32([at])},
        CANCELLED,
        1,
        least=0.4,  # BIG and -BIG both count among the magnitudes, and only one of them was rounded
    )
    for name, at in STEEPEST.items()
]
CASES = LINEAR + ELEMENTWISE + POOLING + FUNCTIONS + EXACT + STEEP
