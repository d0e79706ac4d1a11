"""The continuous XOR problem of the notebook: two noisy bits, and whether exactly one of them is set."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from parity_runtime import Feature, InputError, ModelContract, TensorSpec
from parity_runtime.contract import binary_logit_threshold, classifier_outputs
from parity_training.data.split import Split
from parity_training.data.training_data import TrainingData
from parity_training.field_types import check_types
from parity_training.settings import DEFAULT_SEED, TrainSettings

FEATURE_NAMES = ("x1", "x2")

MOST_POINTS = 10**8
"""Points of a problem: they take 1.6 GB."""


class XORDataset(Dataset[tuple[Tensor, Tensor]]):
    """Points around the four corners of the unit square, labelled 1 where exactly one coordinate is set.

    >>> from parity_training import XORDataset
    >>> dataset = XORDataset(200, seed=42)
    >>> dataset
    XORDataset(200 points, std 0.1)
    >>> point, label = dataset[0]
    >>> point.shape, label.dtype
    (torch.Size([2]), torch.int64)

    Args:
        size: how many points.
        std: standard deviation of the Gaussian noise, in the unit of the coordinates.
        seed: the same seed makes the same points. None draws from torch's global generator, as the notebook does.

    Attributes:
        data: the coordinates of the points, float32 ``[size, 2]``.
        label: the class of each point, 0 or 1, int64 ``[size]``.
    """

    def __init__(self, size: int, std: float = 0.1, seed: int | None = None) -> None:
        self._std = std
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        data = torch.randint(0, 2, (size, 2), generator=generator, dtype=torch.float32)
        self.label = (data.sum(dim=1) == 1).to(torch.int64)
        self.data = data + std * torch.randn(data.shape, generator=generator)

    def __repr__(self) -> str:
        return f"XORDataset({len(self)} points, std {self._std:g})"

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.label[index]


@dataclass(frozen=True, slots=True)
class XORSettings:
    """How many points the XOR problem has, how noisy they are, and how the notebook trains on them.

    >>> from parity_training import XORSettings
    >>> XORSettings(size=1000, epochs=20).learning_rate
    0.03

    Attributes:
        size: training points.
        validation_size: points to validate on.
        test_size: points that are held out for the final test.
        std: standard deviation of the noise, in the unit of the coordinates.
        hidden: neurons of the hidden layer.
        learning_rate: the learning rate of SGD.
        batch_size: rows in one step.
        epochs: passes over the training points.
        seed: the seed of the points, the initial weights and the order of the rows.
    """

    size: int = 5000
    validation_size: int = 500
    test_size: int = 500
    std: float = 0.1
    hidden: int = 4
    learning_rate: float = 0.03
    batch_size: int = 128
    epochs: int = 200
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("size", "test_size", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        points = self.size + self.test_size + max(self.validation_size, 0)
        if points > MOST_POINTS:
            raise InputError(f"size, validation_size and test_size are {points} points; draw {MOST_POINTS} at most")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be at least 0 and less than 2^63")
        if self.validation_size < 0 or not 0 <= self.std <= 1e6:
            raise InputError(f"validation_size is {self.validation_size} and std {self.std}; they must be at least 0")

    def training(self) -> TrainSettings:
        """Return the settings with which the notebook trains."""
        return TrainSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer="SGD",
            learning_rate=self.learning_rate,
            seed=self.seed,
        )


def xor_data(settings: XORSettings) -> TrainingData:
    """Return the training data: training, validation and held-out points. The same settings give the same points.

    >>> from parity_training import XORSettings, xor_data
    >>> xor_data(XORSettings(size=100, validation_size=20, test_size=10)).contract.classes
    (0, 1)

    Args:
        settings: how many points, how noisy, and the seed. The settings of the training are ignored.
    """
    sizes = (settings.size, settings.validation_size, settings.test_size)
    train, validation, test = (
        XORDataset(size, settings.std, seed=(settings.seed + number) % 2**63)
        for size, number in zip(sizes, (0, 2, 1), strict=True)
    )
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    drawn = ("size", "validation_size", "test_size", "std", "seed")
    source = {"source": "xor"} | {name: getattr(settings, name) for name in drawn}
    return TrainingData(
        torch.cat([train.data, validation.data, test.data]),
        torch.cat([train.label, validation.label, test.label]),
        Split(*parts),
        _xor_contract(train),
        source,
        preprocessed=False,
    )


def _xor_contract(train: XORDataset) -> ModelContract:
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
