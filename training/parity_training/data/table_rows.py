"""The columns that a network takes, out of a table that is read again."""

import numpy as np
import torch
from torch import Tensor

from parity_runtime import ModelContract
from parity_runtime.contract import is_encoded
from parity_runtime.feature import FEATURES
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_training.data.encode_columns import INDICES, encode_columns


def network_rows(contract: ModelContract, chunk: Chunk) -> tuple[Tensor, ...]:
    """Return what the network takes for the rows of a table: features, and indices where there are any.

    Raises:
        InputError: a column is missing, or a cell is none of its kind.
    """
    encoded = encode_columns(contract, chunk_inputs(contract, chunk))
    name = FEATURES if is_encoded(contract) else contract.inputs[0].name
    features = encoded.get(name, np.empty((len(chunk), 0))).astype(np.float32)
    found = (features, *([encoded[INDICES]] if INDICES in encoded else []))
    return tuple(torch.from_numpy(array) for array in found)
