"""Preprocessing as part of the network: its figures are buffers of the state_dict, so they travel into the graph."""

import torch
from torch import Tensor, nn


class Imputation(nn.Module):
    """Puts a column's mean in place of a missing cell (NaN).

    Attributes:
        fill: float32 ``[features]``, the mean of each column over the training rows.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.fill: Tensor
        self.register_buffer("fill", torch.zeros(num_features))

    def forward(self, features: Tensor) -> Tensor:
        """Return ``features``, float32 ``[batch, features]``, without missing cells."""
        return torch.where(torch.isnan(features), self.fill, features)


class Standardization(nn.Module):
    """Takes each column to mean 0 and standard deviation 1, as over the training rows.

    Attributes:
        mean: float32 ``[features]``.
        scale: float32 ``[features]``, the standard deviation; 1 for a constant column.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(features - mean) / scale``, float32 ``[batch, features]``."""
        return (features - self.mean) / self.scale


class TargetScale(nn.Module):
    """Takes what a network returns in standard deviations back to the target's own unit.

    Attributes:
        mean: float32 ``[targets]``, over the training rows.
        scale: float32 ``[targets]``, the standard deviation.
    """

    def __init__(self, num_targets: int = 1) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(num_targets))
        self.register_buffer("scale", torch.ones(num_targets))

    def forward(self, value: Tensor) -> Tensor:
        """Return ``value * scale + mean``, float32 ``[batch, targets]``."""
        return value * self.scale + self.mean


class TableNetwork(nn.Module):
    """A network over a table: imputation where a cell may be missing, standardization, a body, the target's unit.

    >>> import torch
    >>> from parity_training import MLP, TableNetwork
    >>> network = TableNetwork(MLP(3, 1), num_features=3, impute=True)
    >>> network.fit(mean=torch.tensor([10.0, 0.0, 5.0]), scale=torch.tensor([2.0, 1.0, 1.0]))
    >>> network(torch.tensor([[12.0, float("nan"), 5.0]])).shape
    torch.Size([1, 1])

    Args:
        body: takes ``[batch, num_features]``; returns logits, or standardized values.
        num_features: columns of the table.
        impute: whether a cell may be missing.
        num_targets: of a regression; 0 for a classifier.
    """

    def __init__(self, body: nn.Module, num_features: int, *, impute: bool = False, num_targets: int = 0) -> None:
        super().__init__()
        self.imputation = Imputation(num_features) if impute else nn.Identity()
        self.standardization = Standardization(num_features)
        self.body = body
        self.target = TargetScale(num_targets) if num_targets else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Return logits or values, float32 ``[batch, outputs]``, of ``features``, float32 ``[batch, features]``."""
        value: Tensor = self.target(self.body(self.standardization(self.imputation(features))))
        return value

    @torch.no_grad()
    def fit(self, mean: Tensor, scale: Tensor, target_mean: float = 0.0, target_scale: float = 1.0) -> None:
        """Take over what was measured on the training rows: float ``[features]``, and the target's two figures."""
        self.standardization.mean.copy_(mean)
        self.standardization.scale.copy_(scale)
        if isinstance(self.imputation, Imputation):
            self.imputation.fill.copy_(mean)
        if isinstance(self.target, TargetScale):
            self.target.mean.fill_(target_mean)
            self.target.scale.fill_(target_scale)
