"""Layers, what is added to them or taken from them, and what only moves elements or does nothing.

Each names the passes of onnxruntime's optimizer that look for it; all of their names stand in its shared library
(``strings libonnxruntime.so | grep Fusion``). Passes for quantized or half-precision graphs are left out, because none
of their operators has a rule.
"""

from collections.abc import Callable

import numpy as np

from tests.proof.fuzzing.builder import Builder, either


def linear_map(b: Builder, outputs: int, x: str | None = None) -> str:
    """A linear map of the last axis, in one of its spellings."""
    x, k = x or b.current, b.shape[-1]
    if len(b.shape) == 1 and b.chance(0.6):
        transposed = b.chance(0.5)
        weight = b.weights(outputs, k)
        bias = [b.weights(outputs)] if b.chance(0.8) else []
        return b.node("Gemm", x, weight if transposed else weight.T.copy(), *bias, transB=int(transposed))
    product = b.node("MatMul", x, b.weights(outputs, k).T.copy())
    if b.chance(0.6):
        product = b.node("Add", *either(b, product, b.weights(outputs)))
    return product


def linear(b: Builder) -> None:
    outputs = int(b.random.integers(1, 9))
    b.go_on(linear_map(b, outputs), *b.shape[:-1], outputs)


def convolution(b: Builder, outputs: int) -> str:
    """A convolution that keeps the sizes."""
    channels = b.shape[0]
    group = channels if outputs == channels and b.chance(0.3) else 1
    kernel = [3 if size > 1 else 1 for size in b.shape[1:]]
    bias = [b.weights(outputs)] if b.chance(0.6) else []
    return b.node("Conv", b.current, b.weights(outputs, channels // group, *kernel), *bias,
                  kernel_shape=kernel, group=group, pads=[size // 2 for size in kernel] * 2)  # fmt: skip


def conv(b: Builder) -> None:
    """NchwcTransformer: some widths are laid out in blocks of 8 or 16."""
    outputs = int(b.random.choice([1, 2, 3, 8, 16, b.shape[0]]))
    b.go_on(convolution(b, outputs), outputs, *b.shape[1:])


def strided_conv(b: Builder) -> None:
    """Strides, dilations, padding on one side alone."""
    outputs, rank = int(b.random.integers(1, 5)), len(b.shape) - 1
    kernel = [int(b.random.integers(1, min(4, size + 1))) for size in b.shape[1:]]
    strides = [int(stride) for stride in b.random.integers(1, 3, rank)]
    pads = [int(pad) for pad in b.random.integers(0, 2, 2 * rank)]
    sizes = [size + first + last for size, first, last in zip(b.shape[1:], pads[:rank], pads[rank:], strict=True)]
    dilations = [2 if size > 2 * k and b.chance(0.3) else 1 for size, k in zip(sizes, kernel, strict=True)]
    reaches = [(k - 1) * dilation + 1 for k, dilation in zip(kernel, dilations, strict=True)]
    bias = [b.weights(outputs)] if b.chance(0.6) else []
    value = b.node("Conv", b.current, b.weights(outputs, b.shape[0], *kernel), *bias,
                   kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)  # fmt: skip
    parts = zip(sizes, reaches, strides, strict=True)
    b.go_on(value, outputs, *((size - reach) // stride + 1 for size, reach, stride in parts))


def _same_shape(b: Builder) -> str:
    """Another value of the current one's shape: a linear map, a convolution, or an activation of it."""
    if len(b.shape) > 2 and b.chance(0.7):
        return convolution(b, b.shape[0])
    if b.chance(0.7):
        return linear_map(b, b.shape[-1])
    return b.node(str(b.random.choice(["Relu", "Tanh", "Neg", "Sigmoid"])), b.current)


def residual(b: Builder) -> None:
    """ConvAddFusion, ConvAddActivationFusion, GemmSumFusion: a linear map and what is added to it."""
    first = _same_shape(b)
    second = b.current if b.chance(0.6) else _same_shape(b)
    b.go_on(b.node("Sub" if b.chance(0.2) else "Add", *either(b, first, second)))
    if b.chance(0.5):
        b.go_on(b.node("Relu", b.current))


def gate(b: Builder) -> None:
    """SwiGluFusion: a product of two values, one of them squashed."""
    first, second = _same_shape(b), _same_shape(b)
    squashed = b.node("Sigmoid", first)
    squashed = b.node("Mul", first, squashed) if b.chance(0.5) else squashed
    b.go_on(b.node("Mul", *either(b, squashed, second)))


def batch_normalization(b: Builder) -> None:
    """ConvBNFusion, MatmulBNFusion."""
    channels = b.shape[0]
    variance = np.abs(b.weights(channels)) + np.float32(b.random.choice([0, 1e-3, 1]))
    b.go_on(b.node("BatchNormalization", b.current, b.weights(channels), b.weights(channels), b.weights(channels),
                   variance))  # fmt: skip


def _broadcast(b: Builder) -> np.ndarray:
    """A constant: a scalar, one for each channel, or one for each element of the last axis."""
    kind = b.random.integers(3)
    if kind == 0:
        return b.scalar()
    return b.weights(b.shape[0], *[1] * (len(b.shape) - 1)) if kind == 1 else b.weights(b.shape[-1])


def affine(b: Builder) -> None:
    """ConvMulFusion, ConvAddFusion, MatMulScaleFusion, MatMulAddFusion: constants before or behind a linear map."""
    name = str(b.random.choice(["Add", "Sub", "Mul", "Mul", "Div"]))
    constant = _broadcast(b)
    if name == "Div":
        b.go_on(b.node(name, b.current, np.where(constant == 0, 1, constant)))
    else:
        b.go_on(b.node(name, *either(b, b.current, constant)))


def scaled_products(b: Builder) -> None:
    """MatMulScaleFusion, MatmulTransposeFusion: scalars on both sides of a product."""
    for _ in range(b.random.integers(1, 4)):
        b.go_on(b.node(str(b.random.choice(["Mul", "Div"])), b.current, np.where((c := b.scalar()) == 0, 1, c)))
    b.go_on(b.node("MatMul", b.current, b.weights(b.shape[-1], b.shape[-1])))
    if b.chance(0.6):
        b.go_on(b.node("Mul", b.current, b.scalar()))


def pool(b: Builder) -> None:
    kernel = [min(2, size) for size in b.shape[1:]]
    name = str(b.random.choice(["MaxPool", "AveragePool"]))
    padded = int(b.chance(0.4) and min(kernel) > 1)
    counted = {"count_include_pad": int(b.chance(0.5))} if name == "AveragePool" else {}
    value = b.node(name, b.current, kernel_shape=kernel, strides=kernel, pads=[padded] * 2 * len(kernel), **counted)
    b.go_on(value, b.shape[0], *((size + 2 * padded - k) // k + 1 for size, k in zip(b.shape[1:], kernel, strict=True)))


def reduce(b: Builder) -> None:
    name = str(b.random.choice(["ReduceMean", "ReduceSum", "ReduceMax"]))
    b.go_on(b.node(name, b.current, np.array([-1]), keepdims=1), *b.shape[:-1], 1)


def global_pool(b: Builder) -> None:
    name = str(b.random.choice(["GlobalAveragePool", "GlobalMaxPool"]))
    b.go_on(b.node(name, b.current), b.shape[0], *[1] * (len(b.shape) - 1))


def nothing(b: Builder) -> None:
    """EliminateIdentity, NoopElimination, EliminateSlice, ExpandElimination, UnsqueezeElimination, ReshapeFusion,
    CastElimination, EliminateDropout: what does nothing."""
    choices: list[Callable[[], str]] = [
        lambda: b.node("Identity", b.current),
        lambda: b.node("Mul", *either(b, b.current, np.float32([1]))),
        lambda: b.node("Div", b.current, np.float32(1)),
        lambda: b.node("Add", *either(b, b.current, np.float32([0]))),
        lambda: b.node("Sub", b.current, np.float32(0)),
        lambda: b.node("Slice", b.current, np.array([0]), np.array([2**31]), np.array([1])),
        lambda: b.node("Reshape", b.current, np.array([-1, *b.shape])),
        lambda: b.node("Squeeze", b.node("Unsqueeze", b.current, np.array([1])), np.array([1])),
        lambda: b.node("Concat", b.current, axis=1),
        lambda: b.node("Clip", b.current),
        lambda: b.node("Neg", b.node("Neg", b.current)),
        lambda: b.node("Transpose", b.node("Transpose", b.current, perm=_swap(b)), perm=_swap(b)),
    ]
    if b.chance(0.05):
        choices = [lambda: b.node("Cast", b.current, to=1), lambda: b.node("Dropout", b.current)]
    b.go_on(choices[b.random.integers(len(choices))]())


def _swap(b: Builder) -> list[int]:
    rank = len(b.shape) + 1
    return [0, *range(rank - 1, 0, -1)]


def move(b: Builder) -> None:
    """TransposeOptimizer, GatherToSliceFusion, GatherSliceToSplitFusion, ConcatSliceElimination."""
    kind = b.random.integers(4)
    size = b.shape[0]
    if kind == 0:
        b.go_on(b.node("Transpose", b.current, perm=_swap(b)), *b.shape[::-1])
    elif kind == 1 and size > 1:
        first = b.node("Slice", b.current, np.array([0]), np.array([size // 2]), np.array([1]))
        second = b.node("Slice", b.current, np.array([size // 2]), np.array([size]), np.array([1]))
        b.go_on(b.node("Concat", second, b.node("Tanh", first), axis=1))
    elif kind == 2:
        order = b.random.integers(0, size, size)
        b.go_on(b.node("Gather", b.current, order, axis=1))
    else:
        b.go_on(b.node("Concat", b.current, b.node("Relu", b.current), axis=1), 2 * size, *b.shape[1:])


def same_twice(b: Builder) -> None:
    """CommonSubexpressionElimination: an operator twice, and the difference or product of both."""
    weight, name = b.constant(b.weights(b.shape[-1], b.shape[-1])), str(b.random.choice(["Tanh", "Relu", "Gelu"]))
    first, second = (b.node(name, b.node("MatMul", b.current, weight)) for _ in range(2))
    b.go_on(b.node(str(b.random.choice(["Add", "Mul", "Sub"])), first, second))


def extremes(b: Builder) -> None:
    """The larger or smaller of two values, or of one and a constant."""
    other = _same_shape(b) if b.chance(0.6) else b.scalar()
    b.go_on(b.node(str(b.random.choice(["Max", "Min"])), *either(b, b.current, other)))


def chosen(b: Builder) -> None:
    """A Where by the inputs themselves, of the shape of the current value."""
    if b.shape != b.inputs:
        return
    threshold = np.float32(b.random.choice([0.5, -2.0]))
    compared = b.node(str(b.random.choice(["Less", "GreaterOrEqual"])), "features", threshold)
    other = _same_shape(b) if b.chance(0.6) else b.scalar()
    b.go_on(b.node("Where", compared, *either(b, b.current, other)))


def pad_and_split(b: Builder) -> None:
    """PadFusion: elements around, constant or its own, and parts of them."""
    rank, size = len(b.shape), b.shape[-1]
    before, behind = int(b.random.integers(0, 3)), int(b.random.integers(0, 3))
    mode = str(b.random.choice(["constant", "edge"]))
    pads = np.array([*[0] * rank, before, *[0] * rank, behind])
    filling = [b.scalar().reshape(())] if mode == "constant" and b.chance(0.5) else []
    b.go_on(b.node("Pad", b.current, pads, *filling, mode=mode), *b.shape[:-1], size + before + behind)
    if size + before + behind == 2 * size:
        parts = b.nodes("Split", 2, b.current, axis=rank, num_outputs=2)
        b.go_on(b.node("Mul", *either(b, parts[0], b.node("Sigmoid", parts[1]))), *b.shape[:-1], size)


def cumulative_sum(b: Builder) -> None:
    reverse, exclusive = (int(b.chance(0.3)) for _ in range(2))
    b.go_on(b.node("CumSum", b.current, np.array(len(b.shape)), reverse=reverse, exclusive=exclusive))


def transposed_convolution(b: Builder) -> None:
    """Strides and dilations, groups of channels."""
    channels, rank = b.shape[0], len(b.shape) - 1
    group = channels if b.chance(0.3) else 1
    outputs = int(b.random.integers(1, 4))
    kernel, strides = ([int(size) for size in b.random.integers(1, 4, rank)] for _ in range(2))
    dilations = [int(b.random.choice([1, 1, 2])) for _ in range(rank)]
    bias = [b.weights(group * outputs)] if b.chance(0.6) else []
    value = b.node("ConvTranspose", b.current, b.weights(channels, outputs, *kernel), *bias,
                   kernel_shape=kernel, strides=strides, dilations=dilations, group=group)  # fmt: skip
    sizes = zip(b.shape[1:], strides, kernel, dilations, strict=True)
    b.go_on(value, group * outputs, *((size - 1) * stride + (k - 1) * apart + 1 for size, stride, k, apart in sizes))


def softsign(b: Builder) -> None:
    b.go_on(b.node("Softsign", b.current))


def resize(b: Builder) -> None:
    """NchwcTransformer puts an Upsample of its own: an image of another size, nearest or linear."""
    if len(b.shape) != 3:
        return
    mode, places = str(b.random.choice(["nearest", "linear"])), ["asymmetric", "half_pixel", "align_corners"]
    factors = [float(b.random.choice([1, 2, 3, 0.5, 1.5, 2.25])) for _ in range(2)]
    sizes = [int(size * factor) for size, factor in zip(b.shape[1:], factors, strict=True)]
    if min(sizes) < 1:
        return
    rounding = str(b.random.choice(["floor", "round_prefer_floor"]))
    value = b.node("Resize", b.current, "", np.float32([1, 1, *factors]), mode=mode, nearest_mode=rounding,
                   coordinate_transformation_mode=str(b.random.choice(places)))  # fmt: skip
    b.go_on(value, b.shape[0], *sizes)


def recurrent(b: Builder) -> None:
    """An LSTM or a GRU over the first axis of a row, its only one as one place."""
    if len(b.shape) > 2:
        return
    kind, hidden = str(b.random.choice(["LSTM", "GRU"])), int(b.random.integers(1, 5))
    series = (
        b.node("Transpose", b.current, perm=[1, 0, 2]) if len(b.shape) == 2 else b.node("Unsqueeze", b.current, [0])
    )
    direction = str(b.random.choice(["forward", "reverse", "bidirectional"]))
    ways, rows = 1 + (direction == "bidirectional"), hidden * (4 if kind == "LSTM" else 3)
    constants = [b.weights(ways, rows, b.shape[-1]), b.weights(ways, rows, hidden), b.weights(ways, 2 * rows)]
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    steps = b.node(kind, series, *constants, hidden_size=hidden, direction=direction, **more)
    flat = [*b.shape[:-1], ways * hidden]
    moved = b.node("Transpose", steps, perm=[2, 0, 1, 3])
    b.go_on(b.node("Reshape", moved, np.array([-1, *flat])), *flat)
