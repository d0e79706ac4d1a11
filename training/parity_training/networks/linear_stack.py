"""Networks that are nothing but Linear layers and activations, one behind the other."""

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from parity_training.networks.mlp import MLP
from parity_training.networks.table_network import TableNetwork
from parity_training.networks.xor_classifier import XORClassifier

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def linear_stack(network: nn.Module, others: Collection[type[nn.Module]]) -> list[nn.Module] | None:
    """Return the Linear layers and activations of a stack, in their order; None where a network is anything else.

    Subclasses, hooks, frozen or shared parameters, types beside float32, and layers that overwrite what they take
    (derivatives need it) make it something else. Of a `TableNetwork` it is the body and what stands behind it, where
    what stands before it learns nothing.

    >>> from parity_training import MLP
    >>> linear_stack(MLP(2, 1, hidden=[4], activation="Tanh"), [nn.Tanh])
    [Linear(in_features=2, out_features=4, bias=True), Tanh(), Linear(in_features=4, out_features=1, bias=True)]

    Args:
        network: of any kind.
        others: layers without parameters that a stack may have.
    """
    layers = list(_layers(network))
    parameters = [parameter for layer in layers for parameter in layer.parameters(recurse=False)]
    known = all(type(layer) is nn.Linear or type(layer) in others for layer in layers)
    same = list(map(id, parameters)) == list(map(id, network.parameters()))
    hooked: bool = _has_any_global_hook()  # type: ignore[no-untyped-call]
    plain = not hooked and all(map(_is_plain, network.modules())) and all(map(_learns, parameters))
    return layers if known and parameters and same and plain else None


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    if type(network) is nn.Sequential:
        parts = tuple(network)  # a layer may stand there twice
    elif type(network) is MLP:
        parts = (network.layers,)
    elif type(network) is XORClassifier:
        parts = (network.linear1, network.activation_f1, network.linear2)
    elif type(network) is TableNetwork:
        parts = (network.body, network.target)
    else:
        yield network
        return
    for part in parts:
        yield from _layers(part)


def _is_plain(module: nn.Module) -> bool:
    overwrites = "forward" in vars(module) or getattr(module, "inplace", False)
    return not overwrites and not any(getattr(module, hooks) for hooks in _HOOKS)


def _learns(parameter: Tensor) -> bool:
    hooked: Any = parameter._backward_hooks or parameter._post_accumulate_grad_hooks
    exact = type(parameter) is nn.Parameter and parameter.dtype == torch.float32
    return exact and parameter.requires_grad and not hooked
