"""The continuous XOR problem of the notebook: two noisy bits, and whether exactly one of them is set."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from parity_runtime import Feature, ModelContract, TensorSpec
from parity_runtime.contract import binary_logit_threshold, classifier_outputs

FEATURE_NAMES = ("x1", "x2")


class XORDataset(Dataset[tuple[Tensor, Tensor]]):
    """Points around the four corners of the unit square, labelled 1 where exactly one coordinate is set.

    Args:
        size: how many points.
        std: standard deviation of the Gaussian noise, in the unit of the coordinates.
        seed: makes the same points every time; None draws from torch's global generator, as the notebook does.

    Attributes:
        data: float32 ``[size, 2]``.
        label: int64 ``[size]``.
    """

    def __init__(self, size: int, std: float = 0.1, seed: int | None = None) -> None:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        data = torch.randint(0, 2, (size, 2), generator=generator, dtype=torch.float32)
        self.label = (data.sum(dim=1) == 1).to(torch.int64)
        self.data = data + std * torch.randn(data.shape, generator=generator)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.label[index]


def xor_contract(train: XORDataset) -> ModelContract:
    """Return the contract of a classifier trained on ``train``."""
    low, high = train.data.amin(dim=0).tolist(), train.data.amax(dim=0).tolist()
    features = tuple(
        Feature(name, "features", index, low=low[index], high=high[index]) for index, name in enumerate(FEATURE_NAMES)
    )
    return ModelContract(
        name="xor",
        task="binary",
        inputs=(TensorSpec("features", "float32", ("batch", len(features))),),
        outputs=classifier_outputs(2),
        features=features,
        targets=("label",),
        classes=(0, 1),
        positive=1,
        threshold=0.5,
        logit_threshold=binary_logit_threshold(0.5),
    )
