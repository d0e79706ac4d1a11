"""Modules of users, as they would bring them."""

import torch
from torch import Tensor, nn


class NotebookClassifier(nn.Module):
    """The notebook's own class: it ends in a sigmoid."""

    def __init__(self, num_inputs: int, num_hidden: int, num_outputs: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(num_inputs, num_hidden)
        self.activation_f1 = nn.Tanh()
        self.linear2 = nn.Linear(num_hidden, num_outputs)
        self.activation_sig = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear1(x)
        x = self.activation_f1(x)
        x = self.linear2(x)
        return self.activation_sig(x)


class Squeezed(NotebookClassifier):
    """Returns [batch]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(1)


class Averaged(NotebookClassifier):
    """Returns probabilities that are no sigmoid's output."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * super().forward(x) + 0.5 * super().forward(x / 2)


class HandMade(NotebookClassifier):
    """A sigmoid that no operator's name gives away."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * torch.tanh(self.linear2(torch.tanh(self.linear1(x))) / 2)


class Linear(nn.Module):
    def __init__(self, inputs: int = 5, outputs: int = 3) -> None:
        super().__init__()
        self.l = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.l(x)


class Softmaxed(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(super().forward(x), dim=-1)


class Noisy(Linear):
    """Dropout that eval mode does not switch off."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), 0.5, training=True)


class BatchMean(Linear):
    """Its rows influence one another."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0, keepdim=True))


class Branching(Linear):
    """Cannot be exported: it looks at its numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > 0 else -super().forward(x)


def not_a_module() -> int:
    return 3


def broken() -> nn.Module:
    raise RuntimeError("no such file: vocabulary.txt")


class Named(nn.Module):
    """Its second parameter is left out by most who call it."""

    def __init__(self) -> None:
        super().__init__()
        self.e, self.k = nn.Embedding(10, 4), nn.Embedding(2, 4)

    def forward(self, ids: Tensor, mask: Tensor | None = None, kinds: Tensor | None = None) -> Tensor:
        h = self.e(ids) if kinds is None else self.e(ids) + self.k(kinds)
        return h.mean(1) if mask is None else (h * mask.unsqueeze(-1)).sum(1)


class Pretrained(Linear):
    """Loads a folder itself, as transformers' classes do; ``head`` is drawn at random."""

    def __init__(self, *, head: bool = False) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2) if head else nn.Identity()

    @classmethod
    def from_pretrained(cls, folder: str, *, head: bool = False, local_files_only: bool = False) -> "Pretrained":
        if not local_files_only:
            raise OSError("it would have asked a hub")
        module = cls(head=head)
        module.load_state_dict(torch.load(f"{folder}/weights.pt", weights_only=True), strict=False)
        return module


def loading(path: str) -> nn.Module:
    """A factory that loads its own weights."""
    module = Linear()
    module.load_state_dict(torch.load(path, weights_only=True))
    return module
