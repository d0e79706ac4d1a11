"""What a row costs is measured on shapes: the module itself stays as it is."""

import pytest
import torch
from torch import Tensor, nn

from parity_export import OutputSpec, source_from_module
from parity_export.gate.row_cost import RowCosts


class Shared(nn.Module):
    """A layer that stands in two places, as a step's own and as one of all steps."""

    def __init__(self, looks: bool) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.steps, self.looks = nn.ModuleList([self.first, nn.Linear(3, 3), self.first]), looks

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x if not self.looks or bool(x.sum() == 0) else x.abs()


@pytest.mark.parametrize("looks", [False, True])
def test_a_layer_that_stands_in_two_places_keeps_its_weights(looks: bool) -> None:
    module, x = Shared(looks).eval(), torch.randn(4, 3)
    expected = module(x)
    cost = RowCosts(source_from_module(module, ["x: float32[batch, 3]"], OutputSpec(), "m"))({})
    assert cost is not None
    assert cost.operations >= 3 * 2 * 9
    assert all(tensor.device.type == "cpu" for tensor in module.state_dict().values())
    assert isinstance(module.first.weight, nn.Parameter)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)
