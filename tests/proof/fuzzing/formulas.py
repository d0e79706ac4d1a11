"""Formulas that onnxruntime's optimizer looks for, written out, and some that it might.

Each is named after the optimizer's pass (``strings libonnxruntime.so | grep Fusion``), if there is one.
"""

import math

import numpy as np

from tests.proof.fuzzing.builder import Builder, either
from tests.proof.fuzzing.layers import linear_map, nothing


def _near(b: Builder, exact: float) -> np.ndarray:
    """A constant of a formula, in full, or to five digits, as people write it."""
    return np.float32(exact if b.chance(0.5) else float(f"{exact:.5g}"))


def _through(b: Builder, value: str) -> str:
    """Sometimes put in what does nothing."""
    if b.chance(0.3):
        before, b.current = b.current, value
        nothing(b)
        value, b.current = b.current, before
    return value


def erf_gelu(b: Builder) -> None:
    """GeluFusion: x (1 + erf(x / sqrt 2)) / 2, in every order."""
    x = b.current
    scaled = b.node("Div", x, _near(b, math.sqrt(2))) if b.chance(0.5) else b.node("Mul", x, _near(b, math.sqrt(0.5)))
    shifted = b.node("Add", *either(b, b.node("Erf", _through(b, scaled)), np.float32(1)))
    _half_times(b, x, shifted)


def _half_times(b: Builder, x: str, shifted: str) -> None:
    half = np.float32(0.5 if b.chance(0.9) else 0.25)
    factors: list[object] = [x, _through(b, shifted), half]
    order = b.random.permutation(3)
    b.go_on(b.node("Mul", b.node("Mul", factors[order[0]], factors[order[1]]), factors[order[2]]))


def tanh_gelu(b: Builder) -> None:
    """FastGeluFusion: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, factored or not."""
    x, c, k = b.current, _near(b, math.sqrt(2 / math.pi)), np.float32(0.044715)
    square = b.node("Mul", x, x)
    if b.chance(0.5):
        inner = b.node("Add", *either(b, b.node("Mul", square, k), np.float32(1)))
        argument = b.node("Mul", b.node("Mul", x, c), inner)
    else:
        cube = b.node("Mul", b.node("Mul", square, x), k) if b.chance(0.7) else b.node("Mul", b.node("Pow", x, 3.0), k)
        argument = b.node("Mul", *either(b, b.node("Add", x, cube), c))
    _half_times(b, x, b.node("Add", *either(b, b.node("Tanh", _through(b, argument)), np.float32(1))))


def normal_distribution(b: Builder) -> None:
    """(1 + erf(x / sqrt 2)) / 2 alone, which is no Gelu."""
    shifted = b.node("Add", b.node("Erf", b.node("Div", b.current, _near(b, math.sqrt(2)))), np.float32(1))
    b.go_on(b.node("Mul", shifted, np.float32(0.5)))


def quick_gelu(b: Builder) -> None:
    """QuickGeluFusion: x sigmoid(a x)."""
    scaled = b.node("Mul", b.current, np.float32(b.random.choice([1.702, 1.0, 2.0, -0.5, 30.0])))
    b.go_on(b.node("Mul", *either(b, b.current, b.node("Sigmoid", _through(b, scaled)))))


def bias_gelu(b: Builder) -> None:
    """BiasGeluFusion: a Gelu of a sum with a vector."""
    b.go_on(b.node("Add", b.node("MatMul", b.current, b.weights(b.shape[-1], b.shape[-1])), b.weights(b.shape[-1])))
    b.go_on(b.node("Gelu", b.current, approximate=str(b.random.choice(["none", "tanh"]))))


def written_hard_swish(b: Builder) -> None:
    """x clip(x + 3, 0, 6) / 6, as the paper has it; ReluClipFusion too."""
    clipped = b.node("Clip", b.node("Add", b.current, np.float32(3)), np.float32(0), np.float32(6))
    b.go_on(b.node("Div", b.node("Mul", b.current, clipped), np.float32(6)))


def relu_clip(b: Builder) -> None:
    b.go_on(b.node("Clip", b.node("Relu", b.current), np.float32(-1), np.float32(b.random.uniform(0, 6))))


def written_mish(b: Builder) -> None:
    b.go_on(b.node("Mul", b.current, b.node("Tanh", b.node("Softplus", b.current))))


