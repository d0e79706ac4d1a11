"""Some thirty architectures as people have them, each with the inputs that a user would declare."""

from . import convnets, recurrent, swin, tabular, vision
from .network import Network


def networks() -> dict[str, Network]:
    """Return all of them by name, in the order of the page; needs the package transformers."""
    from . import transformer_models

    modules = (tabular, recurrent, vision, convnets, swin, transformer_models)
    return {network.name: network for module in modules for network in module.NETWORKS}
