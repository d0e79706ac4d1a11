"""Preprocessing as part of the network: its figures are buffers of the state_dict, so they travel into the graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity_runtime.feature import MISSING_INDEX, UNKNOWN_INDEX
from parity_training.networks.index_tables import make_table, table_width

HIDDEN_SHARE = 0.01
"""Of the cells of a category: so many are hidden in each step of training."""


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


class LogLink(nn.Module):
    """Takes what a network returns as the logarithm of a rate, which is positive: the link of a Poisson regression.

    Attributes:
        mean: float32 ``[targets]``, the logarithm of the mean over the training rows.
    """

    def __init__(self, num_targets: int = 1) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(num_targets))

    def forward(self, value: Tensor) -> Tensor:
        """Return ``exp(value + mean)``, float32 ``[batch, targets]``."""
        return torch.exp(value + self.mean)


class Temperature(nn.Module):
    """Divides logits by one number, so that probabilities are as sure as they are right.

    The temperature of Guo et al., On Calibration of Modern Neural Networks, ICML 2017.

    Attributes:
        inverse: float32 ``[1]``, one over the temperature.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inverse: Tensor
        self.register_buffer("inverse", torch.ones(1))

    def forward(self, logits: Tensor) -> Tensor:
        """Return ``logits * inverse``, float32 ``[batch, outputs]``."""
        return logits * self.inverse


def _last_step(num_targets: int, link: str | None, *, calibrated: bool) -> nn.Module:
    """Return what is made of what a body returns."""
    if link not in (None, "log"):
        raise ValueError(f"link is {link!r}; it is log, or left out")
    if num_targets:
        return LogLink(num_targets) if link else TargetScale(num_targets)
    return Temperature() if calibrated else nn.Identity()


class Indicators(nn.Module):
    """Says of some columns whether a cell is missing.

    Args:
        columns: of the features.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        super().__init__()
        self.columns: Tensor
        self.missing: Tensor
        self.present: Tensor
        self.register_buffer("columns", torch.tensor(columns, dtype=torch.int64), persistent=False)
        self.register_buffer("missing", torch.ones(len(columns)), persistent=False)
        self.register_buffer("present", torch.zeros(len(columns)), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return 1 where a cell of ``features`` is missing (NaN), else 0: float32 ``[batch, columns]``."""
        return torch.where(torch.isnan(features.index_select(1, self.columns)), self.missing, self.present)


