"""Rows that no gate has asked: drawn with a seed of their own."""

import numpy as np

from parity_runtime import ModelContract
from parity_runtime.contract import batch_name

FRESH_SEED = 987654321  # unlike the exporter's own

TWO_FLOAT32_RESULTS = (
    3e-5  # of the largest value: torch and onnxruntime each within some 1e-5 of float64 on unit inputs
)


def fresh_inputs(contract: ModelContract, batch: int, length: int) -> dict[str, np.ndarray]:
    """Return normal deviates, integers from 0 to 6 and coin tosses for each input, by name.

    Args:
        contract: names the inputs.
        batch: how many rows.
        length: the size of every other dynamic dimension.
    """
    random = np.random.default_rng(FRESH_SEED)
    sizes = {name: length for spec in contract.inputs for name in spec.shape if isinstance(name, str)}
    sizes[batch_name(contract) or ""] = batch
    inputs = {}
    for spec in contract.inputs:
        shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
        drawn = random.standard_normal(shape)
        whole = spec.dtype.startswith("int")
        inputs[spec.name] = (
            random.integers(0, 7, shape) if whole else drawn > 0 if spec.dtype == "bool" else drawn
        ).astype(spec.dtype)
    return inputs
