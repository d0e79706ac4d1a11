"""Layers of several networks as one layer of all: values are side by side, ``[batch, networks * numbers]``.

Parameters have the names of one network's, one network's behind the other's along the first axis.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from parity_training.networks.mlp import MLP
from parity_training.networks.table_network import LogLink, TableNetwork, TargetScale
from parity_training.networks.xor_classifier import XORClassifier

_SHAPE_AGNOSTIC = (MLP, XORClassifier, nn.Sequential)
"""Networks whose forward takes any axes in front of the last, if their layers do."""

_ELEMENTWISE = (
    nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.GELU, nn.SiLU, nn.Mish, nn.ELU,
    nn.SELU, nn.CELU, nn.LeakyReLU, nn.Softplus, nn.Softsign, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Tanhshrink,
    nn.Softshrink, nn.Hardshrink,
)  # fmt: skip

_SMALL = 2**12
"""Elements of a block-diagonal matrix; one product with it is faster than one for each network."""


class _StackedTable(TableNetwork):
    """`TableNetwork` whose body and embeddings are stacked; what is measured on the training rows is shared."""

    def __init__(self, networks: Sequence[TableNetwork]) -> None:
        nn.Module.__init__(self)
        self.count, first = len(networks), networks[0]
        for name, child in first.named_children():
            self.add_module(name, copy.deepcopy(child))
        self.indicators = self._modules.get("indicators")  # type: ignore[assignment] # None of a table without any
        self.body = stacked([network.body for network in networks])
        for column, table in first.tables.items():
            if isinstance(table, nn.Embedding):
                self.tables[column] = _StackedEmbedding([network.tables[column] for network in networks])  # type: ignore[misc]

    def forward(self, features: Tensor | None = None, indices: Tensor | None = None) -> Tensor:
        """Return float32 ``[batch, networks * outputs]``."""
        parts = self.parts(features, indices)
        if any(part.dim() == 3 for part in parts):  # embeddings, which each network has its own of
            each = [part if part.dim() == 3 else part[:, None].expand(-1, self.count, -1) for part in parts]
            parts = [torch.cat(each, -1).flatten(1)]
        value: Tensor = self.body(parts[0] if len(parts) == 1 else torch.cat(parts, -1))
        if isinstance(self.target, TargetScale | LogLink):  # of each target
            value = value.unflatten(1, (self.count, -1))  # type: ignore[no-untyped-call]
        found: Tensor = self.target(value)
        return found.flatten(1)


def stacked_table(networks: Sequence[TableNetwork]) -> nn.Module:
    """Return networks over a table as one; what is measured on the training rows is the first one's.

    Raises:
        TypeError: they have a layer that cannot be stacked.
    """
    return _StackedTable(networks)


class _StackedLinear(nn.Module):
    """`nn.Linear` of several networks: ``weight`` ``[networks * out, in]``, ``bias`` ``[networks * out]``."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.count, self.inputs, self.outputs = len(layers), layers[0].in_features, layers[0].out_features
        self.weight = _parameter([layer.weight for layer in layers])
        self.bias = None if layers[0].bias is None else _parameter([layer.bias for layer in layers])
        self.is_small = self.count * self.count * self.inputs * self.outputs <= _SMALL
        self.own: Tensor
        self.register_buffer(
            "own", torch.eye(self.count).repeat_interleave(self.outputs, 0)[:, :, None], persistent=False
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return ``[batch, networks * out]`` of ``values``: ``[batch, networks * in]``, or ``[batch, in]`` of all."""
        if values.shape[1] == self.inputs:
            return functional.linear(values, self.weight, self.bias)
        if self.is_small:  # all weights as one block-diagonal matrix, whose zeros cost less than a product each
            return functional.linear(values, (self.weight[:, None] * self.own).flatten(1), self.bias)
        rows = values.view(len(values), self.count, self.inputs).transpose(0, 1)
        each = torch.bmm(rows, self.weight.view(self.count, self.outputs, self.inputs).transpose(1, 2))
        found = each.transpose(0, 1).flatten(1)
        return found if self.bias is None else found + self.bias


class _StackedEmbedding(nn.Module):
    """`nn.Embedding` of several networks: ``weight`` ``[networks * indices, numbers]``."""

    def __init__(self, layers: Sequence[nn.Embedding]) -> None:
        super().__init__()
        self.count = len(layers)
        self.weight = _parameter([layer.weight for layer in layers])

    def forward(self, indices: Tensor) -> Tensor:
        """Return ``[batch, networks, numbers]`` of ``indices``, int64 ``[batch]``."""
        each = self.weight.view(self.count, -1, self.weight.shape[1])
        return each[:, indices].transpose(0, 1)


class _StackedBatchNorm(nn.Module):
    """`nn.BatchNorm1d` of several networks; what it has learned and measured is ``[networks * numbers]``."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]) -> None:
        super().__init__()
        first = layers[0]
        if first.momentum is None:
            raise TypeError("an average over all batches is not stacked")
        self.eps, self.momentum = first.eps, first.momentum
        self.weight = _parameter([layer.weight for layer in layers])
        self.bias = _parameter([layer.bias for layer in layers])
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, _joined([getattr(layer, name) for layer in layers]))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.int64))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """Return float32 ``[batch, networks * numbers]``, normalized over the batch.

        Args:
            values: ``[batch, networks * numbers]``, or ``[batch, numbers]`` that all networks share.
        """
        if self.training:
            self.num_batches_tracked.add_(1)
        if values.shape[1] < len(self.running_mean):
            values = values.repeat(1, len(self.running_mean) // values.shape[1])
        return functional.batch_norm(
            values, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )  # fmt: skip


_STACKED: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Linear: _StackedLinear,
    nn.BatchNorm1d: _StackedBatchNorm,
}


