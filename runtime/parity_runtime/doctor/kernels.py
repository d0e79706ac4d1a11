"""What onnxruntime's own kernels are known to do otherwise, asked of the ones at hand by two small graphs."""

from pathlib import Path

import numpy as np

from parity_runtime.inference.session import create_session

GRAPHS = Path(__file__).parent / "graphs"
LENGTH = 64
"""Products of one sum in both graphs: kernels take shorter ones by other ways."""

_EXACT = 255 * 127 * LENGTH
_OFFSET = 1000.0  # mean by standard deviation, of columns such as years


def int8_saturates() -> bool:
    """Whether sums of products of uint8 and int8 are wrong on this processor.

    Processors with AVX2 and without VNNI add two products in 16 bits, which saturate.
    """
    given = {"x": np.full((1, LENGTH), 255, np.uint8), "w": np.full((LENGTH, LENGTH), 127, np.int8)}
    (found,) = create_session((GRAPHS / "int8_products.onnx").read_bytes()).run(None, given)
    return bool((found != _EXACT).any())


def normalization_error() -> float:
    """Return the largest error of LayerNormalization on numbers whose mean is 1000 standard deviations.

    Exact answers are 4 at most, about. By two passes over the numbers, as of onnxruntime 1.27, the variance's rounding
    moves them by some 1e-4; by one pass, as in 1.20 to 1.26, by more than they are.
    """
    x = (np.random.default_rng(0).standard_normal((64, LENGTH)) + _OFFSET).astype(np.float32)
    (found,) = create_session((GRAPHS / "normalization.onnx").read_bytes()).run(None, {"x": x})
    centred = x.astype(np.float64) - x.mean(axis=1, dtype=np.float64, keepdims=True)
    exact = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return float(np.abs(found - exact).max())
