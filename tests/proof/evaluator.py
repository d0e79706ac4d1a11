"""Evaluates an ONNX graph node by node, in whatever arithmetic it is given. Shares no code with the product's rules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.proof.arithmetic import Array, Compliant, Exact

Arithmetic = Exact | Compliant
Attributes = dict[str, Any]

EPSILON = float(np.float32(1e-5))  # BatchNormalization's default


def evaluate(graph: bytes, inputs: dict[str, Array], arithmetic: Arithmetic) -> dict[str, Array]:
    """Return the graph's values by name; float inputs and constants are taken as float32 and converted.

    What the probabilities alone are made of is left out: nothing is proven of them.
    """
    model = onnx.load_from_string(graph).graph
    _without_probabilities(model)
    values: dict[str, Any] = {"": None}
    for name, array in {**{i.name: numpy_helper.to_array(i) for i in model.initializer}, **inputs}.items():
        values[name] = array.astype(arithmetic.dtype) if array.dtype == np.float32 else array
    with np.errstate(all="ignore"):
        _compute(model, values, arithmetic, {i.name for i in model.initializer})
    return values


def _compute(model: onnx.GraphProto, values: dict[str, Any], arithmetic: Arithmetic, constants: set[str]) -> None:
    """Compute the values of a graph's nodes, from those that are known."""
    folded: set[str] = set()
    for node in model.node:
        if node.output[0] in folded:
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        arguments = [values[name] for name in node.input]
        if isinstance(arithmetic, Compliant) and arithmetic.fold and node.op_type == "Gemm":
            follower = _foldable(model, node, constants)
            if follower is not None:
                arguments = _fold(arithmetic, node, arguments, follower, values)
                folded.add(follower.output[0])
                values[follower.output[0]] = _gemm(arithmetic, arguments, attributes | {"transB": 0})
                continue
        if node.op_type == "Mul" and (x := _argument_of_silu(model, node)) is not None:
            values[node.output[0]] = arithmetic.function("Silu", values[x])
            continue
        if node.op_type == "Scan":
            found = _scan(attributes, values, arguments, arithmetic, constants)
            values |= zip(node.output, found, strict=True)
            continue
        compute = OPERATORS[node.op_type]
        if node.op_type == "Div" and node.input[1] not in constants:
            compute = _binary(np.divide)  # nobody multiplies by the reciprocal of what is computed
        found = compute(arithmetic, arguments, attributes)
        several = node.op_type in ("Split", "TopK", "LSTM", "GRU")
        values |= zip(node.output, found, strict=False) if several else {node.output[0]: found}


def _scan(attributes: Attributes, outer: dict[str, Any], x: list[Array], a: Arithmetic, constants: set[str]) -> list:
    """Return the last states of a step that is repeated along the first axis, and its further results, stacked."""
    body, count = attributes["body"], attributes["num_scan_inputs"]
    names = [value.name for value in body.input]
    states, series = x[:-count], x[-count:]
    kept: list[list[Array]] = [[] for _ in body.output[len(states) :]]
    for index in range(len(series[0])):
        values = outer | dict(zip(names, [*states, *(one[index] for one in series)], strict=True))
        _compute(body, values, a, constants)
        found = [values[value.name] for value in body.output]
        states = found[: len(states)]
        for steps, one in zip(kept, found[len(states) :], strict=True):
            steps.append(one)
    return [*states, *(np.stack(steps) for steps in kept)]


def _without_probabilities(model: onnx.GraphProto) -> None:
    """Remove the nodes that no other output needs, in place."""
    needed = {output.name for output in model.output} - {"probabilities"}
    for index in reversed(range(len(model.node))):
        node = model.node[index]
        if needed & {*node.output}:
            bodies = [attribute.g for attribute in node.attribute]
            needed |= {*node.input, *(name for body in bodies for inner in body.node for name in inner.input)}
        else:
            del model.node[index]


def _argument_of_silu(model: onnx.GraphProto, product: onnx.NodeProto) -> str | None:
    """Return the x of x times its sigmoid, which counts as one function; None for another product."""
    makers = {node.output[0]: node for node in model.node}
    for x, other in (product.input, reversed(product.input)):
        if other in makers and makers[other].op_type == "Sigmoid" and makers[other].input[0] == x:
            return x
    return None


