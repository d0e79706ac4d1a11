"""The networks that a run can name."""

from parity_training.networks.mlp import MLP
from parity_training.networks.registry import NETWORKS, build_network
from parity_training.networks.xor_classifier import XORClassifier

__all__ = ["MLP", "NETWORKS", "XORClassifier", "build_network"]