def layer_normalization(b: Builder) -> None:
    """LayerNormFusion, SimplifiedLayerNormFusion, SkipLayerNormFusion: one operator, or written out."""
    if b.chance(0.6):
        _summands(b)
        size = b.shape[-1]
        b.go_on(b.node("LayerNormalization", b.current, b.weights(size), *[b.weights(size)] * b.chance(0.7),
                       epsilon=float(b.random.choice([1e-5, 1e-12, 1.0]))))  # fmt: skip
        return
    x, axes = b.current, np.array([-1])
    centred = b.node("Sub", x, b.node("ReduceMean", x, axes)) if b.chance(0.3) else x
    square = b.node("Pow", centred, 2.0) if b.chance(0.5) else b.node("Mul", centred, centred)
    root = b.node("Sqrt", b.node("Add", b.node("ReduceMean", square, axes), np.float32(1e-5)))
    if b.chance(0.5):
        divided = b.node("Div", centred, root)
    else:
        divided = b.node("Mul", *either(b, centred, b.node("Reciprocal", root)))
    b.go_on(b.node("Mul", divided, b.weights(b.shape[-1])))
    if b.chance(0.5):
        b.go_on(b.node("Add", b.current, b.weights(b.shape[-1])))


def _summands(b: Builder) -> None:
    """SkipLayerNormFusion: a residual, and a bias that it may add last."""
    if b.chance(0.6):
        x = b.current
        first = linear_map(b, b.shape[-1]) if b.chance(0.5) else b.node("Tanh", x)
        if b.chance(0.6):
            first = b.node("Add", *either(b, first, b.weights(b.shape[-1])))
        b.go_on(b.node("Add", *either(b, first, x)))


