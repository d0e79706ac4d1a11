import pytest
import torch
from torch.utils.data import DataLoader

from parity_runtime import FormatError
from parity_training import XORClassifier, XORDataset, build_network


def test_points_lie_around_the_corners_and_are_labelled_by_parity() -> None:
    dataset = XORDataset(2000, std=0.1, seed=3)
    corners = dataset.data.round()
    assert set(map(tuple, corners.tolist())) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert torch.equal(dataset.label, (corners.sum(dim=1) == 1).long())
    assert (dataset.data - corners).std() == pytest.approx(0.1, rel=0.05)
    assert (dataset.data.dtype, dataset.label.dtype) == (torch.float32, torch.int64)


def test_a_seed_gives_the_same_points_and_none_draws_new_ones() -> None:
    assert torch.equal(XORDataset(10, seed=1).data, XORDataset(10, seed=1).data)
    assert not torch.equal(XORDataset(10).data, XORDataset(10).data)


def test_the_data_loader_of_torch_takes_it() -> None:
    data, label = next(iter(DataLoader(XORDataset(20, seed=0), batch_size=8)))
    assert (data.shape, label.shape, len(XORDataset(20))) == ((8, 2), (8,), 20)


def test_the_network_has_the_parameters_of_the_notebook_and_returns_logits() -> None:
    network = XORClassifier(num_inputs=2, num_hidden=4, num_outputs=1)
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == {
        "linear1.weight": (4, 2), "linear1.bias": (4,), "linear2.weight": (1, 4), "linear2.bias": (1,)
    }  # fmt: skip
    with torch.no_grad():
        network.linear2.bias.fill_(50.0)
    assert network(torch.zeros(3, 2)).min() > 2


@pytest.mark.parametrize(("name", "arguments"), [("Unknown", {}), ("XORClassifier", {"depth": 3})])
def test_a_network_that_cannot_be_built_is_one_sentence(name: str, arguments: dict[str, int]) -> None:
    with pytest.raises(FormatError, match=name):
        build_network(name, arguments)
