"""Answers from a model package, with onnxruntime and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import LABEL, METADATA_KEY, PROBABILITIES, VALUE, ModelContract
from parity_runtime.errors import DigestError, InputError
from parity_runtime.inputs import Arrays, dimensions, named_inputs, table_inputs
from parity_runtime.package import Package
from parity_runtime.session import Provider, create_session, session_provider


class Predictor:
    """A model package, loaded and ready to answer.

    Args:
        path: the package folder.
        provider: ``cpu``, ``cuda`` (CUDA or an error) or ``auto``.
        threads: threads within an operator; 1 is fastest for small models.
        digest: the package id that is expected (``parity info`` prints it); None takes any.

    Raises:
        InputError: there is no package at ``path``, or an option is unknown.
        DigestError: a file is not the one that was packaged.
        FormatError: a file is malformed, or newer than this version.
        ProviderError: the provider is not there.
    """

    def __init__(
        self, path: str | Path, *, provider: Provider = "cpu", threads: int = 1, digest: str | None = None
    ) -> None:
        package = Package.open(path, digest)
        self.contract: ModelContract = package.contract
        """What the model takes and gives."""
        self.package_id: str = package.id
        """sha256 of the package's manifest, in hexadecimal."""
        model = package.read(self.contract.graphs["default"])
        self._session = create_session(model, provider, threads)
        _check_metadata(package, self._session)
        self.provider: str = session_provider(self._session)
        """What the session runs on: ``cpu`` or ``cuda``."""
        self.classes_: NDArray[Any] = np.asarray(self.contract.classes)
        """The labels by index, ``[classes]``; empty unless a classifier."""
        self._output_names = [spec.name for spec in self.contract.outputs]

    def predict(self, rows: ArrayLike | Mapping[str, ArrayLike]) -> NDArray[Any]:
        """Return the predicted class of each row, ``[batch]``, or the predicted values of a regression.

        Args:
            rows: float32 ``[batch, features]`` (float64 and integers are converted), or columns by name.

        Returns:
            For a classifier ``classes_[label]``; for a regression float32 ``[batch]``, or
            ``[batch, targets]`` with several targets, in the targets' own units.

        Raises:
            InputError: the rows do not fit the contract.
        """
        if self.contract.is_classifier:
            (label,) = self._answer(rows, [LABEL])
            answers: NDArray[Any] = self.classes_[label]
            return answers
        if self.contract.task == "regression":
            (value,) = self._answer(rows, [VALUE])
            return value[:, 0] if value.shape[1] == 1 else value
        raise InputError(f"{self.contract.name} returns tensors; use run()")

    def predict_proba(self, rows: ArrayLike | Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """Return the probability of each class, float32 ``[batch, classes]``, in the order of ``classes_``.

        Raises:
            InputError: the rows do not fit the contract, or the model is no classifier.
        """
        if not self.contract.is_classifier:
            raise InputError(f"{self.contract.name} is no classifier (its task is {self.contract.task})")
        (probabilities,) = self._answer(rows, [PROBABILITIES])
        return probabilities

    def run(self, inputs: Mapping[str, ArrayLike]) -> Arrays:
        """Return every output by name.

        Args:
            inputs: every input of the contract by name.

        Raises:
            InputError: an input is missing, unknown, or does not fit.
        """
        arrays = named_inputs(self.contract, inputs)
        return dict(zip(self._output_names, self._run(self._output_names, arrays), strict=True))

    def _answer(self, rows: ArrayLike | Mapping[str, ArrayLike], outputs: list[str]) -> list[NDArray[Any]]:
        return self._run(outputs, table_inputs(self.contract, rows))

    def _run(self, outputs: list[str], arrays: Arrays) -> list[NDArray[Any]]:
        # Some onnxruntime kernels (GRU, LSTM) abort the whole process on an empty tensor.
        if any(array.size == 0 for array in arrays.values()):
            return self._empty(outputs, arrays)
        answers: list[NDArray[Any]] = self._session.run(outputs, arrays)
        return answers

    def _empty(self, outputs: list[str], arrays: Arrays) -> list[NDArray[Any]]:
        sizes = dimensions(self.contract, arrays)
        batch = self.contract.inputs[0].shape[0]
        for name, size in sizes.items():
            if size == 0 and name != batch:
                raise InputError(f"{name} is 0; {self.contract.name} needs at least one")
        specs = {spec.name: spec for spec in self.contract.outputs}
        shapes = ([sizes.get(size, 0) if isinstance(size, str) else size for size in specs[name].shape]
                  for name in outputs)  # fmt: skip
        return [np.zeros(shape, specs[name].dtype) for name, shape in zip(outputs, shapes, strict=True)]


def _check_metadata(package: Package, session: Any) -> None:
    inside = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if inside is None or not _same_json(inside, package.contract):
        raise DigestError(f"{package.path}: contract.json and the contract inside the model disagree; export again")


def _same_json(text: str, contract: ModelContract) -> bool:
    try:
        return bool(json.loads(text) == contract.to_json())
    except ValueError:
        return False
