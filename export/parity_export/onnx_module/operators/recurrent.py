"""RNN, GRU and LSTM: by torch's kernels where those are the same, else step by step, as ONNX writes them down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, Operator, given
from parity_export.onnx_module.operators.recurrent_activations import Activation, activations_of

_Cell = Callable[["_Direction", Tensor, list[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class _Direction:
    """One direction's weights and functions.

    Attributes:
        weights: W, ``[gates * hidden, input]``.
        recurrent: R, ``[gates * hidden, hidden]``.
        bias: of both, ``[2, gates * hidden]``.
        peepholes: of an LSTM, ``[3, hidden]``; None without.
        activations: in ONNX's order; each clips what it is given, where that is asked for.
        node: with the other attributes.
    """

    weights: Tensor
    recurrent: Tensor
    bias: Tensor
    peepholes: Tensor | None
    activations: list[Activation]
    node: Node


def _rnn_cell(one: _Direction, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    total = x @ one.weights.T + state[0] @ one.recurrent.T + one.bias.sum(0)
    return [one.activations[0](total)]


def _gru_cell(one: _Direction, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    (hidden,) = state
    update, reset, new = (x @ one.weights.T + one.bias[0]).chunk(3, -1)
    gates, squash = one.activations
    first, second, last = one.recurrent.chunk(3)
    biases = one.bias[1].chunk(3)
    z = gates(update + hidden @ first.T + biases[0])
    r = gates(reset + hidden @ second.T + biases[1])
    if one.node.integer("linear_before_reset", 0):
        candidate = squash(new + r * (hidden @ last.T + biases[2]))
    else:
        candidate = squash(new + (r * hidden) @ last.T + biases[2])
    return [(1 - z) * candidate + z * hidden]


def _lstm_cell(one: _Direction, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    hidden, cell = state
    gate, candidate, output = one.activations
    i, o, f, c = (x @ one.weights.T + hidden @ one.recurrent.T + one.bias.sum(0)).chunk(4, -1)
    if one.peepholes is not None:
        i, f = i + one.peepholes[0] * cell, f + one.peepholes[2] * cell
    kept, taken = gate(f), gate(i)
    kept = 1 - taken if one.node.integer("input_forget", 0) else kept
    new = kept * cell + taken * candidate(c)
    if one.peepholes is not None:
        o = o + one.peepholes[1] * new
    return [gate(o) * output(new), new]


_CELLS: dict[str, _Cell] = {"RNN": _rnn_cell, "GRU": _gru_cell, "LSTM": _lstm_cell}
_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def _recurrent(kind: str) -> Operator:
    def operator(x: Inputs, node: Node) -> Any:
        batch_first = node.integer("layout", 0)
        series = x[0].transpose(0, 1) if batch_first else x[0]  # [time, batch, input]
        functions = activations_of(node, _DEFAULTS[kind] * len(x[1]))
        count = len(_DEFAULTS[kind])
        parts = [_direction(x, node, index, functions[index * count :][:count]) for index in range(len(x[1]))]
        states = [_initial(x, kind, series, index, batch_first) for index in range(len(x[1]))]
        backwards = node.text("direction", "forward")
        run = _kernel if _has_kernel(kind, x, node) else _run
        ran = [
            run(kind, one, series, state, lengths=given(x, 4), reverse=backwards == "reverse" or index == 1)
            for index, (one, state) in enumerate(zip(parts, states, strict=True))
        ]
        everything = torch.stack([steps for steps, _ in ran], 1)  # [time, directions, batch, hidden]
        last = [torch.stack(list(state)) for state in zip(*(state for _, state in ran), strict=True)]
        if batch_first:
            return (everything.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in last))
        return (everything, *last)

    return operator


def _direction(x: Inputs, node: Node, index: int, functions: list[Activation]) -> _Direction:
    width = x[1].shape[1]
    bias = x[0].new_zeros(2 * width) if given(x, 3) is None else x[3][index]
    peepholes = given(x, 7)
    shaped = None if peepholes is None else peepholes[index].reshape(3, -1)
    return _Direction(x[1][index], x[2][index], bias.reshape(2, -1), shaped, functions, node)


def _initial(x: Inputs, kind: str, series: Tensor, index: int, batch_first: int) -> list[Tensor]:
    shape = (series.shape[1], x[2].shape[-1])
    states = [given(x, 5), given(x, 6)][: 2 if kind == "LSTM" else 1]
    found = [
        series.new_zeros(shape) if state is None else (state.transpose(0, 1) if batch_first else state)[index]
        for state in states
    ]
    for state in found:
        if state.shape != shape:  # torch's kernels do not look, and steps would broadcast
            raise IndexError(f"a state of {kind} has the shape {list(state.shape)}, and its rows need {list(shape)}")
    return found


def _has_kernel(kind: str, x: Inputs, node: Node) -> bool:
    """Whether torch has a kernel that computes the same; that of an RNN takes longer than its steps do."""
    if given(x, 4) is not None or given(x, 7) is not None or not len(x[0]):
        return False
    if "activations" in node.attributes or "clip" in node.attributes:
        return False
    if kind == "GRU":
        return bool(node.integer("linear_before_reset", 0))
    return kind == "LSTM" and not node.integer("input_forget", 0)


_ORDERS = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""Which of ONNX's gates each of torch's is."""

_KERNELS: dict[str, Callable[..., Any]] = {"GRU": torch.gru, "LSTM": torch.lstm}


def _kernel(
    kind: str, one: _Direction, series: Tensor, state: list[Tensor], *, lengths: Tensor | None, reverse: bool
) -> tuple[Tensor, list[Tensor]]:
    """Return what `_run` does, by torch's kernel; all rows have the whole length."""
    order = _ORDERS[kind]

    def reordered(tensor: Tensor) -> Tensor:
        parts = tensor.chunk(len(order))
        return torch.cat([parts[gate] for gate in order])

    weights = [reordered(part) for part in (one.weights, one.recurrent, *one.bias)]
    first = [part[None].contiguous() for part in state]
    asked = series.flip(0) if reverse else series
    hidden: Any = first if kind == "LSTM" else first[0]
    results = _KERNELS[kind](asked, hidden, weights, True, 1, 0.0, False, False, False)
    steps = results[0].flip(0) if reverse else results[0]
    return steps, [part[0] for part in results[1:]]


def _run(
    kind: str, one: _Direction, series: Tensor, state: list[Tensor], *, lengths: Tensor | None, reverse: bool
) -> tuple[Tensor, list[Tensor]]:
    """Return all hidden states of one direction, ``[time, batch, hidden]``, and the last ones of each row."""
    cell, (times, batch) = _CELLS[kind], series.shape[:2]
    ends = torch.full((batch,), times) if lengths is None else lengths.long()
    steps = [state[0].new_zeros(state[0].shape)] * times
    for time in reversed(range(times)) if reverse else range(times):
        new = cell(one, series[time], state)
        if lengths is None:
            state = new
            steps[time] = new[0]
        else:
            inside = (time < ends)[:, None]
            state = [torch.where(inside, after, before) for after, before in zip(new, state, strict=True)]
            steps[time] = torch.where(inside, new[0], torch.zeros_like(new[0]))
    return torch.stack(steps), state


OPERATORS: dict[str, Operator] = {kind: _recurrent(kind) for kind in _CELLS}
