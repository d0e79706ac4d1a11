"""What the module itself answers: watched only where its answers are probabilities whose logits are looked for."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from parity_export import OutputSpec, source_from_module
from parity_export.gate.torch_reference import TorchReference


class Watched(nn.Linear):
    """Remembers whether some mode sees its operators, which costs more than the operators."""

    watched: bool = False

    def forward(self, x: Tensor) -> Tensor:
        self.watched = _get_current_dispatch_mode() is not None
        return torch.sigmoid(super().forward(x))


@pytest.mark.parametrize(
    ("output_spec", "watched"), [(OutputSpec(), False), (OutputSpec("binary", "probabilities"), True)]
)
def test_operators_are_watched_only_for_the_logits_of_probabilities(output_spec: OutputSpec, watched: bool) -> None:
    source = source_from_module(Watched(2, 1), ["x: float32[batch, 2]"], output_spec, "m")
    reference, rows = TorchReference(source), {"x": np.zeros((3, 2), np.float32)}
    reference(rows)  # the first time it is seen whether the module sorts
    answers = reference(rows)
    assert source.module.watched is watched
    assert ("logits" in answers) is watched
