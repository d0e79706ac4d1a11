"""What the classifier and the regressor share: parameters, rows, and the network between them."""

import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)
from torch import Tensor, nn

from parity_runtime import InputError, MissingExtraError, ModelContract
from parity_runtime.feature import FEATURES
from parity_runtime.inference.input_validation import table_inputs
from parity_runtime.printable import shown
from parity_training.data.data_frame import is_frame
from parity_training.data.encode_columns import encode_columns, network_inputs
from parity_training.data.table import PATIENCE, table_defaults
from parity_training.data.table_settings import TableSettings, TableTask
from parity_training.data.training_data import TrainingData
from parity_training.fitting.evaluation import in_pieces, outputs_of
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.prepare import NetworkChoice
from parity_training.networks.registry import NETWORKS
from parity_training.settings import Combine, TrainSettings
from parity_training.sklearn.fit_network import FittedNetwork, fit_network
from parity_training.sklearn.rows import EstimatorTarget, frame_rows, matrix_rows, named_table

_OF_NETWORK = ("hidden", "activation", "dropout", "batch_norm")
_OF_FRAME = ("numeric", "categorical", "datetime", "drop_columns", "missing_values")


class ParityEstimator(BaseEstimator):  # type: ignore[misc]
    """A network over a table, fitted as ``parity train`` trains it."""

    n_features_in_: int

    def __init__(  # noqa: PLR0913 -- scikit-learn reads an estimator's parameters off its signature
        self,
        hidden: int | Sequence[int] = (100,),
        *,
        activation: str = "ReLU",
        dropout: float = 0.0,
        batch_norm: bool = False,
        network: str | Callable[..., nn.Module] = "MLP",
        epochs: int = 200,
        batch_size: int | str = "auto",
        optimizer: str = "Adam",
        optimizer_arguments: Mapping[str, Any] | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        scheduler: str | None = None,
        scheduler_arguments: Mapping[str, Any] | None = None,
        loss: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = PATIENCE,
        validation_fraction: float = 0.1,
        restarts: int = 1,
        combine: Combine = "average",
        random_state: Any = None,
        device: str = "auto",
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        datetime: Sequence[str] = (),
        drop_columns: Sequence[str] = (),
        missing_values: Sequence[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden, self.activation, self.dropout, self.batch_norm = hidden, activation, dropout, batch_norm
        self.network, self.epochs, self.batch_size = network, epochs, batch_size
        self.optimizer, self.optimizer_arguments = optimizer, optimizer_arguments
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.scheduler, self.scheduler_arguments = scheduler, scheduler_arguments
        self.loss, self.clip_norm = loss, clip_norm
        self.patience, self.validation_fraction = patience, validation_fraction
        self.restarts, self.combine = restarts, combine
        self.random_state, self.device, self.verbose = random_state, device, verbose
        self.numeric, self.categorical, self.datetime = numeric, categorical, datetime
        self.drop_columns, self.missing_values = drop_columns, missing_values

    @property
    def network_(self) -> nn.Module:
        """The network with its preprocessing, in eval mode, on the CPU."""
        return self.fitted_.network

    @property
    def contract_(self) -> ModelContract:
        """What the network's inputs and outputs mean."""
        return self.fitted_.contract

    def fitted(self) -> FittedNetwork:
        """Return the fitted network with everything that `fit` found.

        Raises:
            sklearn.exceptions.NotFittedError: `fit` was not called.
        """
        check_is_fitted(self)
        return self.fitted_

    def export(self, path: str | Path, *, replace: bool = False, **options: Any) -> Any:
        """Write a package that predicts as this estimator does; needs the [export] and [cpu] extras.

        Args:
            path: the package folder. Its name is also the model's name.
            replace: replace an existing package.
            options: arguments of `parity_export.ExportOptions`, such as ``certified=True``.

        Returns:
            The `parity_export.Exported`.

        Raises:
            sklearn.exceptions.NotFittedError: `fit` was not called.
            MissingExtraError: a library that the export needs is not installed.
            ParityRefusedError: the graph computes something else than the network. No package is written.
            InputError: the folder exists, or an option has a wrong value.
        """
        check_is_fitted(self)
        export = _exporter()
        source = export.source_from_estimator(self, Path(path).absolute().name)
        return export.export_package(source, path, export.ExportOptions(replace=replace, **options))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _fit(self, X: Any, target: EstimatorTarget, sample_weight: Any, more: Mapping[str, Any]) -> Self:
        """Fit on validated rows: a matrix, or a data frame; with settings that not every estimator has."""
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        data = self._training_data(X, target, seed)
        if weights is not None:
            data = replace(data, row_weights=torch.from_numpy(weights))
        self._take(fit_network(data, self._choice(), self._settings(data, seed, more), self._told))
        return self

    def _take(self, fitted: FittedNetwork) -> None:
        self.fitted_ = fitted
        self.n_iter_ = len(fitted.epochs)
        self.best_epoch_ = fitted.decided["ended"]["best_epoch"] or self.n_iter_  # without validation the last
        self.loss_curve_ = [epoch.loss for epoch in fitted.epochs]
        losses = [epoch.validation_loss for epoch in fitted.epochs]
        self.validation_loss_curve_ = [loss for loss in losses if loss is not None]

    def _validation_metric(self, name: str) -> list[float]:
        """Return a metric of the validation rows after each epoch; empty without any."""
        return [epoch.metrics[name] for epoch in self.fitted_.epochs if name in epoch.metrics]

    def _training_data(self, X: Any, target: EstimatorTarget, seed: int) -> TrainingData:
        share = self.validation_fraction
        if not 0 <= share < 1:
            raise InputError(f"validation_fraction is {share}; it must be at least 0 and less than 1")
        names = self._column_names()
        target = replace(target, names=tuple(_free_name(name, names) for name in target.names))
        lists: dict[str, Any] = {name: _names(getattr(self, name)) for name in _OF_FRAME}
        if self.missing_values is None:
            del lists["missing_values"]
        task: TableTask = "classification" if target.classes else "regression"
        settings = TableSettings(
            target.names, task=task, validation=self.validation_fraction, test=0.0, seed=seed, **lists
        )
        if is_frame(X):
            return frame_rows(X, names, target, settings)
        said = next((name for name, values in lists.items() if values), None)
        if said is not None:
            raise InputError(f"{said} is for a data frame, whose columns have names and kinds; X is an array")
        return matrix_rows(X, names, target, settings)

    def _validated(self, X: Any, y: Any, **checks: Any) -> tuple[Any, Any]:
        """Return rows and target as scikit-learn validates them; a data frame stays one."""
        self._fitted_on_frame = is_frame(X)
        if not self._fitted_on_frame:
            return self._matrix(X, y, ensure_min_samples=2, **checks)  # type: ignore[no-any-return]
        _refuse_twins(getattr(X, "column_names", X.columns))
        validate_data(self, X, y, skip_check_array=True)
        check_consistent_length(X, y)
        if not self.n_features_in_:
            raise ValueError(
                f"Found a data frame with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        return X, y

    def _matrix(self, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
        try:
            return validate_data(self, X, y, dtype="numeric", ensure_all_finite="allow-nan", order="C", **checks)
        except ValueError as error:
            if "could not convert string" not in str(error) and "bytes/strings" not in str(error):
                raise
            raise InputError(
                f"X is an array that holds text ({_first_text(X)}); give a data frame, whose columns of text are "
                "categories"
            ) from error

    def _column_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{place}" for place in range(self.n_features_in_)] if names is None else list(map(str, names))

    def _outputs(self, X: Any) -> Tensor:
        """Return what the network gives for rows, float32 ``[rows, outputs]``."""
        return outputs_of(self.fitted().network, in_pieces(self._inputs(X)))

    def _inputs(self, X: Any) -> list[Tensor]:
        if not self._fitted_on_frame:
            matrix = self._matrix(X, reset=False)
            with np.errstate(over="ignore"):
                rows = np.array(matrix, np.float32)  # a copy: torch wants memory that it may write to
            if np.isinf(rows).any():
                raise InputError("X contains a value too large for float32, in which the network computes")
            return [torch.from_numpy(rows)]
        arrays = encode_columns(self.contract_, table_inputs(self.contract_, self._columns(X)))
        taken = [torch.from_numpy(np.array(arrays[spec.name])) for spec in network_inputs(self.contract_)]
        return taken if FEATURES in arrays else [torch.empty(len(taken[0]), 0), *taken]  # numbers come first

    def _columns(self, X: Any) -> Any:
        """Return the columns of rows by name: of a frame, or of an array in the order of the frame's columns."""
        names = self._column_names()
        if is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            return named_table(X, names)
        cells = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
        return dict(zip(names, cells.T, strict=True))

    def _choice(self) -> NetworkChoice:
        own = None if isinstance(self.network, str) else self.network
        builder = own or NETWORKS.get(str(self.network))
        taken = inspect.signature(builder).parameters if builder else ()
        arguments = {name: _plain(getattr(self, name)) for name in _OF_NETWORK if name in taken}
        name = str(self.network) if own is None else getattr(own, "__qualname__", type(own).__name__)
        return NetworkChoice(name, arguments, own)

    def _settings(self, data: TrainingData, seed: int, more: Mapping[str, Any]) -> TrainSettings:
        defaults, batch_size = table_defaults(data, seed), self.batch_size
        if batch_size == "auto":
            batch_size = defaults.batch_size
        if isinstance(batch_size, str):
            raise InputError(f"batch_size is {shown(batch_size)}; give auto, or a number of rows")
        return replace(
            defaults,
            epochs=self.epochs,
            batch_size=batch_size,
            optimizer=self.optimizer,
            optimizer_arguments=dict(self.optimizer_arguments or {}),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            scheduler=self.scheduler,
            scheduler_arguments=dict(self.scheduler_arguments or {}),
            loss=self.loss,
            clip_norm=self.clip_norm,
            patience=self.patience,
            restarts=self.restarts,
            combine=self.combine,
            device=self.device,
            **{name: _plain(value) for name, value in more.items()},
        )

    def _told(self, epoch: EpochResult) -> None:
        if self.verbose:
            validated = "" if epoch.validation_loss is None else f", validation loss {epoch.validation_loss:.6f}"
            sys.stdout.write(f"epoch {epoch.epoch}: loss {epoch.loss:.6f}{validated}\n")


def _plain(value: Any) -> Any:
    """Return a parameter as Python has it: a search draws numpy's numbers and truth values."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _names(given: Any) -> tuple[str, ...]:
    """Return names as a tuple: of none, of one as text, or of several in any collection, such as a frame's columns."""
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _exporter() -> Any:
    """Return the package that exports: of a layer above this one, so it is known by its name alone."""
    try:
        return importlib.import_module("parity_export")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0].startswith("parity_"):
            raise
        raise MissingExtraError(
            f'export needs {error.name}, which is not installed; from a checkout of Parity: pip install ".[export,cpu]"'
        ) from error


def target_names(y: Any, values: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the targets: those of a series or a data frame, else ``target``, or ``target0`` and so on.

    Args:
        y: as it was handed in.
        values: the same as an array, ``[rows]`` or ``[rows, targets]``.
    """
    count = values.shape[1] if values.ndim == 2 else 1
    columns = list(getattr(y, "columns", [getattr(y, "name", None)]))
    if len(columns) == count and all(isinstance(name, str) and name for name in columns):
        return tuple(columns)
    return ("target",) if count == 1 else tuple(f"target{place}" for place in range(count))


def _refuse_twins(names: Iterable[Any]) -> None:
    twins = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twins:
        raise InputError(f"the data frame has several columns named {shown(twins[0])}; give each a name of its own")


def _first_text(X: Any) -> str:
    return next((shown(cell) for cell in np.asarray(X, object).flat if isinstance(cell, str) and _no_number(cell)), "")


def _no_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"{name}_"
    return name
