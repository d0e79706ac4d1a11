"""Inputs on which float32 loses what it can, and graphs that bring them to an operator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.operator_rule import Node, WorstCase
from parity_export.error_bounds.rounding_model import U

K = 64
"""How many numbers the sums of the worst cases have."""

_MANY = 40_000
_SEED = 11
_BIG = 2.0**10

INTEGERS = {str(number): np.array([number]) for number in range(9)}
"""Constants named by their value: axes, starts and ends."""


def ones(*shape: int) -> NDArray[np.float32]:
    """Return float32 ones."""
    return np.ones(shape, np.float32)


def halves_lost() -> NDArray[np.float32]:
    """Return a row ``[1, K]`` of u: each is half a unit in the last place of 1, and ties go to even."""
    return np.full((1, K), U, np.float32)


def one_and_halves_lost() -> NDArray[np.float32]:
    """Return a row ``[1, K]`` of 1 and u: summed forward, every u is lost."""
    row = halves_lost()
    row[0, 0] = 1
    return row


def narrow(columns: int = 1) -> NDArray[np.float32]:
    """Return rows of numbers whose sums and products land just above a power of two, where half a unit is most."""
    random = np.random.default_rng(_SEED)
    return (1 + random.integers(0, 4000, (_MANY, columns)) * 2.0**-23).astype(np.float32)


def uniform(low: float, high: float, *shape: int) -> NDArray[np.float32]:
    """Return random numbers, the same ones every time."""
    return np.random.default_rng(_SEED).uniform(low, high, shape).astype(np.float32)


def two_columns() -> list[Node]:
    """Return the nodes that split two features into ``Slice0`` and ``Slice1``; they need `INTEGERS`."""
    return [("Slice", ["features", "0", "1", "1"], {}), ("Slice", ["features", "1", "2", "1"], {})]


def behind_gemm(name: str, nodes: list[Node], constants: dict[str, Any] | None = None, **options: Any) -> WorstCase:
    """Return the worst case of a Gemm, its 4 results ``Gemm0`` taken by nodes that may lose none of its error."""
    gemm: Node = ("Gemm", ["features", "w", "b"], {"transB": 1})
    everything = {"w": ones(4, K), "b": ones(4)} | (constants or {})
    return WorstCase(name, [gemm, *nodes], everything, halves_lost(), **({"outputs": 4} | options))


def over_a_range(name: str, nodes: list[Node], constants: dict[str, Any] | None = None, high: float = 12) -> WorstCase:
    """Return nodes that compute an elementary function of evenly spaced features from -12 on."""
    rows = np.linspace(-12, high, _MANY, dtype=np.float32)[:, None]
    return WorstCase(name, nodes, constants or {}, rows, overflows=False)


def at_its_steepest(op_type: str, at: float, attributes: dict[str, Any] | None = None) -> WorstCase:
    """Return a function behind a sum that comes out as ``at``, where the function is steepest, or nearly.

    Summed forward it is 2^10, then halves of its last place that are lost, then -2^10: 0 in place of 62 * 2^-14. Both
    large numbers count among the magnitudes, and only one of them was rounded.
    """
    gemm: Node = ("Gemm", ["features", "w", "b"], {"transB": 1})
    constants = {"w": ones(1, K), "b": np.array([at], np.float32)}
    name = f"{op_type} where it is steepest"
    return WorstCase(name, [gemm, (op_type, ["Gemm0"], attributes or {})], constants, _cancelling(), least=0.4)


def _cancelling() -> NDArray[np.float32]:
    """Return a row whose sum loses most of it."""
    rows = np.full((1, K), _BIG * U, np.float32)
    rows[0, 0], rows[0, -1] = _BIG, -_BIG
    return rows


def activation_cases(op_type: str, at: float, attributes: dict[str, Any] | None = None) -> list[WorstCase]:
    """Return an elementary function over a range, and where it is steepest."""
    nodes: list[Node] = [(op_type, ["features"], attributes or {})]
    return [over_a_range(op_type, nodes), at_its_steepest(op_type, at, attributes)]


def softplus_cases(name: str) -> list[WorstCase]:
    """Return torch's Softplus, which is x from 20 on, over a range with its threshold."""
    nodes: list[Node] = [
        ("Greater", ["features", "threshold"], {}),
        ("Softplus", ["features"], {}),
        ("Where", ["Greater0", "features", "Softplus1"], {}),
    ]
    return [over_a_range(name, nodes, {"threshold": np.float32(20)}, high=32)]


