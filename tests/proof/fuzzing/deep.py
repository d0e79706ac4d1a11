"""Deep graphs of linear maps and what stands between them: where a norm bounds errors as well."""

import math

from tests.proof.fuzzing import formulas, layers
from tests.proof.fuzzing.builder import Block, Builder, either

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
    """Several linear maps of one width, with what is often between them: of any kind, or mostly of one."""
    favourite = _drawn(b) if b.chance(0.5) else None
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
            block = favourite if favourite is not None and _fits(b, favourite) else _drawn(b)
            b.used.append(f"deep {block.__name__}")
            block(b)


def _drawn(b: Builder) -> Block:
    blocks = [(share, block) for share, block in (*_BETWEEN, *_OF_IMAGES) if _fits(b, block)]
    shares = [share for share, _ in blocks]
    return blocks[b.random.choice(len(blocks), p=[share / sum(shares) for share in shares])][1]


def _fits(b: Builder, block: Block) -> bool:
    """Whether a block takes the current value: some want places beside the features, and not too many numbers."""
    return block not in [one for _, one in _OF_IMAGES] or (len(b.shape) > 1 and math.prod(b.shape) <= _LARGEST)


def wide(b: Builder) -> None:
    """Maps to many numbers and back: sums of more terms than the others have, whose order matters more."""
    width, k = int(b.random.choice([60, 130, 200])), b.shape[-1]
    if math.prod(b.shape) > _LARGEST:
        return
    b.go_on(layers.linear_map(b, width), *b.shape[:-1], width)
    b.go_on(b.node(str(b.random.choice(["Relu", "Tanh", "Gelu", "Sigmoid"])), b.current))
    if b.chance(0.3):
        formulas.layer_normalization(b)
    b.go_on(layers.linear_map(b, k), *b.shape[:-1], k)


def transformer_layer(b: Builder) -> None:
    """Attention and two maps, each added to what it takes, a LayerNormalization before or behind."""
    if math.prod(b.shape) > _LARGEST:
        return
    before = b.chance(0.5)
    for part in (formulas.attention, wide if b.chance(0.3) else _two_maps):
        x = b.current
        if before:
            _normalized(b)
        part(b)
        b.go_on(b.node("Add", *either(b, x, b.current)))
        if not before:
            _normalized(b)


def _two_maps(b: Builder) -> None:
    b.go_on(layers.linear_map(b, b.shape[-1]))
    b.go_on(b.node(str(b.random.choice(["Relu", "Gelu"])), b.current))
    b.go_on(layers.linear_map(b, b.shape[-1]))


def _normalized(b: Builder) -> None:
    size = b.shape[-1]
    b.go_on(b.node("LayerNormalization", b.current, b.weights(size), b.weights(size), epsilon=1e-5))
