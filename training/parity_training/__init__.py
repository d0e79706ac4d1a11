"""Training: data, networks, the loop, and the run that they leave."""

from parity_training.networks import NETWORKS, XORClassifier, build_network
from parity_training.run import Recipe, Run
from parity_training.train import XORSettings, train_xor, xor_datasets
from parity_training.weights import apply_state_dict, load_state_dict, weights_id
from parity_training.xor import XORDataset

__all__ = [
    "NETWORKS",
    "Recipe",
    "Run",
    "XORClassifier",
    "XORDataset",
    "XORSettings",
    "apply_state_dict",
    "build_network",
    "load_state_dict",
    "train_xor",
    "weights_id",
    "xor_datasets",
]
