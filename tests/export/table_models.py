"""A network over a table with every kind of column, made by hand: its contract, its module, its rows."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_runtime import Feature, ModelContract, TensorSpec
from parity_runtime.contract import VALUE, binary_logit_threshold, classifier_outputs
from parity_runtime.feature import CATEGORIES, FEATURES, MISSING_TIMESTAMP, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays
from parity_training.data.encode_columns import index_sizes, network_inputs

AGE = Feature("age", FEATURES, 0, missing="impute", low=18.0, high=90.0)
MEMBER = Feature("member", FEATURES, 1, kind="boolean", missing="impute", low=0.0, high=1.0)
CITY = Feature("city", CATEGORIES, 0, "categorical", "impute", categories=("Paris", "Zürich", "東京", "paris "))
PLAN = Feature("plan", CATEGORIES, 1, "code", "impute", categories=("1", "2", "30"))
JOINED = Feature("joined", TIMESTAMPS, 0, "datetime", "impute", low=-5e8, high=1.7e9)
LEFT = Feature("left", TIMESTAMPS, 1, "datetime", "impute", low=0.0, high=1.7e9, format="%d.%m.%Y")
ALL = (AGE, CITY, JOINED, MEMBER, PLAN, LEFT)

_SIZES = {FEATURES: "float32", CATEGORIES: "string", TIMESTAMPS: "int64"}


def table_contract(features: Sequence[Feature] = ALL, task: str = "binary") -> ModelContract:
    """Return the contract of a table of these columns."""
    counts = {name: sum(feature.input == name for feature in features) for name in _SIZES}
    inputs = tuple(TensorSpec(name, _SIZES[name], ("batch", count)) for name, count in counts.items() if count)
    if task == "regression":
        outputs = (TensorSpec(VALUE, "float32", ("batch", 1)),)
        return ModelContract("table", "regression", inputs, outputs, tuple(features), targets=("price",))
    return ModelContract(
        "table",
        "binary",
        inputs,
        classifier_outputs(2),
        tuple(features),
        targets=("left",),
        classes=("no", "yes"),
        positive="yes",
        threshold=0.5,
        logit_threshold=binary_logit_threshold(0.5),
    )


class TableModule(nn.Module):
    """Imputes and scales numbers, looks every index up in a table of its own, and joins both.

    Args:
        contract: whose network it is.
        width: of the tables' rows.
    """

    def __init__(self, contract: ModelContract, width: int = 4) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        specs = {spec.name: int(spec.shape[1]) for spec in network_inputs(contract)}
        self.numbers = specs.get(FEATURES, 0)
        ends = [feature.range or (0.0, 1.0) for feature in contract.features_of(FEATURES)]
        ends += [(1955.0, 2023.0)] * (self.numbers - len(ends))
        means, halves = [(low + high) / 2 for low, high in ends], [(high - low) / 2 for low, high in ends]
        self.register_buffer("fill", torch.tensor(means))
        self.register_buffer("scale", torch.tensor(halves))
        self.register_buffer("yes", torch.ones(self.numbers))
        self.register_buffer("no", torch.zeros(self.numbers))
        self.tables = nn.ParameterList(
            nn.Parameter(torch.randn(size, width, generator=generator)) for size in index_sizes(contract)
        )
        joined = 2 * self.numbers + width * len(self.tables)
        self.hidden, self.out = nn.Linear(joined, 8), nn.Linear(8, 1)
        for parameter in [*self.hidden.parameters(), *self.out.parameters()]:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4

    def forward(self, features: Tensor | None = None, indices: Tensor | None = None) -> Tensor:
        """Return ``[batch, 1]``."""
        parts = []
        if features is not None:
            missing = torch.isnan(features)
            filled = torch.where(missing, self.fill, features)
            parts += [(filled - self.fill) / self.scale, torch.where(missing, self.yes, self.no)]
        if indices is not None:
            parts += [nn.functional.embedding(indices[:, column], table) for column, table in enumerate(self.tables)]
        value: Tensor = self.out(torch.relu(self.hidden(torch.cat(parts, dim=1))))
        return value


def table_source(features: Sequence[Feature] = ALL, task: str = "binary") -> ModelSource:
    """Return the source of a table of these columns, without a sample."""
    contract = table_contract(features, task)
    module = TableModule(contract).eval()
    return ModelSource(module, contract, Example.of(module, network_inputs(contract)))


def table_rows(contract: ModelContract, rows: int, seed: int = 0) -> Arrays:
    """Return random rows of a table, some of their cells missing or unknown."""
    random = np.random.default_rng(seed)
    drawn = {
        FEATURES: lambda feature: random.choice(np.array([*np.linspace(*feature.range, 9), np.nan]), rows),
        CATEGORIES: lambda feature: random.choice(np.array([*feature.categories, "", "unknown"], object), rows),
        TIMESTAMPS: lambda feature: random.choice(
            np.array([*np.linspace(*feature.range, 99).astype(np.int64), MISSING_TIMESTAMP]), rows
        ),
    }
    return {
        spec.name: np.stack([drawn[spec.name](one) for one in contract.features_of(spec.name)], axis=1).astype(
            spec.numpy_dtype
        )
        for spec in contract.inputs
    }
