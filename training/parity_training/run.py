"""A run on disk: what training leaves, and all that an export needs."""

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from parity_runtime import FormatError, InputError, ModelContract, ParityError
from parity_runtime.arguments import either
from parity_runtime.contract import is_encoded
from parity_runtime.drift.profile import Profile
from parity_runtime.errors import first_line
from parity_runtime.feature import FEATURES
from parity_runtime.files.atomic_write import beside, write_file
from parity_runtime.files.json_file import dump_json, parse_json, read_json
from parity_runtime.files.locks import held
from parity_runtime.package.manifest import EVALUATION as PACKAGED_EVALUATION
from parity_runtime.package.manifest import PROFILE
from parity_training.data.encode_columns import INDICES, network_inputs
from parity_training.networks.registry import Network
from parity_training.recipe import Recipe
from parity_training.run_view import run_view
from parity_training.weights.state_dict import apply_state_dict, check_state_dict, load_state_dict
from parity_training.weights.weights_file import StateDict
from parity_training.well_formed import well_formed

RECIPE, STATE_DICT = "recipe.json", "state_dict.pt"
EVALUATION, TEST_TABLE = PACKAGED_EVALUATION, "test.csv"
UNFINISHED = ".unfinished"
REPLACED = ".replaced"
"""Marks a run whose name another one is about to take: under the name of an unfinished run it is nothing to resume."""

PLOTS = tuple(
    f"{name}.png"
    for name in (
        "loss", "samples", "boundary", "confusion", "roc", "precision_recall", "calibration", "predictions",
        "residuals", "importance", "partial_dependence",
    )
)  # fmt: skip
"""What ``parity plot`` may add."""


def unfinished_path(run: Path) -> Path:
    """Return where a run stands until its training has finished: ``NAME.unfinished``, beside it."""
    return beside(run, "", UNFINISHED) if run.name else run


def _check_rows(module: nn.Module, contract: ModelContract, where: Path) -> None:
    """Ask a network for two rows: the contract beside its weights may be another model's.

    Raises:
        FormatError: it does not take the contract's features, or does not return its outputs.
    """
    num_outputs = contract.output(contract.bounded).shape[-1]
    try:
        with torch.no_grad():
            shape = list(module(*_two_rows(contract)).shape)
    except Exception as error:  # torch's, of every kind, and the user's own code
        raise FormatError(f"{where}: the network does not take its rows: {first_line(error)}") from error
    if shape != [2, num_outputs]:
        raise FormatError(
            f"{where}: the network returns {shape} for two rows, and the contract says [2, {num_outputs}]"
        )


def _two_rows(contract: ModelContract) -> list[Tensor]:
    if not is_encoded(contract):
        return [torch.zeros(2, len(contract.features))]
    widths = {spec.name: spec.shape[1] for spec in network_inputs(contract)}
    features = torch.zeros(2, int(widths.get(FEATURES, 0)))
    return [features, torch.zeros(2, int(widths[INDICES]), dtype=torch.int64)]


