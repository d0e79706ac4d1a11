"""Networks of tables and of graphs: DLRM, TabNet, FT-Transformer, a graph convolution."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from parity_export import OutputSpec

from .network import Network, below, below_dimension, settled


def _mlp(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())))


class DLRM(nn.Module):
    """Naumov et al. 2019, with the sizes of its Criteo example: will somebody click?"""

    def __init__(self, rows: int = 10_000, columns: int = 26, width: int = 16, bottom: tuple[int, ...] = (512, 256, 64),
                 top: tuple[int, ...] = (512, 256)) -> None:  # fmt: skip
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, width) for _ in range(columns))
        self.bottom = _mlp(13, *bottom, width)
        pairs = torch.tril_indices(columns + 1, columns + 1, -1)
        self.register_buffer("pairs", pairs, persistent=False)
        self.top = nn.Sequential(_mlp(width + pairs.shape[1], *top), nn.Linear(top[-1], 1))

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        """Return [batch, 1] logits of [batch, 13] numbers and [batch, 26] indices."""
        x = self.bottom(dense)
        vectors = torch.stack([x, *(table(sparse[:, index]) for index, table in enumerate(self.tables))], 1)
        products = vectors @ vectors.transpose(1, 2)
        return self.top(torch.cat([x, products[:, self.pairs[0], self.pairs[1]]], 1))


def sparsemax(x: Tensor) -> Tensor:
    """Return the nearest point of the simplex, along the last axis (Martins and Astudillo 2016)."""
    x = x - x.amax(-1, keepdim=True)  # the largest is then always in the support, whatever is rounded
    ordered, _ = torch.sort(x, dim=-1, descending=True)
    ranks = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    sums = ordered.cumsum(-1) - 1
    support = (ranks * ordered > sums).sum(-1, keepdim=True)
    return torch.relu(x - sums.gather(-1, support - 1) / support)


class _GatedLayers(nn.Module):
    """Linear, batch normalization, gated linear unit: twice; the linear layers may be shared between steps."""

    def __init__(self, linears: list[nn.Linear], first: bool) -> None:
        super().__init__()
        self.linears, self.first = nn.ModuleList(linears), first
        self.norms = nn.ModuleList(nn.BatchNorm1d(linear.out_features) for linear in linears)

    def forward(self, x: Tensor) -> Tensor:
        for index, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=True)):
            gated = functional.glu(norm(linear(x)))
            x = gated if self.first and not index else (x + gated) * 0.5**0.5
        return x


class TabNet(nn.Module):
    """Arik and Pfister 2019: in each step a sparse mask chooses columns."""

    def __init__(self, columns: int = 54, classes: int = 7, width: int = 64, steps: int = 3) -> None:
        super().__init__()
        self.width, self.enter, self.relaxation = width, nn.BatchNorm1d(columns), 1.5
        shared = [nn.Linear(inputs, 4 * width, bias=False) for inputs in (columns, 2 * width)]
        self.features, self.masks = nn.ModuleList(), nn.ModuleList()
        for step in range(steps + 1):
            own = [nn.Linear(2 * width, 4 * width, bias=False) for _ in range(2)]
            self.features.append(nn.Sequential(_GatedLayers(shared, first=True), _GatedLayers(own, first=False)))
            if step:
                self.masks.append(nn.Sequential(nn.Linear(width, columns, bias=False), nn.BatchNorm1d(columns)))
        self.out = nn.Linear(width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [batch, classes] logits."""
        x = self.enter(x)
        attention, prior = self.features[0](x)[:, self.width :], torch.ones_like(x)
        total = 0.0
        for mask_of, features in zip(self.masks, self.features[1:], strict=True):
            mask = sparsemax(mask_of(attention) * prior)
            prior = prior * (self.relaxation - mask)
            decision, attention = features(mask * x).split(self.width, 1)
            total = total + torch.relu(decision)
        return self.out(total)


class _TabularBlock(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=0.2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.enter, self.leave = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, need_weights=False)[0]
        value, gate = self.enter(self.norm2(x)).chunk(2, -1)
        return x + self.leave(value * torch.relu(gate))


class FTTransformer(nn.Module):
    """Gorishniy et al. 2021: every column a token, numbers by a vector each, categories by an embedding."""

    def __init__(
        self, numbers: int = 8, categories: tuple[int, ...] = (12, 31, 7), width: int = 192, layers: int = 3
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(numbers, width).uniform_(-(width**-0.5), width**-0.5))
        self.bias = nn.Parameter(torch.empty(numbers, width).uniform_(-(width**-0.5), width**-0.5))
        self.tables = nn.ModuleList(nn.Embedding(rows, width) for rows in categories)
        self.token = nn.Parameter(torch.randn(width) * width**-0.5)
        self.blocks = nn.Sequential(*(_TabularBlock(width, 8, width * 4 // 3) for _ in range(layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Return [batch, 1] values."""
        columns = [table(categories[:, index]) for index, table in enumerate(self.tables)]
        tokens = numbers[:, :, None] * self.weight + self.bias
        first = self.token.expand(len(numbers), 1, -1)
        return self.head(self.blocks(torch.cat([first, tokens, torch.stack(columns, 1)], 1))[:, 0])


class GraphConvolution(nn.Module):
    """Kipf and Welling 2017, with the sizes of Cora: a class for every node of a graph."""

    def __init__(self, features: int = 1433, hidden: int = 16, classes: int = 7) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(features, hidden, bias=False), nn.Linear(hidden, classes, bias=False)
        self.bias1, self.bias2 = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.zeros(classes))

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Return [nodes, classes] logits of [nodes, features] and of [2, edges], from which node to which."""
        source, target = edges
        degree = torch.ones_like(nodes[:, 0]).index_add(0, target, torch.ones_like(target, dtype=nodes.dtype))
        scale = degree.rsqrt()
        x = torch.relu(self._spread(self.first(nodes), source, target, scale) + self.bias1)
        return self._spread(self.second(x), source, target, scale) + self.bias2

    @staticmethod
    def _spread(x: Tensor, source: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        scaled = x * scale[:, None]
        return scaled.index_add(0, target, scaled[source]) * scale[:, None]


def tabnet(**sizes: int) -> nn.Module:
    """Return a TabNet that has seen rows."""
    return settled(TabNet(**sizes), torch.randn(512, sizes.get("columns", 54)))


_CLICK = ("dense: float32[batch, 13]", "sparse: int64[batch, 26]")
_COLUMNS = ("numbers: float32[batch, 8]", "categories: int64[batch, 3]")
_GRAPH = ("nodes: float32[nodes, 1433]", "edges: int64[2, edges]")

NETWORKS = (
    Network("dlrm", DLRM, _CLICK, 4.636, draws={"sparse": below(10_000)}),
    Network("tabnet", tabnet, ("x: float32[batch, 54]",), 0.328, OutputSpec("multiclass", "logits")),
    Network("ft-transformer", FTTransformer, _COLUMNS, 0.9, draws={"categories": below(12, 31, 7)}),
    Network(
        "gnn", GraphConvolution, _GRAPH, 0.02306, draws={"edges": below_dimension("nodes")},
        example={"nodes": 16, "edges": 40}, new=({"nodes": 100, "edges": 421}, {"nodes": 5, "edges": 3}),
    ),
)  # fmt: skip
