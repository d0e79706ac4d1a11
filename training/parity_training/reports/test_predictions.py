"""The held-out rows of a run, and what its network says of them: what the plots of an evaluation show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.evaluation.true_cells import class_indices
from parity_runtime.tables.table_file import TableFile
from parity_training.data.table_rows import network_rows
from parity_training.fitting.evaluation import in_pieces, outputs_of, predicted_of, probabilities_of
from parity_training.networks.registry import Network
from parity_training.run import TEST_TABLE, Run


@dataclass(frozen=True)
class HeldOutPredictions:
    """Rows, their truth, and the network's predictions.

    Attributes:
        contract: of the run.
        inputs: what the network takes: float32 ``[rows, features]``, and int64 ``[rows, columns]`` indices where there
            are any.
        true: class indices, int64 ``[rows]``; of a regression float64, in the target's unit.
        outputs: logits or values, float32 ``[rows, outputs]``.
        module: the network, in eval mode.
    """

    contract: ModelContract
    inputs: tuple[torch.Tensor, ...]
    true: NDArray[Any]
    outputs: torch.Tensor
    module: torch.nn.Module

    @property
    def features(self) -> NDArray[np.float32]:
        """Numbers and years, float32 ``[rows, features]``."""
        found: NDArray[np.float32] = self.inputs[0].numpy()
        return found

    @property
    def is_planar(self) -> bool:
        """Whether the rows are points of a plane: two columns of numbers, and nothing else."""
        return len(self.inputs) == 1 and self.inputs[0].shape[1] == 2

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of each class, float32 ``[rows, classes]``."""
        return probabilities_of(self.outputs)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Class indices, int64 ``[rows]``."""
        return predicted_of(self.outputs, self.contract.logit_threshold)


def predict_test_rows(run: Run, user_network: Network | None = None) -> HeldOutPredictions:
    """Predict a run's held-out rows with its network.

    Raises:
        InputError: the run has not finished.
    """
    module = run.module(user_network)  # refuses an unfinished run
    contract, path = run.recipe.contract, run.path / TEST_TABLE
    table = next(TableFile.named(str(path), trained=contract.missing_values).chunks(None))
    if not len(table):
        raise InputError(f"{path} holds no rows; train with {argument('test')} or {argument('validation')} above 0")
    inputs = network_rows(contract, table)
    target = contract.targets[0]
    true = class_indices(contract, table, target) if contract.is_classifier else table.numbers([target])[:, 0]
    return HeldOutPredictions(contract, inputs, true, outputs_of(module, in_pieces(inputs)), module)
