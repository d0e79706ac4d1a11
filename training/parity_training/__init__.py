"""Training: data, networks, the loop, and the run that they leave."""

from parity_training.batches import TensorLoader, data_loader
from parity_training.networks import MLP, NETWORKS, XORClassifier, build_network
from parity_training.preparation import NetworkChoice
from parity_training.preprocessing import TableNetwork
from parity_training.problem import Problem
from parity_training.run import Recipe, Run
from parity_training.settings import TrainSettings
from parity_training.stopping import StoppedError
from parity_training.tables import TableDataset, TableSettings, table_problem
from parity_training.train import resume, train_problem, train_xor
from parity_training.weights import apply_state_dict, load_state_dict, weights_id
from parity_training.xor import XORDataset, XORSettings, xor_problem

__all__ = [
    "MLP",
    "NETWORKS",
    "NetworkChoice",
    "Problem",
    "Recipe",
    "Run",
    "StoppedError",
    "TableDataset",
    "TableNetwork",
    "TableSettings",
    "TensorLoader",
    "TrainSettings",
    "XORClassifier",
    "XORDataset",
    "XORSettings",
    "apply_state_dict",
    "build_network",
    "data_loader",
    "load_state_dict",
    "resume",
    "table_problem",
    "train_problem",
    "train_xor",
    "weights_id",
    "xor_problem",
]
