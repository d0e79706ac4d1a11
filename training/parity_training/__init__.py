"""Train a network on a table, or on data of your own, and write a run: its weights, and what rebuilds the network.

>>> from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model
>>> settings = TableSettings("label")
>>> data = table_data(TableDataset("tests/data/test.csv", settings), settings, "points")
>>> train_model(data, NetworkChoice("MLP", {"hidden": [8]}), TrainSettings(epochs=5), "runs/points", replace=True)
Run('runs/points', MLP, binary, 2 features)
"""

from parity_training.data.batch_sources import batches_from
from parity_training.data.batches import TensorLoader, data_loader
from parity_training.data.stream_table import StreamedTable, stream_table
from parity_training.data.table import TableDataset, table_data
from parity_training.data.table_settings import TableSettings
from parity_training.data.training_data import TrainingData
from parity_training.data.xor import XORDataset, XORSettings, xor_data
from parity_training.fitting.mlflow_log import MLflowLog
from parity_training.fitting.prepare import NetworkChoice
from parity_training.fitting.process_group import LostProcessError, process_group
from parity_training.fitting.stop_signals import StoppedError
from parity_training.networks import MLP, NETWORKS, XORClassifier, build_network
from parity_training.networks.table_network import TableNetwork
from parity_training.recipe import Recipe
from parity_training.run import Run
from parity_training.settings import TrainSettings
from parity_training.train import resume, train_model, train_xor
from parity_training.unfinished_run import UnfinishedRunError
from parity_training.weights.load_weights import load_weights
from parity_training.weights.state_dict import apply_state_dict, load_state_dict, weights_id

__all__ = [  # noqa: RUF022 -- as sorted() has it
    "LostProcessError",
    "MLP",
    "MLflowLog",
    "NETWORKS",
    "NetworkChoice",
    "Recipe",
    "Run",
    "StoppedError",
    "StreamedTable",
    "TableDataset",
    "TableNetwork",
    "TableSettings",
    "TensorLoader",
    "TrainSettings",
    "TrainingData",
    "UnfinishedRunError",
    "XORClassifier",
    "XORDataset",
    "XORSettings",
    "apply_state_dict",
    "batches_from",
    "build_network",
    "data_loader",
    "load_state_dict",
    "load_weights",
    "process_group",
    "resume",
    "stream_table",
    "table_data",
    "train_model",
    "train_xor",
    "weights_id",
    "xor_data",
]
