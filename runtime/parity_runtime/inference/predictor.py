"""Predictions from a model package, with onnxruntime and nothing else."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import (
    EMBEDDING,
    LOGITS,
    PROBABILITIES,
    VALUE,
    ModelContract,
    is_encoded,
)
from parity_runtime.errors import InputError
from parity_runtime.inference.buffer_pool import OutputNames
from parity_runtime.inference.fitted_estimator import FittedEstimator
from parity_runtime.inference.input_validation import Arrays, Rows, named_inputs, table_inputs
from parity_runtime.inference.live_session import LiveSession
from parity_runtime.inference.output_validation import check_finite, check_labels
from parity_runtime.inference.proven_answers import ProvenAnswers
from parity_runtime.inference.ready_inputs import ReadyInputs
from parity_runtime.inference.session import Provider
from parity_runtime.inference.training_range import check_has_ranges, out_of_range
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.package.loader import load_model

if TYPE_CHECKING:
    from parity_runtime.inference.device_tensors import SupportsDLPack

_CHOOSING = ("binary", "multiclass", "tagging")
_VECTORS = {"regression": VALUE, "embedding": EMBEDDING}


class Predictor(ProvenAnswers, FittedEstimator, LiveSession):
    """A model package, loaded and ready to predict.

    Any number of threads may call one predictor at once. It can be pickled and sent to worker processes: the pickle
    holds the model. After a fork the child makes its own session. `close` ends the session, and so does the end of a
    ``with`` block. scikit-learn's tools accept a predictor as a fitted estimator.

    >>> from parity_runtime import Predictor
    >>> predictor = Predictor("tests/data/species")
    >>> predictor
    Predictor('tests/data/species', multiclass, 4 features, cpu)
    >>> rows = [[0.0, -0.6, 2.6, 2.0], [-0.8, 4.1, 1.3, 1.3]]
    >>> predictor.predict(rows).tolist()
    ['setosa', 'virginica']
    >>> predictor.predict_proba(rows).shape
    (2, 3)

    Args:
        path: the package folder, or a bare ``.onnx`` file whose metadata holds its contract. For a bare file no digests
            are checked, and an `UncheckedModelWarning` says so.
        provider: ``cpu``; ``cuda``, which raises an error without CUDA; or ``auto``, which takes CUDA if it works. The
            attribute `provider` says which one runs.
        threads: number of threads within an operator; 1 is fastest for small models.
        tf32: on CUDA, let matrix products round their factors to 10 bits of mantissa; torch does not by default.
        digest: the expected package id, which ``parity info`` prints; for a bare file its SHA-256. None accepts any.
        certified: run the certified graph: `certified` and `error_bound` need it, and `run` returns its outputs too.
        allow_operators: names of operators outside the ONNX standard that may run, such as
            ``("com.microsoft::Gelu",)``. onnxruntime must contain them, and the contract must list them.

    Raises:
        InputError: there is no package at ``path``, an option is unknown, or the package has no certified graph.
        DigestError: a file is not the one that was packaged.
        FormatError: a file is malformed, newer than this version, refers to data in other files, or uses custom
            operators.
        MemoryError: there is not enough memory for onnxruntime or the model.
        ProviderError: the provider is not available on this machine.
        MissingExtraError: onnxruntime is not installed.
    """

    classes_: NDArray[Any]
    """The labels by index, ``[classes]``; empty if the model is neither a classifier nor a tagger."""

    def __init__(  # noqa: PLR0913 -- what may be said of a package, by name
        self,
        path: str | Path,
        *,
        provider: Provider = "cpu",
        threads: int = 1,
        tf32: bool = False,
        digest: str | None = None,
        certified: bool = False,
        allow_operators: Collection[str] = (),
    ) -> None:
        model = load_model(path, digest, certified=certified, allow_operators=allow_operators)
        super().__init__(model, {"provider": provider, "threads": threads, "tf32": tf32})
        self._path = str(path)
        self.classes_ = np.asarray(self.contract.classes)
        self.classes_.flags.writeable = False
        self._decision = self.contract.decision
        beside = LOGITS if self.contract.task == "language_model" else PROBABILITIES
        self._decided = None if self._decision is None else (self._decision, beside)
        self._no_probabilities = _no_probabilities(self.contract)
        self._names = [spec.name for spec in self.contract.outputs]
        # Of numbers alone: other rows are looked at cell by cell.
        self._bound_dtype = None if is_encoded(self.contract) else self.contract.inputs[0].numpy_dtype
        self._ready = ReadyInputs(self.contract, model.widest_row)
        self._unknown = UnknownCategories(self.contract)

    def __repr__(self) -> str:
        told = [repr(self._path), self.contract.brief, self.provider]
        told += ["certified"] * self.has_error_bounds + ["closed"] * self._closed
        return f"Predictor({', '.join(told)})"

    def _repr_html_(self) -> str:
        from parity_runtime.inference.predictor_view import predictor_view  # noqa: PLC0415 -- for notebooks alone

        return predictor_view(self.contract, self.package_id, self.provider, self.has_error_bounds, self._closed)

    def predict(self, rows: Rows) -> NDArray[Any]:
        """Return the prediction for each row: its class, or the values of a regression.

        Args:
            rows: float32 ``[batch, features]`` in the order of ``feature_names_in_`` (lists, float64 and integers are
                converted). Or columns by name, each ``[batch]``: a mapping, a data frame (pandas, polars, pyarrow) or a
                structured array. Columns that the model does not use are ignored. The contract may list values that
                mean a missing cell, such as -999. They count as missing in columns, lists and arrays of objects, but
                not in an array of numbers. A model that takes text, dates or truth values accepts lists of rows of
                mixed cells, arrays of objects, or columns. There a category is a ``str``, an integer, a whole float or
                a bool. A date is a ``datetime``, a ``date``, a datetime64 or text; without a time zone it is in UTC.
                None, NaN and NA are missing. For columns by name, an `UnknownCategoriesWarning` names a column of text
                if the model does not know most of its cells, and at least 20 cells in the first 1,000 rows.

        Returns:
            For a classifier ``classes_[label]``, ``[batch]``. For a regression float32 ``[batch]``, or
            ``[batch, targets]`` with several targets, in the targets' own units. For a multilabel classifier bool
            ``[batch, classes]``: which labels each row has. For a tagger the class of each position,
            ``[batch, time]``. For an embedding the vectors, float32 ``[batch, dimension]``. For a language model the
            index of the most probable next token at each position, int64 ``[batch, time]``.

        Raises:
            InputError: the rows do not fit the contract; or the model computes NaN or infinite probabilities for a
                row, whose class would be meaningless (the message names the row); or the model's task is ``tensors``.
            ConformanceError: the graph predicts a label or a token that the contract does not list.
        """
        if self._decided is not None:
            found, beside = self._run(self._decided, rows)
            check_labels(self.contract, found)
            # A logit of -infinity is a token that is never chosen; the largest of each position says all else.
            check_finite(beside.max(axis=-1) if self.contract.task == "language_model" else beside)
            predictions: NDArray[Any] = self.classes_[found] if self.contract.task in _CHOOSING else found
            return predictions
        name = _VECTORS.get(self.contract.task)
        if name is None:
            raise InputError(f"{self.contract.name} returns tensors; use run()")
        vectors: NDArray[np.float32] = self._run(name, rows)
        return vectors[:, 0] if name == VALUE and vectors.shape[1] == 1 else vectors

    def predict_proba(self, rows: Rows, *, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return the probability of each class, float32 ``[batch, classes]``, in the order of ``classes_``.

        A tagger has probabilities for each position, ``[batch, time, classes]``. The probabilities of a multilabel
        classifier are independent, and do not sum to 1. A probability is NaN where the model computes no finite one.

        >>> import numpy as np
        >>> from parity_runtime import Predictor
        >>> predictor, batch = Predictor("tests/data/xor"), np.zeros((1000, 2), np.float32)
        >>> probabilities = np.empty((1000, 2), np.float32)
        >>> for _ in range(3):  # every call writes into the same array
        ...     found = predictor.predict_proba(batch, out=probabilities)
        >>> found is probabilities
        True

        Args:
            rows: as in `predict`.
            out: the array to write the probabilities into: float32, C-contiguous, of their shape, and sharing no memory
                with the rows. None makes a new array, which takes a tenth of the time of a call with millions of rows.

        Returns:
            ``out`` itself if it is given, else a new array.

        Raises:
            InputError: the rows do not fit the contract, the model gives no probabilities, or they cannot be written
                into ``out``.
        """
        if self._no_probabilities is not None:
            raise InputError(self._no_probabilities)
        if out is not None:
            self._run_into(PROBABILITIES, rows, out)
            return out
        probabilities: NDArray[np.float32] = self._run(PROBABILITIES, rows)
        return probabilities

    def out_of_range(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which cells lie outside what the model has seen in training, bool ``[batch, features]``.

        The prediction for such a row is an extrapolation, whatever its probability and whether or not it is certified.
        Both ends of a feature's range are rounded to float32, as the cells are. A missing cell (NaN) is not outside,
        nor is a cell of a feature whose range the contract does not know.

        Args:
            rows: as in `predict`.

        Raises:
            InputError: the rows do not fit the contract, or the contract knows no feature's range.
        """
        check_has_ranges(self.contract)
        return out_of_range(self.contract, table_inputs(self.contract, rows))

    def run(self, inputs: Mapping[str, ArrayLike]) -> Arrays:
        """Return every output by name, with NaN and infinities where the model computes nothing finite.

        Args:
            inputs: every input of the contract by name, each of the contract's shape and dtype (or converted as in
                `predict`). Text is an array of ``str`` (of dtype object, or numpy's ``U``); a missing text is empty.
                Timestamps are int64 seconds since 1970 in UTC, where INT64_MIN is missing, or datetime64, where NaT is.

        Raises:
            InputError: an input is missing, unknown, or does not fit.
            ConformanceError: the graph predicts a label that is not a class of the contract.
        """
        executor = self._executor or self._running()
        if self._ready.accept(inputs):
            found = executor.run_ready(self._names, inputs)  # type: ignore[arg-type] # they are arrays
        else:
            found = executor.run(self._names, named_inputs(self.contract, inputs))
        outputs = dict(zip(self._names, found, strict=True))
        if self._decision is not None:
            check_labels(self.contract, outputs[self._decision])
        return outputs

    def run_on_device(self, inputs: Mapping[str, "SupportsDLPack"], *, check: bool = True) -> dict[str, Any]:
        """Do what `run` does with tensors on the model's own device, and return the outputs there, without copying.

        >>> import numpy as np
        >>> from parity_runtime import Predictor
        >>> points = np.ones((2, 2), np.float32)
        >>> found = Predictor("tests/data/xor").run_on_device({"features": points})
        >>> np.from_dlpack(found["label"])
        array([0, 0])

        Args:
            inputs: every input of the contract by name, of its shape and dtype, C-contiguous, with at least one row.
                The tensors may be of any library that supports DLPack, such as torch, cupy, jax and numpy. If the
                provider is ``cuda``, they must be on the first CUDA device, and the call waits for that device's
                pending work. If it is ``cpu``, they must be in main memory. After the call you may change or free them.
            check: copy a table's cells and the predicted labels from the device, and refuse what `run` refuses. With
                False, nothing looks for infinite cells, missing cells or labels that the contract does not list.

        Returns:
            Every output by name as an ``onnxruntime.OrtValue``. ``torch.from_dlpack`` and ``cupy.from_dlpack`` take it
            without a copy; its method ``numpy()`` copies it from the device.

        Raises:
            InputError: an input is missing, unknown, text, on another device, empty, not contiguous, or does not fit;
                or the installed onnxruntime does not support DLPack.
            ConformanceError: the graph predicts a label that is not a class of the contract.
        """
        executor = self._executor or self._running()
        from parity_runtime.inference.device_tensors import (  # noqa: PLC0415 -- not where nobody asks for it
            check_device_cells,
            device_tensors,
        )

        tensors = device_tensors(self.contract, inputs, self.provider)
        if check:
            check_device_cells(self.contract, tensors)
        outputs = dict(zip(self._names, executor.run_on_device(self._names, tensors), strict=True))
        if check and self._decision is not None:
            check_labels(self.contract, outputs[self._decision].numpy())
        return outputs

    def _run(self, names: OutputNames, rows: Rows) -> Any:
        """Return one output as an array, several as a list."""
        executor = self._executor or self._running()
        # A few rows of the right dtype, of a shape that was run before: the buffers are there.
        if type(rows) is ndarray and rows.dtype is self._bound_dtype:  # another object of it goes the longer way
            output = executor.run_cached(names, rows)
            if output is not None:
                return output
        inputs = table_inputs(self.contract, rows)
        self._unknown.warn(rows, inputs, 3)
        return executor.run([names], inputs)[0] if isinstance(names, str) else executor.run(names, inputs)

    def _run_into(self, name: str, rows: Rows, out: NDArray[Any]) -> None:
        executor = self._executor or self._running()
        inputs = table_inputs(self.contract, rows)
        self._unknown.warn(rows, inputs, 3)
        executor.run_into(name, inputs, out)


def _no_probabilities(contract: ModelContract) -> str | None:
    """Return why a model gives no probabilities; None where it does."""
    if contract.decision is None:
        return f"{contract.name} is not a classifier (its task is {contract.task})"
    if contract.task == "language_model":
        return f"{contract.name} gives no probabilities over its vocabulary; run() gives its logits"
    return None
