"""The columns that a network takes, out of a table that is read again."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from parity_runtime import ModelContract
from parity_runtime.feature import CATEGORIES, FEATURES, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.chunk import Chunk
from parity_training.data.choose_columns import ChosenColumns
from parity_training.data.column_kinds import KindOf
from parity_training.data.encode_columns import INDICES, encode_columns, is_encoded
from parity_training.data.read_cells import CellReader


def graph_inputs(contract: ModelContract, chunk: Chunk) -> Arrays:
    """Return what the graph takes for the rows of a table, by the inputs' names.

    Raises:
        InputError: a column is missing, or a cell is none of its kind.
    """
    kinds = {feature.name: KindOf(feature.kind, feature.format) for feature in contract.columns}
    reader = CellReader(ChosenColumns(kinds), chunk.values)
    matrix, codes, seconds = reader.read(chunk, ())
    if not is_encoded(contract):
        return {contract.inputs[0].name: matrix.astype(np.float32)}
    texts = [np.array(texts, object)[column] for texts, column in zip(reader.texts, codes.T, strict=True)]
    found: Mapping[str, object] = {
        FEATURES: matrix[:, : len(contract.features_of(FEATURES))].astype(np.float32),
        CATEGORIES: np.stack(texts, axis=1) if texts else None,
        TIMESTAMPS: seconds,
    }
    return {spec.name: np.asarray(found[spec.name]) for spec in contract.inputs}


def network_rows(contract: ModelContract, chunk: Chunk) -> tuple[Tensor, ...]:
    """Return what the network takes for the rows of a table: features, and indices where there are any.

    Raises:
        InputError: a column is missing, or a cell is none of its kind.
    """
    encoded = encode_columns(contract, graph_inputs(contract, chunk))
    features = encoded.get(FEATURES if is_encoded(contract) else contract.inputs[0].name)
    features = np.empty((len(chunk), 0), np.float32) if features is None else features
    found = (features, *([encoded[INDICES]] if INDICES in encoded else []))
    return tuple(torch.from_numpy(array) for array in found)