def instance_normalization(b: Builder) -> None:
    """As the exporter writes GroupNorm: of groups of channels, scaled by channel."""
    channels, size = b.shape[0], int(np.prod(b.shape[1:]))
    groups = int(b.random.choice([count for count in range(1, channels + 1) if channels % count == 0]))
    grouped = b.node("Reshape", b.current, np.array([0, groups, channels // groups * size]))
    ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    found = b.node("InstanceNormalization", grouped, ones, zeros, epsilon=1e-5)
    found = b.node("Reshape", found, np.array([0, *b.shape]))
    shape = (channels, *[1] * (len(b.shape) - 1))
    b.go_on(b.node("Add", b.node("Mul", found, b.weights(*shape)), b.weights(*shape)))


def written_variance(b: Builder) -> None:
    """The part of a normalization that has rules: the squares of what is left of x without its mean."""
    centred = b.node("Sub", b.current, b.node("ReduceMean", b.current, np.array([-1])))
    b.go_on(b.node("Mul", centred, centred))


def softmax(b: Builder) -> None:
    """BiasSoftmaxFusion: of a sum, over any axis."""
    if b.chance(0.4):
        b.go_on(b.node("Add", *either(b, b.current, b.weights(b.shape[-1]))))
    b.go_on(b.node("Softmax", b.current, axis=int(b.random.integers(1, len(b.shape) + 1))))


def attention(b: Builder) -> None:
    """AttentionFusion, BiasSoftmaxFusion, MatMulScaleFusion, MatmulTransposeFusion: as the exporter writes it."""
    width, axes = b.shape[-1], [*range(len(b.shape) - 1), len(b.shape), len(b.shape) - 1]
    query, key, value = (linear_map(b, width) for _ in range(3))
    key = b.node("Transpose", key, perm=axes)
    scale = np.float32([b.random.choice([0.5, 0.7, 1.0])])
    if b.chance(0.5):
        query, key = b.node("Mul", query, scale), b.node("Mul", key, scale)
    scores = b.node("MatMul", query, key)
    if b.chance(0.5):
        scores = b.node(str(b.random.choice(["Mul", "Div"])), scores, scale)
    if b.chance(0.3):
        scores = b.node("Add", scores, b.weights(b.shape[-2]))
    if b.chance(0.6):
        scores = _masked(b, scores, b.shape[-2])
    b.go_on(b.node("MatMul", b.node("Softmax", scores), value))


def heads(b: Builder) -> None:
    """Queries, keys and values of one map, which stand before the batch for a while, or share its axis."""
    *before, width = b.shape
    axes = list(range(1, len(before) + 1))
    mixed = b.node("Reshape", linear_map(b, 3 * width), np.array([0, *before, 3, width]))
    moved = b.node("Transpose", mixed, perm=[len(before) + 1, 0, *axes, len(before) + 2])
    parts = [b.node("Slice", moved, np.array([index]), np.array([index + 1]), np.array([0])) for index in range(3)]
    query, key, value = (b.node("Squeeze", part, np.array([0])) for part in parts)
    if b.chance(0.5) and before:
        together = b.node("Reshape", key, np.array([-1, before[-1], width]))
        turned = b.node("Transpose", b.node("Transpose", together, perm=[0, 2, 1]), perm=[0, 2, 1])
        key = b.node("Reshape", turned, np.array([-1, *before, width]))
    b.go_on(b.node("Add", query, b.node("Mul", b.node("Tanh", key), value)))


def _masked(b: Builder, scores: str, size: int) -> str:
    """AttentionFusion's and BiasSoftmaxFusion's mask: added or put in, causal or of some keys, constant or made."""
    lowest = np.float32(b.random.choice([-np.inf, np.finfo(np.float32).min, -1e9, -1e4, -100.0, -1.0]))
    hidden = np.triu(np.ones((size, size), bool), 1) if b.chance(0.5) else b.random.random(size) < 0.4
    kind = b.random.integers(4)
    if kind == 0:
        return b.node("Add", *either(b, scores, np.where(hidden, lowest, np.float32(0))))
    if kind == 1:
        return b.node("Where", hidden, lowest, scores)
    if kind == 2:  # as the exporter writes a causal mask
        ones = b.node("Expand", np.float32(1), np.array([size, size]))
        mask = b.node("Where", b.node("Equal", b.node("Trilu", ones, upper=0), np.float32(0)), lowest, np.float32(0))
        return b.node("Add", scores, mask)
    kept = b.node("Cast", np.logical_not(hidden), to=1)  # as Hugging Face's models have it
    lowest = np.float32(max(lowest, np.finfo(np.float32).min))
    mask = b.node("Mul", b.node("Sub", np.float32(1), kept), lowest)
    return b.node("Add", scores, mask)


def computed_constant(b: Builder) -> None:
    """ConstantFolding: a factor, divisor or summand that is computed from constants, before or behind a linear map."""
    c = np.abs(b.weights(b.shape[-1])) + np.float32(0.1)
    makers = [
        lambda: b.node("Sqrt", c), lambda: b.node("Exp", b.weights(b.shape[-1])),
        lambda: b.node("Div", np.float32(1), c),
        lambda: b.node("Reciprocal", b.node("Sqrt", np.float32([b.shape[-1]]))), lambda: b.node("Add", c, c + 1),
        lambda: b.node("Mul", c, b.node("Pow", c, np.float32(0.5))), lambda: b.node("Cast", np.array([3, 0]), to=1),
    ]  # fmt: skip
    index = int(b.random.integers(len(makers) - (b.shape[-1] != 2)))
    name = str(b.random.choice(["Mul", "Mul", "Add", "Sub", "Div"]))
    constant = makers[index]()
    if name == "Div" and index != 6:
        b.go_on(b.node(name, b.current, constant))
    elif name != "Div":
        b.go_on(b.node(name, *either(b, b.current, constant)))


def reciprocal(b: Builder) -> None:
    """DivMulFusion: 1 / x times y."""
    b.go_on(b.node("Mul", b.node("Div", np.float32(1), b.node("Sigmoid", b.current)), b.current))


def power(b: Builder) -> None:
    """Roots, logarithms, exponentials and quotients of what is positive, mostly."""
    positive = b.node("Add", b.node("Abs", b.current), np.float32(b.random.choice([0.0, 1e-3, 1.0])))
    choices = [
        lambda: b.node("Sqrt", positive),
        lambda: b.node("Log", positive),
        lambda: b.node("Exp", b.node("Neg", positive)),
        lambda: b.node("Reciprocal", positive),
        lambda: b.node("Pow", b.current, np.float32(b.random.choice([2.0, 3.0]))),
        lambda: b.node("Pow", positive, np.float32(0.5)),
        lambda: b.node("Div", b.current, positive),
        lambda: b.node("Div", b.weights(b.shape[-1]), positive),
    ]
    b.go_on(choices[b.random.integers(len(choices))]())