def _foldable(model: onnx.GraphProto, gemm: onnx.NodeProto, constants: set[str]) -> onnx.NodeProto | None:
    """Return the only consumer of a Gemm if it is an affine map with constants."""
    users = [node for node in model.node if gemm.output[0] in node.input]
    if len(users) != 1 or users[0].op_type not in ("BatchNormalization", "Mul", "Add"):
        return None
    return users[0] if {*users[0].input} <= constants | {gemm.output[0]} else None


def _fold(a: Compliant, gemm: onnx.NodeProto, arguments: list[Array], follower: onnx.NodeProto, values: Any) -> list:
    """Return a Gemm's arguments with the map behind it folded into weights [k, m] and bias, in float32."""
    x, weight = arguments[0], arguments[1]
    if any(attribute.name == "transB" and attribute.i for attribute in gemm.attribute):
        weight = weight.T
    bias = arguments[2] if len(arguments) > 2 else np.zeros(weight.shape[1], np.float32)
    others = [values[name] for name in follower.input if name != gemm.output[0]]
    if follower.op_type == "Add":
        return [x, weight, a.rounded(bias.astype(float) + others[0])]
    if follower.op_type == "Mul":
        return [x, a.rounded(weight.astype(float) * others[0]), a.rounded(bias.astype(float) * others[0])]
    _, shift, mean, _ = others
    factor = _normalizer(a, others)
    difference = a.rounded(bias.astype(float) - mean)
    return [
        x,
        a.rounded(weight.astype(float) * factor),
        a.rounded(a.rounded(difference.astype(float) * factor).astype(float) + shift),
    ]


def _normalizer(a: Arithmetic, constants: list[Array]) -> Array:
    scale, _, _, variance = constants
    root = a.function("Sqrt", a.rounded(variance.astype(float) + EPSILON))
    return a.rounded(a.rounded(1 / root.astype(float)).astype(float) * scale)


