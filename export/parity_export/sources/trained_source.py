"""The sources of networks that Parity trained: a run's, a fitted estimator's."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource, package_versions
from parity_export.sources.module_checks import check_dtypes
from parity_runtime import ModelContract
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import read_table
from parity_training import Run, weights_id
from parity_training.data.encode_columns import network_inputs
from parity_training.networks.registry import Network
from parity_training.run import TEST_TABLE

if TYPE_CHECKING:
    from parity_training.sklearn.estimator import ParityEstimator


def source_from_run(run: Run, user_network: Network | None = None) -> ModelSource:
    """Return the source of a run's network, with the run's held-out rows as the sample.

    >>> from parity_export import source_from_run
    >>> from parity_training import XORSettings, train_xor
    >>> source_from_run(train_xor("runs/source", XORSettings(size=200, epochs=1), replace=True))
    ModelSource('xor', XORClassifier, binary, 2 features)

    Args:
        run: a run whose training has finished.
        user_network: the callable that makes the network, if the network is your own. A run is data: Parity never
            imports code that it names.

    Raises:
        InputError: the run has not finished, its weights do not fit, or one of them has a dtype that numpy lacks.
        FormatError: recipe.json, profile.json or evaluation.json is malformed.
    """
    with run.reading():
        module, sample, profile = run.module(user_network), _test_rows(run), run.profile()
        evaluation = run.evaluation()
    trained = trained_source(module, run.recipe.contract, run.recipe.training.get("seed"))
    return replace(trained, sample=sample, profile=profile, evaluation=evaluation)


def source_from_estimator(estimator: "ParityEstimator", name: str) -> ModelSource:
    """Return the source of a fitted `parity_training.sklearn.ParityClassifier` or ``ParityRegressor``.

    >>> from sklearn.datasets import load_wine
    >>> from parity_export import source_from_estimator
    >>> from parity_training.sklearn import ParityClassifier
    >>> estimator = ParityClassifier(epochs=2, random_state=0).fit(*load_wine(return_X_y=True))
    >>> source_from_estimator(estimator, "wine")
    ModelSource('wine', TableNetwork, multiclass, 13 features)

    Args:
        estimator: the fitted estimator. It does not keep its rows, so the comparison draws rows from their ranges.
        name: the model's name.

    Raises:
        sklearn.exceptions.NotFittedError: the estimator is not fitted.
        InputError: one of its tensors has a dtype that numpy lacks.
    """
    fitted = estimator.fitted()
    contract = replace(fitted.contract, name=name)
    return replace(trained_source(fitted.network, contract, fitted.seed), profile=fitted.profile)


def trained_source(module: nn.Module, contract: ModelContract, seed: int | None) -> ModelSource:
    """Return the source of a network that Parity trained.

    Args:
        module: on the CPU, in eval mode.
        contract: what it takes and gives.
        seed: of its training, where there was one.

    Raises:
        InputError: one of its tensors has a dtype that numpy lacks.
    """
    check_dtypes(module)
    provenance = {"weights": weights_id(module.state_dict()), "seed": seed}
    contract = replace(contract, provenance=provenance | package_versions())
    return ModelSource(module, contract, Example.of(module, network_inputs(contract)))


def _test_rows(run: Run) -> Arrays | None:
    path, contract = run.path / TEST_TABLE, run.recipe.contract
    if not path.is_file() or not contract.features:
        return None
    table = read_table(str(path))
    if not len(table):
        return None
    read = chunk_inputs(contract, table)
    return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in read.items()}