def filled_cases(name: str) -> list[WorstCase]:
    """Return a Gemm of features that are filled where they are missing: it loses what a Gemm of them loses."""
    nodes: list[Node] = [
        ("IsNaN", ["features"], {}),
        ("Where", ["IsNaN0", "fill", "features"], {}),
        ("Gemm", ["Where1", "w", "b"], {"transB": 1}),
    ]
    return [WorstCase(name, nodes, {"fill": ones(1), "w": ones(1, K), "b": ones(1)}, halves_lost())]


def recurrent_case(op_type: str, gates: Sequence[tuple[float, float]]) -> WorstCase:
    """Return one step of a recurrence with one element of a state, whose sums lose what `at_its_steepest` says.

    Args:
        op_type: LSTM or GRU.
        gates: of each what all weights of its row of W are, and its bias; all other numbers are zero.
    """
    arrays = {
        "w": np.array([[[weight] * K for weight, _ in gates]], np.float32),
        "r": np.zeros((1, len(gates), 1), np.float32),
        "b": np.array([[*(bias for _, bias in gates), *[0] * len(gates)]], np.float32),
        "flat": np.array([-1, 1]),
    }
    attributes: dict[str, Any] = {"hidden_size": 1} | ({"linear_before_reset": 1} if op_type == "GRU" else {})
    nodes: list[Node] = [
        ("Unsqueeze", ["features", "0"], {}),
        (op_type, ["Unsqueeze0", "w", "r", "b"], attributes),
        ("Reshape", [f"{op_type}1", "flat"], {}),
    ]
    return WorstCase(op_type, nodes, dict(INTEGERS) | arrays, _cancelling(), least=0.4)


def lost_mean(name: str, nodes: list[Node], gain: str, shift: str) -> list[WorstCase]:
    """Return the worst cases of a normalization of rows: a mean that loses halves, and one sum's error beside zeros.

    Summed forward, every number behind the first loses just less than half of the first one's last place.

    Args:
        name: the operator's.
        nodes: that normalize ``features``, each of which a row of numbers.
        gain: the constant's name that is to be ones; as many as there are numbers, or one where it is ``one``.
        shift: the constant's name that is to be zeros, likewise.
    """
    many, few = 256, 8
    row = np.full((1, many), 1 + 2.0**-12 - 2.0**-23, np.float32)
    row[0, 0] = 2.0**12
    own = WorstCase(name, nodes, _ones_and_zeros(gain, shift, many), row, many)
    start: list[Node] = [
        ("Gemm", ["features", "w", "b"], {"transB": 1}),
        ("Slice", ["features", "0", "7", "1"], {}),
        ("Concat", ["Gemm0", "Slice1"], {"axis": 1}),
    ]
    behind = [_later(node, len(start), "Concat2", {"epsilon": 1.0}) for node in nodes]
    constants = _ones_and_zeros(gain, shift, few) | {"w": ones(1, K), "b": ones(1)}
    return [own, WorstCase(f"{name} of a sum", [*start, *behind], constants, halves_lost(), few, least=0.4)]


def _ones_and_zeros(gain: str, shift: str, count: int) -> dict[str, Any]:
    size = 1 if gain == "one" else count
    return dict(INTEGERS) | {gain: ones(size), shift: 0 * ones(size)}


def _later(node: Node, by: int, source: str, attributes: dict[str, Any]) -> Node:
    """Return a node that stands some places later and takes another value for ``features``."""
    op_type, names, own = node
    moved = [
        source if name == "features" else f"{name[:-1]}{int(name[-1]) + by}" if name[-1].isdigit() and name[0].isalpha()
        else name for name in names
    ]  # fmt: skip
    return op_type, moved, own | (attributes if op_type.endswith("Normalization") else {})
