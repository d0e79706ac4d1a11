"""A package as a fitted estimator of scikit-learn, to inspect, plot, calibrate or combine; needs the [sklearn] extra.

>>> from parity_runtime.sklearn import load_estimator
>>> estimator = load_estimator("tests/data/xor")
>>> estimator.score([[0.1, 0.9], [0.9, 1.1]], [1, 0])
1.0

scikit-learn's functions take a `Predictor` as well, but a `Predictor` is not a ``BaseEstimator``: ``get_params`` finds
no parameters in it, and its class does not tell a classifier from a regressor.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.inference.input_validation import Rows
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "parity_runtime.sklearn needs scikit-learn, which is not installed; "
        'from a checkout of Parity: pip install ".[cpu,sklearn]"'
    ) from error

__all__ = ["PackageClassifier", "PackageRegressor", "load_estimator"]


class _PackageEstimator:
    """A package by its path, opened when it is first used. A pickle of it holds the model."""

    _kind: str

    def __init__(
        self,
        path: str | Path,
        *,
        provider: Provider = "cpu",
        threads: int = 1,
        digest: str | None = None,
        certified: bool = False,
        allow_operators: Collection[str] = (),
    ) -> None:
        self.path, self.provider, self.threads = path, provider, threads
        self.digest, self.certified, self.allow_operators = digest, certified, allow_operators

    @property
    def predictor_(self) -> Predictor:
        """The predictor of the package. The package is opened when it is first used.

        Raises:
            InputError: there is no package, or its model is not of this estimator's kind, a classifier or a regressor;
                and what `Predictor` raises.
        """
        if getattr(self, "_opened_with", None) != self._options:
            predictor = Predictor(self.path, **self._options[1])
            if predictor.__sklearn_tags__().estimator_type != self._kind:
                raise InputError(
                    f"{self.path} is not a {self._kind} (its task is {predictor.contract.task}); load_estimator "
                    "chooses the class that fits"
                )
            self._take(predictor)
        return self._predictor

    @property
    def _options(self) -> tuple[str, dict[str, Any]]:
        options = {"provider": self.provider, "threads": self.threads, "digest": self.digest}
        return str(self.path), options | {"certified": self.certified, "allow_operators": self.allow_operators}

    def _take(self, predictor: Predictor) -> None:
        self._predictor, self._opened_with = predictor, self._options

    @property
    def n_features_in_(self) -> int:
        """How many features a row has."""
        return self.predictor_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The features' names in the order of the columns."""
        return self.predictor_.feature_names_in_

    def fit(self, X: Any, y: Any = None, **_: Any) -> NoReturn:
        """Raise an error: the model was fitted before it was exported.

        Where a tool of scikit-learn calls ``fit``, give it ``sklearn.frozen.FrozenEstimator(estimator)``.

        Args:
            X: is ignored.
            y: is ignored.
            _: is ignored.

        Raises:
            InputError: always.
        """
        self.predictor_.fit(X, y)

    def predict(self, X: Rows) -> NDArray[Any]:
        """Return the class or the values of each row, as `Predictor.predict` does.

        Args:
            X: rows, as in `Predictor.predict`. A data frame whose column names are not text is read by the order of
                its columns.

        Raises:
            InputError: the rows do not fit the contract; and what `predictor_` raises.
        """
        return self.predictor_.predict(self._named(X))

    def score(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the fraction of rows whose class is right, or R2, as `Predictor.score` does.

        Args:
            X: as in `predict`.
            y: the true class or the true values of each row, as ``truth`` of `Predictor.score`.
            sample_weight: the weight of each row, ``[batch]``; None gives all rows the same weight.

        Raises:
            InputError: the rows do not fit the contract, or ``y`` or ``sample_weight`` does not fit them.
        """
        return self.predictor_.score(self._named(X), y, sample_weight)

    def _named(self, X: Rows) -> Rows:
        """Return rows as they are; of a frame whose columns have no names that are text, the columns by their place."""
        columns: Any = getattr(X, "columns", ())
        if len(columns) != self.n_features_in_ or any(isinstance(name, str) for name in columns):
            return X
        frame: Any = X
        return {name: frame.iloc[:, place] for place, name in enumerate(self.feature_names_in_)}

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        return self.predictor_.__sklearn_tags__()


class PackageClassifier(_PackageEstimator, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier's package as a fitted estimator of scikit-learn.

    >>> from parity_runtime.sklearn import PackageClassifier
    >>> classifier = PackageClassifier("tests/data/species")
    >>> classifier
    PackageClassifier(path='tests/data/species')
    >>> classifier.classes_.tolist(), classifier.n_features_in_
    (['setosa', 'versicolor', 'virginica'], 4)

    Args:
        path: the package folder.
        provider: as in `Predictor`.
        threads: as in `Predictor`.
        digest: the expected package id; None accepts any.
        certified: run the certified graph.
        allow_operators: as in `Predictor`.
    """

    _kind = "classifier"

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels by index."""
        return self.predictor_.classes_

    def predict_proba(self, X: Rows) -> NDArray[np.float32]:
        """Return the probability of each class, float32 ``[batch, classes]``, in the order of ``classes_``.

        Args:
            X: as in `predict`.

        Raises:
            InputError: the rows do not fit the contract.
        """
        return self.predictor_.predict_proba(self._named(X))

    def decision_function(self, X: Rows) -> NDArray[np.float32]:
        """Return how far each row is on the side of a class, as `Predictor.decision_function` does.

        Args:
            X: as in `predict`.

        Returns:
            With two classes float32 ``[batch]``, with more classes float32 ``[batch, classes]``. The documentation of
            `Predictor.decision_function` says what the numbers mean.

        Raises:
            InputError: the rows do not fit the contract.
        """
        return self.predictor_.decision_function(self._named(X))


class PackageRegressor(_PackageEstimator, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regression's package as a fitted estimator of scikit-learn.

    >>> from parity_runtime.sklearn import PackageRegressor
    >>> regressor = PackageRegressor("tests/data/rent", threads=2)
    >>> regressor.get_params()["threads"], list(regressor.feature_names_in_)
    (2, ['area', 'rooms', 'age'])

    Args:
        path: the package folder.
        provider: as in `Predictor`.
        threads: as in `Predictor`.
        digest: the expected package id; None accepts any.
        certified: run the certified graph.
        allow_operators: as in `Predictor`.
    """

    _kind = "regressor"


def load_estimator(path: str | Path, **options: Any) -> PackageClassifier | PackageRegressor:
    """Return a package as a `PackageClassifier` or a `PackageRegressor`, whichever fits its model.

    >>> from parity_runtime.sklearn import load_estimator
    >>> load_estimator("tests/data/rent")
    PackageRegressor(path='tests/data/rent')

    Args:
        path: the package folder.
        options: arguments of `PackageClassifier` and `PackageRegressor`.

    Raises:
        InputError: there is no package, or its model is neither a classifier nor a regression; and what `Predictor`
            raises.
    """
    predictor = Predictor(path, **options)
    found = predictor.__sklearn_tags__().estimator_type
    for kind in (PackageClassifier, PackageRegressor):
        if found == kind._kind:
            estimator = kind(path, **options)
            estimator._take(predictor)
            return estimator
    raise InputError(f"{path} has the task {predictor.contract.task}, which scikit-learn has no estimators for")