def stacked(modules: Sequence[nn.Module]) -> nn.Module:
    """Return the stack of modules of one kind.

    Raises:
        TypeError: it cannot be stacked.
    """
    kind = type(modules[0])
    if any(type(module) is not kind or _has_hooks(module) for module in modules):
        raise TypeError(f"{kind.__name__} is not stacked with others, or with hooks")
    if kind in _ELEMENTWISE:
        return modules[0]
    if kind in _STACKED:
        return _STACKED[kind](modules)
    if kind not in _SHAPE_AGNOSTIC or modules[0]._parameters or modules[0]._buffers:
        raise TypeError(f"{kind.__name__} is not stacked")
    found = copy.copy(modules[0])
    found._modules = {  # copied, as the first network keeps its own layers
        name: stacked([module._modules[name] for module in modules])  # type: ignore[misc]
        for name in modules[0]._modules
    }
    return found


def _has_hooks(module: nn.Module) -> bool:
    """Whether something is called beside a module's forward, such as torch's weight_norm and spectral_norm."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(module.__dict__[kind] for kind in kinds)


def _parameter(tensors: Sequence[Tensor | None]) -> nn.Parameter:
    """Return parameters as one, which learns where they do.

    Raises:
        TypeError: they are none, some of them learn, or a hook is called with a gradient of theirs.
    """
    parameters = [tensor for tensor in tensors if isinstance(tensor, nn.Parameter)]
    learning = {parameter.requires_grad for parameter in parameters}
    hooked = any(one._backward_hooks or one._post_accumulate_grad_hooks for one in parameters)
    if len(parameters) < len(tensors) or len(learning) > 1 or hooked:
        raise TypeError("what is not a plain parameter is not stacked")
    return nn.Parameter(_joined([parameter.detach() for parameter in parameters]), requires_grad=learning.pop())


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors of one shape one behind the other.

    Raises:
        TypeError: they have several shapes, or are none.
    """
    if any(tensor is None or tensor.shape != tensors[0].shape for tensor in tensors):
        raise TypeError("tensors of several shapes are not stacked")
    return torch.cat(list(tensors))