class TableNetwork(nn.Module):
    """A network for the rows of a table, with its preprocessing: it wraps another network, the body.

    It fills missing numbers, standardizes numbers, looks up indices (of categories and of the parts of dates) in lookup
    tables, runs the body, and converts a regression's output to the target's unit. A filled cell looks like any other
    number. So the body also gets an indicator of missing cells for each column that had some in training.

    >>> import torch
    >>> from parity_training import MLP, TableNetwork
    >>> tables = [{"kind": "one-hot", "size": 5, "missing": True}]
    >>> network = TableNetwork(MLP(3 + 1 + 5, 1), num_features=3, impute=True, indicators=[1], tables=tables)
    >>> network.fit(mean=torch.tensor([10.0, 0.0, 5.0]), scale=torch.tensor([2.0, 1.0, 1.0]))
    >>> network(torch.tensor([[12.0, float("nan"), 5.0]]), torch.tensor([[4]])).shape
    torch.Size([1, 1])

    Args:
        body: the inner network. Its input is one float32 tensor ``[batch, numbers]``: the features, then an indicator
            for each of ``indicators``, then the result of each lookup table. It returns logits, or standardized values.
        num_features: the number of columns of ``features``; may be 0.
        impute: whether a cell of ``features`` may be missing.
        indicators: the numbers, from 0, of the columns of ``features`` that have an indicator of missing cells.
        tables: one lookup table for each column of ``indices``, as `parity_training.networks.index_tables.make_table`
            takes them. For a column of categories, ``missing`` says whether it had missing cells in training.
        num_targets: the number of targets of a regression; 0 for a classifier.
        link: ``log`` if the body returns the logarithm of the prediction; None if it returns the standardized
            prediction.
        calibrated: whether logits are divided by a temperature.
    """

    def __init__(  # noqa: PLR0913 -- what a recipe keeps of a table
        self,
        body: nn.Module,
        num_features: int,
        *,
        impute: bool = False,
        indicators: Sequence[int] = (),
        tables: Sequence[Mapping[str, Any]] = (),
        num_targets: int = 0,
        link: str | None = None,
        calibrated: bool = False,
    ) -> None:
        super().__init__()
        self.imputation = Imputation(num_features) if impute else nn.Identity()
        self.standardization = Standardization(num_features) if num_features else nn.Identity()
        self.indicators = Indicators(indicators) if indicators else None
        self.tables = nn.ModuleDict()
        for column, told in enumerate(tables):
            table = make_table(told)
            if table is not None:
                self.tables[str(column)] = table
        self.hidden_categories = HiddenCategories([told["missing"] for told in tables if "missing" in told])
        self.body = body
        self.target = _last_step(num_targets, link, calibrated=calibrated)

    def forward(self, features: Tensor | None = None, indices: Tensor | None = None) -> Tensor:
        """Return logits or values, float32 ``[batch, outputs]``.

        Args:
            features: float32 ``[batch, num_features]``, NaN where a cell is missing. None if ``num_features`` is 0.
            indices: int64 ``[batch, tables]``. None if there are no tables.
        """
        value: Tensor = self.target(self.body(self.body_input(features, indices)))
        return value

    def body_input(self, features: Tensor | None = None, indices: Tensor | None = None) -> Tensor:
        """Return the input of the body, float32 ``[batch, numbers]``: the `parts` side by side.

        Args:
            features: as in `forward`.
            indices: as in `forward`.
        """
        parts = self.parts(features, indices)
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def parts(self, features: Tensor | None, indices: Tensor | None) -> list[Tensor]:
        """Return the parts of the body's input: features, indicators of missing cells, results of the lookup tables.

        Args:
            features: as in `forward`.
            indices: as in `forward`.

        Returns:
            Each part as float32 ``[batch, numbers]``; parts that this network does not have are left out.
        """
        parts = []
        if features is not None and features.shape[1]:
            parts.append(self.standardization(self.imputation(features)))
            if self.indicators is not None:
                parts.append(self.indicators(features))
        if indices is not None:
            indices = self.hidden_categories(indices.long())
            parts += [table(indices[:, int(column)]) for column, table in self.tables.items()]
        return parts

    @torch.no_grad()
    def fit(
        self, mean: Tensor, scale: Tensor, target_mean: Tensor | None = None, target_scale: Tensor | None = None
    ) -> None:
        """Set the means and standard deviations that were measured on the training rows.

        Args:
            mean: the mean of each column of ``features`` without its missing cells, float ``[num_features]``, in the
                column's unit.
            scale: the standard deviation of each column, float ``[num_features]``, in the column's unit; 1 for a
                constant column.
            target_mean: for a regression: the mean of each target, float ``[num_targets]``.
            target_scale: for a regression without ``link``: the standard deviation of each target, float
                ``[num_targets]``.
        """
        if isinstance(self.standardization, Standardization):
            self.standardization.mean.copy_(mean)
            self.standardization.scale.copy_(scale)
        if isinstance(self.imputation, Imputation):
            self.imputation.fill.copy_(mean)
        if isinstance(self.target, LogLink) and target_mean is not None:
            self.target.mean.copy_(target_mean.log())
        elif isinstance(self.target, TargetScale) and target_mean is not None and target_scale is not None:
            self.target.mean.copy_(target_mean)
            self.target.scale.copy_(target_scale)


class HiddenCategories(nn.Module):
    """Puts, while it is trained, the unknown category in place of some cells: it learns what it says of unknown ones.

    Where training has had no missing cell, a missing one stands in place of as many others.

    Args:
        missing: of each column of categories, which come first, whether training has had missing cells.
    """

    def __init__(self, missing: Sequence[bool]) -> None:
        super().__init__()
        self.columns = len(missing)
        self.draw: Callable[..., Tensor] = torch.rand  # of several processes each draws the numbers of its rows
        self.unseen: Tensor
        self.register_buffer("unseen", ~torch.tensor(missing, dtype=torch.bool), persistent=False)

    def forward(self, indices: Tensor) -> Tensor:
        """Return ``indices``, int64 ``[batch, columns]``, some of them replaced in training mode."""
        if not (self.training and self.columns):
            return indices
        drawn = self.draw(len(indices), self.columns, device=indices.device)
        categories = indices[:, : self.columns].masked_fill(drawn < HIDDEN_SHARE, UNKNOWN_INDEX)
        categories = categories.masked_fill((drawn > 1 - HIDDEN_SHARE) & self.unseen, MISSING_INDEX)
        return torch.cat([categories, indices[:, self.columns :]], 1)


def body_inputs(
    num_features: int, indicators: Sequence[int] = (), tables: Sequence[Mapping[str, Any]] = (), **_others: Any
) -> int:
    """Return how many numbers the body of a `TableNetwork` takes for a row."""
    return num_features + len(indicators) + sum(map(table_width, tables))