@dataclass(frozen=True)
class Run:
    """A run folder that holds at least its recipe.

    >>> from parity_training import Run, XORSettings, train_xor
    >>> path = train_xor("runs/example", XORSettings(size=200, epochs=1), replace=True).path
    >>> run = Run.open(path)
    >>> run
    Run('runs/example', XORClassifier, binary, 2 features)
    >>> sorted(run.state_dict())
    ['linear1.bias', 'linear1.weight', 'linear2.bias', 'linear2.weight']

    Attributes:
        path: the folder.
        recipe: how to rebuild the network, and how it was trained.
    """

    path: Path
    recipe: Recipe

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.recipe.network}, {self.recipe.contract.brief})"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows; None, which is `repr`, where its evaluation cannot be read."""
        drawn = [self.path / name for name in PLOTS if (self.path / name).is_file()]
        title, recipe = f"Run {self.path}: {self.recipe.network}", self.recipe
        try:
            with well_formed(self.path, EVALUATION):
                return run_view(title, recipe.contract, recipe.training, self.evaluation(), drawn)
        except ParityError:
            return None

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Return the run at ``path``; only its recipe is read.

        Args:
            path: the run folder.

        Raises:
            InputError: there is no run.
            FormatError: its recipe is malformed or newer than this version.
        """
        path = Path(path)
        recipe = path / RECIPE
        if not recipe.is_file():
            unfinished = unfinished_path(path.absolute())
            if (unfinished / RECIPE).is_file():
                raise InputError(
                    f"{path} has not finished: its training is in {unfinished.name} beside it; {_to_continue(path)}"
                )
            if path.is_file():
                raise InputError(f"{path} is a file, and a run is a folder; {_of_weights(path)}")
            raise InputError(f"{path} is not a run: it has no {RECIPE}; write one with parity train")
        return cls(path, Recipe.from_json(read_json(recipe), str(recipe)))

    def state_dict(self) -> StateDict:
        """Return the trained weights.

        Raises:
            InputError: training did not finish, or the file is not a state_dict.
        """
        self._refuse_unfinished()
        return load_state_dict(self.path / STATE_DICT)

    def profile(self) -> Profile | None:
        """Return the summary of the training rows in profile.json; None if the run has no such file.

        Raises:
            FormatError: profile.json is malformed, newer than this version, or does not fit the contract.
        """
        path = self.path / PROFILE
        return Profile.from_json(read_json(path), self.recipe.contract, str(path)) if path.is_file() else None

    def evaluation(self) -> dict[str, Any]:
        """Return what evaluation.json says about the trained network; empty if the file does not exist.

        Raises:
            FormatError: the file is malformed.
        """
        path = self.path / EVALUATION
        return read_json(path) if path.is_file() else {}

    def module(self, user_network: Network | None = None) -> nn.Module:
        """Return the trained network, on the CPU, in eval mode.

        Args:
            user_network: the callable that makes the network, if the network is your own.

        Raises:
            InputError: the weights do not fit the network.
            FormatError: the recipe's network is unknown, or does not fit its contract.
        """
        self._refuse_unfinished()
        with self.reading():
            weights = self.state_dict()
        if user_network is None:  # a recipe may ask for any size: its weights must be there before memory is taken
            check_state_dict(self.recipe.shapes(), weights, str(self.path / STATE_DICT))
        with torch.random.fork_rng(devices=[]):
            module = self.recipe.build(user_network).eval()
        apply_state_dict(module, weights, str(self.path / STATE_DICT))
        _check_rows(module, self.recipe.contract, self.path / RECIPE)
        return module

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Return a context that locks the run: in its block no process trains in the folder or replaces it.

        Raises:
            InputError: another process trains there, or has replaced the run since it was opened.
        """
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(held(self.path.resolve(), f"writing {self.path}", shared=True, seconds=10))
            except FileNotFoundError as error:
                raise InputError(f"{self.path} is gone; was it moved or removed?") from error
            if _normal(Run.open(self.path).recipe) != _normal(self.recipe):
                raise InputError(f"{self.path} was replaced while it was read; give the command again")
            yield

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Write a JSON file into the run's folder. The file is complete, or is not there at all.

        Args:
            name: the file's name.
            value: the object to write.

        Raises:
            InputError: the disk is full, or the folder cannot be written.
        """
        write_file(self.path / name, dump_json(value))

    def _refuse_unfinished(self) -> None:
        if not (self.path / STATE_DICT).is_file():
            finished = self.path.with_name(self.path.name.removesuffix(UNFINISHED))
            raise InputError(f"{self.path} has no {STATE_DICT}: its training did not finish; {_to_continue(finished)}")


def _of_weights(path: Path) -> str:
    """Return how a file of weights is exported; it does not say which network it is of."""
    return "to export weights, name the class that they are of: " + either(
        "load_module('package.module:Class', weights)",
        f"parity export package.module:Class TARGET --weights {shlex.quote(str(path))} --input ...",
    )


def _to_continue(path: Path) -> str:
    """Return how a training is continued whose run will stand at a path."""
    command = f"parity train ... --out {shlex.quote(str(path))} --resume"
    return f"continue it with {either(f'parity_training.resume({str(path)!r}, ...)', command)}"


def _normal(recipe: Recipe) -> Recipe:
    """Return a recipe as it comes back from its file."""
    return Recipe.from_json(parse_json(dump_json(recipe.to_json()), RECIPE), RECIPE)
