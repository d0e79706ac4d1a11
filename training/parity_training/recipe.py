"""How a run's module is rebuilt, and how it was trained: recipe.json."""

import os
import platform
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from parity_runtime import FormatError, ModelContract, TensorSpec, __version__
from parity_runtime.contract import is_encoded
from parity_runtime.errors import first_line
from parity_runtime.files.json_file import FORMAT, check_format
from parity_runtime.printable import shown
from parity_training.data.encode_columns import index_sizes
from parity_training.data.table_features import table_inputs
from parity_training.networks.ensemble import Ensemble, TableEnsemble
from parity_training.networks.registry import Network, build_network
from parity_training.networks.table_network import TableNetwork
from parity_training.settings import TrainSettings

_TASKS = ("binary", "multiclass", "regression")  # that a run is trained on


@dataclass(frozen=True)
class Recipe:
    """How to rebuild a run's module, and how it was trained.

    >>> from parity_training import Run, XORSettings, train_xor
    >>> recipe = train_xor("runs/recipe", XORSettings(size=200, epochs=1), replace=True).recipe
    >>> recipe
    Recipe(XORClassifier, binary, 2 features)
    >>> recipe.arguments, recipe.training["learning_rate"]
    ({'num_inputs': 2, 'num_outputs': 1, 'num_hidden': 4}, 0.03)

    Attributes:
        network: a name in `parity_training.NETWORKS`, or ``package.module:Callable``.
        arguments: the keyword arguments of the network.
        contract: what the network's inputs and outputs mean. What only an export can measure is None.
        data: where the rows are from.
        training: optimizer, loss, batch size, epochs, seed.
        preprocessing: the arguments of the `TableNetwork` around the network; None if the network takes rows as they
            are.
        members: how many networks predict together; the prediction is the mean of their outputs.
    """

    network: str
    arguments: dict[str, Any]
    contract: ModelContract
    data: dict[str, Any]
    training: dict[str, Any]
    preprocessing: dict[str, Any] | None = None
    members: int = 1

    def __repr__(self) -> str:
        return f"Recipe({self.network}, {self.contract.brief})"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with its format and the versions of Parity, torch and Python."""
        return {
            "format": FORMAT,
            "network": {"name": self.network, "arguments": self.arguments, "preprocessing": self.preprocessing}
            | ({"members": self.members} if self.members > 1 else {}),
            "contract": self.contract.to_json(),
            "data": self.data,
            "training": self.training,
            "versions": {
                "parity": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], where: str) -> Self:
        """Return the recipe of a JSON form; unknown keys are ignored.

        Args:
            value: the JSON form, as ``json.loads`` reads it.
            where: the name of what holds it, for error messages.

        Raises:
            FormatError: a key is missing or of another type.
        """
        check_format(value, where)
        match value:
            case {"network": {"name": str(name), "arguments": dict(arguments)}, "data": dict(data),
                  "training": dict(training), "contract": dict(contract)}:  # fmt: skip
                preprocessing = value["network"].get("preprocessing")
                if not isinstance(preprocessing, dict | None):
                    raise FormatError(f"{where}: preprocessing is {shown(preprocessing)}, not an object")
                members = value["network"].get("members", 1)
                _check_members(members, TrainSettings.from_json(training, where), where)
                read = _contract(contract, where)
                _check_preprocessing(preprocessing, read, where)
                return cls(name, arguments, read, data, training, preprocessing, members)
        raise FormatError(f"{where} lacks network, contract, data or training")

    def build(self, user_network: Network | None = None) -> nn.Module:
        """Return the module, without the trained weights.

        Args:
            user_network: the callable that makes the network, if the network is your own. A recipe is data: Parity
                never imports code that it names.

        Raises:
            FormatError: the network is unknown, does not accept its arguments, or needs more memory than there is.
        """
        if user_network is None:
            self._refuse_larger_than_memory()
        return self._built(user_network)

    def shapes(self) -> nn.Module:
        """Return the module on the device ``meta``: shapes without elements, which take no memory.

        Raises:
            FormatError: the network is unknown, or does not take its arguments.
        """
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return self._built(None)

    def _refuse_larger_than_memory(self) -> None:
        taken = sum(tensor.numel() * tensor.element_size() for tensor in self.shapes().state_dict().values())
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else taken
        if taken > there:
            raise FormatError(
                f"the network {self.network} with {shown(self.arguments)} takes {taken / 2**30:.3g} GiB, and this "
                f"machine has {there / 2**30:.3g}; make it smaller"
            )

    def _built(self, user_network: Network | None) -> nn.Module:
        bodies = [build_network(self.network, self.arguments, user_network) for _ in range(self.members)]
        if self.preprocessing is None:
            return bodies[0] if self.members == 1 else Ensemble(bodies)
        try:
            if self.members > 1:
                return TableEnsemble(bodies, **self.preprocessing)
            return TableNetwork(bodies[0], **self.preprocessing)
        except Exception as error:  # torch's, of every kind
            raise FormatError(
                f"the recipe's preprocessing {shown(self.preprocessing)} is not understood: {first_line(error)}"
            ) from error


def _contract(value: dict[str, Any], where: str) -> ModelContract:
    """Read the contract of a recipe: rows of a table, one target at least, and a known task."""
    contract = ModelContract.from_json(value, where)
    rows = table_inputs(contract.features)
    if not is_encoded(contract):  # numbers alone may come under any name
        rows = (TensorSpec(contract.inputs[0].name, "float32", ("batch", len(contract.features))),)
    known = contract.task in _TASKS and contract.targets and contract.features
    if not known or contract.inputs != rows:
        raise FormatError(f"{where}: the contract is not that of a table with a target, which a run is trained on")
    return contract


def _check_members(members: Any, settings: TrainSettings, where: str) -> None:
    """Refuse other networks than training leaves: all that were trained at once, or the best of them."""
    trained = settings.restarts if settings.combine == "average" else 1
    if type(members) is not int or members != trained:
        raise FormatError(f"{where}: members is {shown(members)}, and the training leaves {trained}")


def _check_preprocessing(preprocessing: dict[str, Any] | None, contract: ModelContract, where: str) -> None:
    """Refuse tables for other indices than the contract has: the encoder in the graph would point beside them."""
    found = [] if preprocessing is None else preprocessing.get("tables", [])
    if not isinstance(found, list):
        raise FormatError(f"{where}: preprocessing has the tables {shown(found)}, not a list")
    sizes = [table.get("size") if isinstance(table, dict) else None for table in found]
    wanted = list(index_sizes(contract)) if is_encoded(contract) else []
    if sizes != wanted:
        raise FormatError(
            f"{where}: preprocessing has tables of {shown(sizes)} indices, and the contract asks for {shown(wanted)}"
        )