def _gemm(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    weight = x[1].T if attributes.get("transB") else x[1]
    return a.dot(x[0], weight, x[2] if len(x) > 2 else None)


def _binary(compute: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def run(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
        if x[0].dtype.kind != "f":
            return compute(x[0], x[1])
        return a.rounded(compute(a.read(x[0]).astype(np.float64), a.read(x[1]).astype(np.float64)))

    return run


def _divide(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    """Also as a product with the rounded reciprocal, as some backends divide by a constant."""
    if isinstance(a, Compliant) and a.fold:
        return _binary(np.multiply)(a, [x[0], a.rounded(1 / x[1].astype(np.float64))], attributes)
    return _binary(np.divide)(a, x, attributes)


def _exactly(compute: Callable[..., Array]) -> Callable[..., Array]:
    return lambda a, x, attributes: compute(*[a.read(one) if one is not None else None for one in x])


def _function(name: str) -> Callable[..., Array]:
    return lambda a, x, attributes: a.function(name, x[0])


def _gelu(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    return a.function("GeluTanh" if attributes.get("approximate") == b"tanh" else "Gelu", x[0])


def _leaky(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    slope = x[1] if len(x) > 1 else np.float32(attributes.get("alpha", 0.01))
    return np.where(x[0] >= 0, a.read(x[0]), a.rounded(a.read(x[0]).astype(np.float64) * slope))


def _batch_norm(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    shape = (-1, *[1] * (x[0].ndim - 2))
    factor = _normalizer(a, x[1:]).astype(np.float64).reshape(shape)
    _, _, shift, mean, _ = (array.astype(np.float64).reshape(shape) if array.ndim == 1 else array for array in x)
    centred = a.rounded(a.read(x[0]).astype(np.float64) - mean).astype(np.float64)
    return a.rounded(a.rounded(centred * factor).astype(np.float64) + shift)


def _patches(x: Array, kernel: list[int], attributes: Attributes, fill: float) -> Array:
    """Return ``[batch, channels, *out, *kernel]``."""
    pads, strides = attributes.get("pads", [0, 0, 0, 0]), attributes.get("strides", [1, 1])
    padded = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return windows[:, :, :: strides[0], :: strides[1]]


def _conv(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    weight = x[1]
    windows = _patches(x[0], list(weight.shape[2:]), attributes, 0.0)  # [batch, channels, h, w, kh, kw]
    batch, _, height, width = windows.shape[:4]
    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch, height, width, -1)
    answer = a.dot(rows, weight.reshape(len(weight), -1).T, x[2] if len(x) > 2 else None)
    return answer.transpose(0, 3, 1, 2)


def _max_pool(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    return _patches(a.read(x[0]), attributes["kernel_shape"], attributes, -np.inf).max(axis=(-1, -2))


def _average_pool(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    windows = _patches(x[0], attributes["kernel_shape"], attributes, 0.0)
    rows = windows.reshape(*windows.shape[:4], -1)
    total = a.dot(rows, np.ones((rows.shape[-1], 1), rows.dtype), None)[..., 0]
    return a.rounded(total.astype(np.float64) / rows.shape[-1])


def _reduce(kind: str) -> Callable[..., Array]:
    def run(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
        axes = tuple(int(axis) for axis in x[1])
        if kind == "max":
            return a.read(x[0]).max(axis=axes, keepdims=bool(attributes.get("keepdims", 1)))
        if x[0].dtype.kind != "f":
            return x[0].sum(axis=axes, keepdims=bool(attributes.get("keepdims", 1)))
        moved = np.moveaxis(x[0], axes, range(-len(axes), 0))
        rows = moved.reshape(*moved.shape[: -len(axes)], -1)
        total = a.dot(rows, np.ones((rows.shape[-1], 1), rows.dtype), None)[..., 0]
        found = a.rounded(total.astype(np.float64) / rows.shape[-1]) if kind == "mean" else total
        return np.expand_dims(found, axes) if attributes.get("keepdims", 1) else found

    return run


def _sum_of_squares(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
    axes = tuple(int(axis) for axis in x[1])
    moved = np.moveaxis(x[0], axes, range(-len(axes), 0))
    rows = moved.reshape(*moved.shape[: -len(axes)], -1)
    squares = a.rounded(a.read(rows).astype(np.float64) ** 2)
    return np.expand_dims(a.dot(squares, np.ones((rows.shape[-1], 1), rows.dtype), None)[..., 0], axes)


def _cast(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    return x[0].astype({1: a.dtype, 7: np.int64, 6: np.int32}[attributes["to"]])


def _clip(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
    low, high = (x[1] if len(x) > 1 else None), (x[2] if len(x) > 2 else None)
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)
    return np.minimum(np.maximum(a.read(x[0]), low), high).astype(x[0].dtype)


def _slice(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
    steps = x[4] if len(x) > 4 else np.ones(len(x[1]), int)
    cut = [slice(None)] * x[0].ndim
    for start, end, axis, step in zip(x[1], x[2], x[3], steps, strict=True):
        cut[int(axis)] = slice(int(start), int(end), int(step))
    return x[0][tuple(cut)]


def _normalize(a: Arithmetic, x: list[Array], axes: tuple[int, ...], parameters: tuple[Array, Array, float]) -> Array:
    """By two passes; where constants are folded the variance is mean(x^2) - mean^2, and scale and shift are folded."""
    gain, shift, epsilon = (np.asarray(one, np.float64) for one in parameters)
    rows, count = a.read(x[0]), np.prod([x[0].shape[axis] for axis in axes])

    def mean(values: Array) -> Array:
        flat = np.moveaxis(values, axes, range(-len(axes), 0))
        flat = flat.reshape(*flat.shape[: -len(axes)], -1)
        total = a.dot(flat, np.ones((flat.shape[-1], 1), flat.dtype), None)[..., 0]
        return np.expand_dims(a.rounded(total.astype(np.float64) / count), axes).astype(np.float64)

    middle, folded = mean(rows), isinstance(a, Compliant) and a.fold
    centre = a.rounded(rows.astype(np.float64) - middle).astype(np.float64)
    squares = rows.astype(np.float64) if folded else centre
    variance = mean(a.rounded(squares * squares))
    if folded:
        variance = a.rounded(variance - a.rounded(middle * middle).astype(np.float64)).astype(np.float64)
    root = a.function("Sqrt", a.rounded(variance + epsilon)).astype(np.float64)
    if folded:
        factor = a.rounded(a.rounded(1 / root).astype(np.float64) * gain).astype(np.float64)
        rest = a.rounded(shift - a.rounded(middle * factor)).astype(np.float64)
        return a.rounded(a.rounded(rows * factor).astype(np.float64) + rest)
    scaled = a.rounded(a.rounded(centre / root).astype(np.float64) * gain).astype(np.float64)
    return a.rounded(scaled + shift)


def _layer_norm(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    rank, first = x[0].ndim, attributes.get("axis", -1) % x[0].ndim
    parameters = x[1], x[2] if len(x) > 2 else np.zeros(1), float(np.float32(attributes.get("epsilon", 1e-5)))
    return _normalize(a, x, tuple(range(first, rank)), parameters)


def _instance_norm(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    channels = (-1, *[1] * (x[0].ndim - 2))
    epsilon = float(np.float32(attributes.get("epsilon", 1e-5)))
    return _normalize(a, x, tuple(range(2, x[0].ndim)), (x[1].reshape(channels), x[2].reshape(channels), epsilon))


def _power(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
    exponent, base = float(x[1]), a.read(x[0]).astype(np.float64)
    if exponent == 3 and isinstance(a, Compliant):
        return a.rounded(a.rounded(base * base).astype(np.float64) * base)
    return a.rounded(np.power(base, exponent))


def _softmax(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    """The quotient as a division, or where constants are folded as a product with the reciprocal."""
    rows = np.moveaxis(a.read(x[0]), attributes.get("axis", -1), -1)
    below = a.rounded(rows.astype(np.float64) - rows.max(axis=-1, keepdims=True))
    powers = a.function("Exp", below)
    total = a.dot(powers, np.ones((powers.shape[-1], 1), powers.dtype), None).astype(np.float64)
    if isinstance(a, Compliant) and a.fold:
        found = a.rounded(powers.astype(np.float64) * a.rounded(1 / total))
    else:
        found = a.rounded(powers.astype(np.float64) / total)
    return np.moveaxis(found, -1, attributes.get("axis", -1))


def _pad(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    pads = np.asarray(x[1]).reshape(2, -1).T.tolist()
    if attributes.get("mode", b"constant") == b"reflect":
        return np.pad(x[0], pads, mode="reflect")
    return np.pad(x[0], pads, constant_values=x[2] if len(x) > 2 else 0)


def _conv_transpose(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    """Of two axes: every place takes the products that reach it, one after the other."""
    groups = attributes.get("group", 1)
    if groups > 1:
        parts = zip(np.split(x[0], groups, 1), np.split(x[1], groups), strict=True)
        return np.concatenate([_conv_transpose(a, [*part, *x[2:]], attributes | {"group": 1}) for part in parts], 1)
    (batch, channels, *sizes), (_, outputs, *kernel) = x[0].shape, x[1].shape
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    reach = [(k - 1) * dilation + 1 for k, dilation in zip(kernel, dilations, strict=True)]
    apart = [(size - 1) * stride + 1 for size, stride in zip(sizes, strides, strict=True)]
    spread = np.zeros((batch, channels, *apart), x[0].dtype)
    spread[:, :, :: strides[0], :: strides[1]] = x[0]
    weight = np.zeros((outputs, channels, *reach), x[1].dtype)
    weight[:, :, :: dilations[0], :: dilations[1]] = x[1].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    pads, more = attributes.get("pads", [0] * 4), attributes.get("output_padding", [0, 0])
    edge = [size - 1 for size in reach]
    padded = np.pad(spread, [(0, 0), (0, 0), *((size, size + extra) for size, extra in zip(edge, more, strict=True))])
    found = _conv(a, [padded, weight, *x[2:]], {})
    high, wide = (size - pad for size, pad in zip(found.shape[2:], pads[2:], strict=True))
    return found[:, :, pads[0] : high, pads[1] : wide]


def _largest(a: Arithmetic, x: list[Array], _: Attributes) -> list[Array]:
    places = np.argsort(-x[0], axis=-1)[..., : int(x[1][0])]
    return [np.take_along_axis(x[0], places, -1), places]


def _scatter(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    found = x[0].copy()
    np.put_along_axis(found, x[1], x[2], axis=attributes["axis"])
    return found


def _resize(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    """The last two axes, by scales: the nearest below, or linear with the places of half pixels."""
    found, scales = a.read(x[0]), x[2]
    for axis in (2, 3):
        size = found.shape[axis]
        index = np.arange(int(size * scales[axis]))
        if attributes["mode"] == b"nearest":
            found = found.take((index / scales[axis]).astype(int), axis=axis)
            continue
        place = np.clip(a.rounded((index + 0.5) / scales[axis] - 0.5), 0, size - 1)
        low = np.minimum(place.astype(int), size - 1)
        high, shape = np.minimum(low + 1, size - 1), [-1 if one == axis else 1 for one in range(4)]
        share = a.rounded(place - low).astype(np.float64).reshape(shape)
        parts = found.take(low, axis=axis).astype(np.float64), found.take(high, axis=axis).astype(np.float64)
        first, second = a.rounded(parts[0] * a.rounded(1 - share)), a.rounded(parts[1] * share)
        found = a.rounded(first.astype(np.float64) + second)
    return found


def _cumulative(a: Arithmetic, x: list[Array], attributes: Attributes) -> Array:
    axis = int(x[1])
    size = x[0].shape[axis]
    rows, one = np.moveaxis(x[0], axis, -1), np.ones((1, 1), x[0].dtype)
    sums = [a.dot(rows[..., : index + 1], np.repeat(one, index + 1, 0), None)[..., 0] for index in range(size)]
    return np.moveaxis(np.stack(sums, -1), -1, axis)


def _softsign(a: Arithmetic, x: list[Array], _: Attributes) -> Array:
    """A quotient, or where constants are folded a product with the reciprocal, as onnxruntime computes it."""
    value = a.read(x[0]).astype(np.float64)
    total = a.rounded(1 + np.abs(value)).astype(np.float64)
    if isinstance(a, Compliant) and a.fold:
        return a.rounded(value * a.rounded(1 / total).astype(np.float64))
    return a.rounded(value / total)


def _recurrent(cell: Callable[..., list[Array]], states: int) -> Callable[..., Array]:
    """An operator that repeats a cell over the first axis, in one direction or in both."""

    def run(a: Arithmetic, x: list[Array], attributes: Attributes) -> list[Array]:
        direction, hidden = attributes.get("direction", b"forward"), attributes["hidden_size"]
        given = [*x, *[None] * 7]
        zero = np.zeros((len(x[1]), x[0].shape[1], hidden), x[0].dtype)
        first = [zero if state is None else state for state in given[5 : 5 + states]]
        everything, last = [], []
        for index in range(len(x[1])):
            backwards = direction == b"reverse" or index == 1
            state, steps = [one[index] for one in first], []
            for row in x[0][::-1] if backwards else x[0]:
                state = cell(a, row, state, [x[1][index], x[2][index], *np.split(x[3][index], 2)])
                steps.append(state[0])
            everything.append(np.stack(steps[::-1] if backwards else steps))
            last.append(state)
        return [np.stack(everything, 1), *(np.stack(one) for one in zip(*last, strict=True))]

    return run


def _gate_sums(a: Arithmetic, x: Array, h: Array, constants: list[Array]) -> Array:
    """W x + R h + Wb + Rb: as one sum with the biases added first, or as two sums that are added."""
    weights, recurrent, first, second = constants
    if isinstance(a, Compliant) and a.fold:
        bias = a.rounded(first.astype(np.float64) + second)
        return a.dot(np.concatenate([x, h], 1), np.concatenate([weights, recurrent], 1).T, bias)
    parts = a.dot(x, weights.T, first), a.dot(h, recurrent.T, second)
    return a.rounded(parts[0].astype(np.float64) + parts[1])


def _times(a: Arithmetic, first: Array, second: Array) -> Array:
    return a.rounded(a.read(first).astype(np.float64) * a.read(second))


def _lstm_cell(a: Arithmetic, x: Array, states: list[Array], constants: list[Array]) -> list[Array]:
    i, o, f, g = np.split(_gate_sums(a, x, states[0], constants), 4, 1)
    kept, taken = a.function("Sigmoid", f), a.function("Sigmoid", i)
    new = _times(a, taken, a.function("Tanh", g)).astype(np.float64)
    if isinstance(a, Compliant) and a.fused:
        c = a.rounded(kept.astype(np.float64) * states[1] + new)
    else:
        c = a.rounded(_times(a, kept, states[1]) + new)
    return [_times(a, a.function("Sigmoid", o), a.function("Tanh", c)), c]


def _gru_cell(a: Arithmetic, x: Array, states: list[Array], constants: list[Array]) -> list[Array]:
    """The last line as it is written, or where constants are folded as n + z (h - n)."""
    (h,) = states
    size = h.shape[1]
    z, r = np.split(_gate_sums(a, x, h, [one[: 2 * size] for one in constants]), 2, 1)
    z, r = a.function("Sigmoid", z), a.function("Sigmoid", r)
    weights, recurrent, first, second = (one[2 * size :] for one in constants)
    reset = _times(a, r, a.dot(h, recurrent.T, second)).astype(np.float64)
    n = a.function("Tanh", a.rounded(a.dot(x, weights.T, first) + reset))
    if isinstance(a, Compliant) and a.fold:
        apart = a.rounded(h.astype(np.float64) - n)
        return [a.rounded(_times(a, z, apart).astype(np.float64) + n)]
    rest = a.rounded(1 - z.astype(np.float64))
    return [a.rounded(_times(a, rest, n).astype(np.float64) + _times(a, z, h))]


OPERATORS: dict[str, Callable[..., Array]] = {
    "LSTM": _recurrent(_lstm_cell, 2),
    "GRU": _recurrent(_gru_cell, 1),
    "Gemm": _gemm,
    "MatMul": lambda a, x, attributes: a.dot(x[0], x[1], None),
    "LayerNormalization": _layer_norm,
    "InstanceNormalization": _instance_norm,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _divide,
    "Exp": _function("Exp"),
    "Log": _function("Log"),
    "Sqrt": _function("Sqrt"),
    "Reciprocal": lambda a, x, attributes: a.rounded(1 / a.read(x[0]).astype(np.float64)),
    "Pow": _power,
    "Neg": _exactly(np.negative),
    "Abs": _exactly(np.abs),
    "Identity": _exactly(lambda x: x),
    "Relu": _exactly(lambda x: np.maximum(x, 0)),
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _leaky,
    "Gelu": _gelu,
    **{name: _function(name) for name in ("Tanh", "Sigmoid", "Erf", "HardSigmoid", "Softplus", "Elu", "Celu", "Selu")},
    **{name: _function(name) for name in ("Mish", "HardSwish")},
    "MaxPool": _max_pool,
    "GlobalMaxPool": lambda a, x, attributes: _max_pool(a, x, {"kernel_shape": x[0].shape[2:]}),
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda a, x, attributes: _average_pool(a, x, {"kernel_shape": x[0].shape[2:]}),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "Concat": lambda a, x, attributes: np.concatenate(x, axis=attributes["axis"]),
    "Reshape": lambda a, x, attributes: x[0].reshape([int(n) if n else x[0].shape[i] for i, n in enumerate(x[1])]),
    "Transpose": lambda a, x, attributes: x[0].transpose(attributes["perm"]),
    "Expand": lambda a, x, attributes: np.broadcast_to(x[0], np.broadcast_shapes(x[0].shape, tuple(x[1]))),
    "Squeeze": lambda a, x, attributes: x[0].squeeze(tuple(int(axis) for axis in x[1])),
    "Unsqueeze": lambda a, x, attributes: np.expand_dims(x[0], tuple(int(axis) for axis in x[1])),
    "Slice": _slice,
    "Flatten": lambda a, x, attributes: x[0].reshape(int(np.prod(x[0].shape[: attributes.get("axis", 1)])), -1),
    "Gather": lambda a, x, attributes: x[0].take(x[1], axis=attributes.get("axis", 0)),
    "Shape": lambda a, x, attributes: np.array(x[0].shape[attributes.get("start", 0) : attributes.get("end")]),
    "Softmax": _softmax,
    "Trilu": lambda a, x, attributes: np.triu(x[0]) if attributes.get("upper", 1) else np.tril(x[0]),
    "Max": _exactly(lambda *x: np.maximum.reduce(np.broadcast_arrays(*x))),
    "Min": _exactly(lambda *x: np.minimum.reduce(np.broadcast_arrays(*x))),
    "Softsign": _softsign,
    "CumSum": _cumulative,
    "Resize": _resize,
    "Pad": _pad,
    "Split": lambda a, x, attributes: np.split(x[0], np.cumsum(x[1])[:-1] if len(x) > 1 else 2, attributes["axis"]),
    "ConvTranspose": _conv_transpose,
    "TopK": _largest,
    "ScatterElements": _scatter,
    "ArgMax": lambda a, x, attributes: x[0].argmax(axis=attributes["axis"]),
    "GreaterOrEqual": _exactly(np.greater_equal),
    "Greater": _exactly(np.greater),
    "And": lambda a, x, attributes: np.logical_and(x[0], x[1]),
    "Less": _exactly(np.less),
    "Equal": _exactly(np.equal),
    "IsNaN": _exactly(np.isnan),
    "Where": _exactly(np.where),
    "Cast": _cast,
    "ReduceSumSquare": _sum_of_squares,
    "GatherElements": lambda a, x, attributes: np.take_along_axis(x[0], x[1], axis=attributes["axis"]),
}
