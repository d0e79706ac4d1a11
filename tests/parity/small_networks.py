"""The zoo's networks that are small, made smaller: the same layers at a tenth of their width."""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.zoo import recurrent, tabular, vision
from benchmarks.zoo.network import Draw, Network, below, settled
from torch import nn, randn

_ZOO = {one.name: one for module in (recurrent, tabular, vision) for one in module.NETWORKS}


def _small(
    name: str,
    make: Callable[[], nn.Module],
    inputs: tuple[str, ...] | None = None,
    draws: dict[str, Draw] | None = None,
) -> Network:
    network = _ZOO[name]
    return replace(network, make=make, inputs=inputs or network.inputs, draws={**network.draws, **(draws or {})})


def _vae() -> nn.Module:
    return settled(vision.VAE((4, 6, 8), latent=5), randn(8, 3, 64, 64))


SMALL = [
    _small("lstm-tagger", lambda: recurrent.Tagger(nn.LSTM, 30, 8, 3), draws={"ids": below(30)}),
    _small("gru-tagger", lambda: recurrent.Tagger(nn.GRU, 30, 8, 3), draws={"ids": below(30)}),
    _small("tcn", lambda: recurrent.TCN(3, 8, 3, 4), ("series: float32[batch, 3, time]",)),
    _small("dlrm", lambda: tabular.DLRM(20, 5, 4, (8,), (8,)), ("dense: float32[batch, 13]", "sparse: int64[batch, 5]"),
           {"sparse": below(20)}),
    _small("tabnet", lambda: tabular.tabnet(columns=6, classes=3, width=8, steps=2), ("x: float32[batch, 6]",)),
    _small("ft-transformer", lambda: tabular.FTTransformer(4, (5, 3, 4), 16, 1),
           ("numbers: float32[batch, 4]", "categories: int64[batch, 3]"), {"categories": below(5, 3, 4)}),
    _small("gnn", lambda: tabular.GraphConvolution(8, 4, 3), ("nodes: float32[nodes, 8]", "edges: int64[2, edges]")),
    _small("vae", _vae),
]  # fmt: skip
