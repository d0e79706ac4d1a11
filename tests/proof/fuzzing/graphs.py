"""Random graphs, each by its number."""

from collections.abc import Collection

import numpy as np

from parity_export.error_bounds.adjoints.seeds import MOST
from parity_runtime import ModelContract
from tests.proof.fuzzing import formulas, layers
from tests.proof.fuzzing.activations import activation
from tests.proof.fuzzing.builder import Block, Builder
from tests.proof.fuzzing.deep import deep, transformer_layer, wide
from tests.proof.fuzzing.odd_numbers import Random, rows

ANY: dict[str, tuple[float, Block]] = {
    "linear": (3, layers.linear), "activation": (6, activation), "residual": (2, layers.residual),
    "deep": (1.5, deep), "wide": (0.3, wide),
    "gate": (1, layers.gate), "batch normalization": (1, layers.batch_normalization), "affine": (2, layers.affine),
    "scaled products": (1, layers.scaled_products), "reduce": (0.4, layers.reduce), "nothing": (1, layers.nothing),
    "move": (1, layers.move), "same twice": (0.4, layers.same_twice),
    "Gelu by Erf": (0.2, formulas.erf_gelu), "Gelu by Tanh": (0.2, formulas.tanh_gelu),
    "QuickGelu": (0.6, formulas.quick_gelu), "BiasGelu": (0.6, formulas.bias_gelu),
    "written HardSwish": (0.3, formulas.written_hard_swish), "ReluClip": (0.3, formulas.relu_clip),
    "written Mish": (0.3, formulas.written_mish), "LayerNorm": (0.3, formulas.layer_normalization),
    "written variance": (0.3, formulas.written_variance), "Softmax": (0.6, formulas.softmax),
    "reciprocal": (0.2, formulas.reciprocal), "normal distribution": (0.2, formulas.normal_distribution),
    "power": (0.6, formulas.power), "max and min": (0.4, layers.extremes), "chosen": (0.4, layers.chosen),
    "pad and split": (0.4, layers.pad_and_split), "cumulative sum": (0.3, layers.cumulative_sum),
    "Softsign": (0.2, layers.softsign), "LSTM or GRU": (0.3, layers.recurrent),
    "computed constant": (0.8, formulas.computed_constant),
}  # fmt: skip
IMAGE: dict[str, tuple[float, Block]] = {
    "conv": (5, layers.conv), "strided conv": (2, layers.strided_conv), "pool": (1, layers.pool),
    "global pool": (0.3, layers.global_pool), "attention": (0.8, formulas.attention), "heads": (0.6, formulas.heads),
    "InstanceNorm": (0.6, formulas.instance_normalization), "conv transpose": (0.6, layers.transposed_convolution),
    "resize": (0.6, layers.resize), "transformer layer": (0.4, transformer_layer),
}  # fmt: skip
"""Every block, and how often it is drawn beside the others; the second for values of channels and sizes."""

OFTEN = 20
"""How many times as often a block is drawn that is asked for."""

_MOST_BLOCKS = 6
_MOST_OUTPUTS = (MOST, MOST, 64)
"""Of a graph: no backward pass goes back from more than the first."""


def random_graph(random: Random, often: Collection[str] = ()) -> tuple[bytes, ModelContract, list[str]]:
    """Return a serialized graph from ``features`` to ``value``, its contract, and the names of its blocks.

    Args:
        random: draws it.
        often: names of blocks that are drawn `OFTEN` times as often.
    """
    builder = Builder(random, _input_shape(random))
    for _ in range(random.integers(1, _MOST_BLOCKS)):
        blocks = ANY | (IMAGE if len(builder.shape) > 1 else {})
        shares = np.array([share * (OFTEN if name in often else 1) for name, (share, _) in blocks.items()])
        name = str(random.choice(list(blocks), p=shares / shares.sum()))
        builder.used.append(name)
        blocks[name][1](builder)
    if np.prod(builder.shape) > random.choice(_MOST_OUTPUTS):
        flat = int(np.prod(builder.shape))
        builder.go_on(builder.node("Reshape", builder.current, np.array([-1, flat])), flat)
        builder.go_on(builder.node("Gemm", builder.current, builder.weights(flat, 4)), 4)
    graph, contract = builder.finish()
    return graph, contract, builder.used


def random_rows(random: Random, contract: ModelContract, count: int) -> np.ndarray:
    """Return rows of a graph's input."""
    return rows(random, count, tuple(int(size) for size in contract.inputs[0].shape[1:]))


def _input_shape(random: Random) -> tuple[int, ...]:
    kind = random.random()
    if kind < 0.5:
        return (int(random.integers(1, 9)),)
    if kind < 0.7:
        return (int(random.integers(1, 4)), int(random.integers(2, 9)))
    return (int(random.choice([1, 2, 3, 8])), int(random.integers(2, 7)), int(random.integers(2, 7)))
