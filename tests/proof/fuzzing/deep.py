"""Deep graphs of linear maps and what stands between them: where a norm bounds errors as well."""

import math

from tests.proof.fuzzing import formulas, layers
from tests.proof.fuzzing.builder import Block, Builder

_BETWEEN: list[tuple[float, Block]] = [
    (0.4, formulas.layer_normalization), (0.5, formulas.softmax), (0.5, formulas.power), (0.4, layers.softsign),
    (0.4, layers.extremes), (0.4, layers.pad_and_split), (0.3, layers.cumulative_sum), (0.4, layers.gate),
    (0.5, layers.batch_normalization), (0.5, layers.affine), (0.5, layers.nothing), (0.5, layers.move),
]  # fmt: skip
_OF_IMAGES: list[tuple[float, Block]] = [
    (1, formulas.attention), (0.6, formulas.heads), (1, formulas.instance_normalization),
    (0.6, layers.transposed_convolution),
]  # fmt: skip
_LARGEST = 400  # numbers of a value that a transposed convolution or a join may still enlarge


def deep(b: Builder) -> None:
    """Several linear maps of one width, with what is often between them."""
    for _ in range(b.random.integers(2, 7)):
        if len(b.shape) > 2 and b.chance(0.6):
            b.go_on(layers.convolution(b, b.shape[0]))
        elif b.chance(0.4):
            layers.residual(b)
        else:
            b.go_on(layers.linear_map(b, b.shape[-1]))
        if b.chance(0.5):
            name = str(b.random.choice(["Relu", "Tanh", "Sigmoid", "Gelu", "LeakyRelu", "Abs", "Neg"]))
            b.go_on(b.node(name, b.current))
        elif b.chance(0.7):
            _between(b)


def _between(b: Builder) -> None:
    blocks = [*_BETWEEN, *(_OF_IMAGES if len(b.shape) > 1 and math.prod(b.shape) <= _LARGEST else [])]
    shares = [share for share, _ in blocks]
    index = b.random.choice(len(blocks), p=[share / sum(shares) for share in shares])
    b.used.append(f"deep {blocks[index][1].__name__}")
    blocks[index][1](b)
