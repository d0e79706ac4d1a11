"""Modules whose answers people use: labels, tags, tokens and vectors, small enough to be exported in a second."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from parity_export import OutputSpec
from parity_export.sources.model_source import ModelSource, source_from_module

ROWS, STEPS, IDS = "x: float32[batch, 4]", "x: float32[batch, 5, 4]", "ids: int64[batch, time]"


class Ending(nn.Module):
    """A linear layer, and what makes its answer of the logits."""

    def __init__(self, size: int, ending: nn.Module | None = None) -> None:
        super().__init__()
        self.linear, self.ending = nn.Linear(4, size), ending or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.ending(3 * self.linear(x))


class Tagger(nn.Module):
    """A bidirectional LSTM over indices."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(20, 6), nn.Linear(10, 3)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.lstm(self.embed(ids))[0])


class Unit(nn.Module):
    """Gives vectors the length 1."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.normalize(x, dim=-1)


class Clamped(nn.Module):
    """Ends in an operator that hides its sigmoid or softmax."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x).clamp(1e-6, 1 - 1e-6)


NAMES = ("a", "b", "c")
MULTILABEL = OutputSpec("multilabel", "logits", NAMES, threshold=(0.3, 0.5, 0.8))
TAGGING = OutputSpec("tagging", "logits", NAMES)


def source_of(module: nn.Module, inputs: str, output_spec: OutputSpec) -> ModelSource:
    """The source of a module, the same weights each time."""
    torch.manual_seed(0)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return source_from_module(module.eval(), [inputs], output_spec, "m")


def _probabilities(task: str) -> OutputSpec:
    return OutputSpec(task, "probabilities", NAMES)  # type: ignore[arg-type]


CASES: dict[str, tuple[nn.Module, str, OutputSpec]] = {
    "binary": (Ending(1), ROWS, OutputSpec("binary", "logits", ("no", "yes"), threshold=0.7)),
    "multilabel": (Ending(3), ROWS, MULTILABEL),
    "multilabel of probabilities": (Ending(3, nn.Sigmoid()), ROWS, _probabilities("multilabel")),
    "multilabel of others": (Ending(3, Clamped(nn.Sigmoid())), ROWS, _probabilities("multilabel")),
    "one label": (Ending(1), ROWS, OutputSpec("multilabel", "logits", ("a",))),
    "tagging": (Ending(3), STEPS, TAGGING),
    "tagging of probabilities": (Ending(3, nn.Softmax(-1)), STEPS, _probabilities("tagging")),
    "tagging of others": (Ending(3, Clamped(nn.Softmax(-1))), STEPS, _probabilities("tagging")),
    "square tagging": (Ending(3), "x: float32[batch, 3, 4]", TAGGING),
    "square language model": (Ending(5), STEPS, OutputSpec("language_model")),
    "language model": (Ending(7), STEPS, OutputSpec("language_model")),
    "embedding": (Ending(5), ROWS, OutputSpec("embedding")),
    "unit embedding": (Ending(5, Unit()), ROWS, OutputSpec("embedding")),
}
