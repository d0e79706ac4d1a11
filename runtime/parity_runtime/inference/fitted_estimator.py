"""What scikit-learn's tools ask of a fitted estimator; scikit-learn itself is imported by them alone."""

from abc import ABC, abstractmethod
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.contract import LOGITS, ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.truth_classes import as_classes


class FittedEstimator(ABC):
    """A model that scikit-learn (1.6 or later) inspects, scores and plots as one of its own, and cannot fit again.

    Attributes:
        contract: what the model takes and gives.
        classes_: the labels by index; empty if the model is neither a classifier nor a tagger.
    """

    contract: ModelContract
    classes_: NDArray[Any]

    @abstractmethod
    def predict(self, rows: Any) -> NDArray[Any]:
        """Return the class or the values of each row."""

    @abstractmethod
    def _run(self, names: str, rows: Any) -> Any:
        """Return one output of the graph."""

    @property
    def n_features_in_(self) -> int:
        """How many features a row has. A model that takes tensors, not rows of a table, lacks this attribute."""
        if not self.contract.features:
            raise AttributeError(f"{self.contract.name} takes tensors, not rows of features")
        return len(self.contract.features)

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The features' names in the order of the columns, ``[features]``. A model that takes tensors lacks it."""
        if not self.contract.features:
            raise AttributeError(f"{self.contract.name} takes tensors, not rows of features")
        return np.array([feature.name for feature in self.contract.row_features], object)

    @property
    def _multilabel(self) -> bool:
        return self.contract.task == "multilabel"

    def decision_function(self, rows: Any) -> NDArray[np.float32]:
        """Return how far each row is on the side of a class, computed from the logits.

        Args:
            rows: as in `Predictor.predict`.

        Returns:
            With two classes, float32 ``[batch]``, which is the logit minus the contract's ``logit_threshold``. The
            model predicts ``classes_[1]`` where this is 0 or more. If the graph has one logit for each of the two
            classes, it is the second logit minus the first. With more classes, the logits, float32
            ``[batch, classes]``. For a multilabel classifier, each logit minus the ``logit_thresholds`` entry of its
            class, float32 ``[batch, classes]``. A row has a label where this is 0 or more.

        Raises:
            InputError: the rows do not fit the contract, or the model is not a classifier.
        """
        if not (self.contract.is_classifier or self._multilabel):
            raise InputError(f"{self.contract.name} is not a classifier (its task is {self.contract.task})")
        logits: NDArray[np.float32] = self._run(LOGITS, rows)
        if self._multilabel:
            return logits - np.array(self.contract.logit_thresholds, np.float32)
        if len(self.classes_) != 2:
            return logits
        if logits.shape[1] == 2:
            return logits[:, 1] - logits[:, 0]
        return logits[:, 0] - np.float32(self.contract.logit_threshold or 0.0)

    def score(self, rows: Any, truth: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return how good the predictions are, as scikit-learn's estimators do; `parity evaluate` has more metrics.

        Args:
            rows: as in `Predictor.predict`.
            truth: the true class of each row, ``[batch]``. If the classes are ``false`` and ``true``, bools and other
                capitalizations are accepted. For a regression the true values, ``[batch]`` or ``[batch, targets]``. For
                a multilabel classifier an indicator matrix, ``[batch, classes]`` of 0 and 1.
            sample_weight: the weight of each row, ``[batch]``; None gives all rows the same weight.

        Returns:
            The fraction of the rows whose class is right, or all of whose labels are right (multilabel). For a
            regression the coefficient of determination R2, averaged over the targets. A constant target counts 1 if it
            is predicted exactly, else 0.

        Raises:
            InputError: the rows do not fit the contract, or there are none; ``truth`` has another shape, or is text
                although the classes are not; ``sample_weight`` does not fit; or the model's task has no score.
        """
        if not (self.contract.is_classifier or self._multilabel or self.contract.task == "regression"):
            raise InputError(
                f"{self.contract.name} has the task {self.contract.task}, for which there is no score; compare its "
                "predictions yourself"
            )
        predictions, truth = self.predict(rows), np.asarray(truth)
        if truth.shape != predictions.shape or not len(predictions):
            raise InputError(
                f"the truth has the shape {list(truth.shape)}; the predictions have {list(predictions.shape)}"
            )
        truth = as_classes(truth, self.contract.classes) if self.contract.is_classifier else truth
        if "U" in (truth.dtype.kind, predictions.dtype.kind) and truth.dtype.kind not in (predictions.dtype.kind, "O"):
            raise InputError(
                f"the truth holds {truth.dtype}; the classes are {predictions.dtype}, such as {predictions[0]!r}"
            )
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weights is not None and (weights.shape != predictions.shape[:1] or not weights.sum() > 0):
            raise InputError(f"sample_weight has the shape {list(weights.shape)}; give each of {len(predictions)} rows "
                             "a weight, and one of them more than 0")  # fmt: skip
        if self.contract.is_classifier or self._multilabel:
            right = np.equal(predictions, truth).reshape(len(predictions), -1).all(axis=1)
            return float(np.average(right, weights=weights))
        return _r2(truth.astype(np.float64), predictions.astype(np.float64), weights)

    def fit(self, X: Any, y: Any = None, **_: Any) -> NoReturn:  # noqa: ARG002 -- scikit-learn's signature
        """Raise an error: the model was fitted before it was exported.

        Args:
            X: is ignored.
            y: is ignored.
            _: is ignored.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"{self.contract.name} is already fitted, and cannot be fitted again; where a tool of scikit-learn fits "
            "what it is given, hand it sklearn.frozen.FrozenEstimator(predictor)"
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags  # noqa: PLC0415

        contract = self.contract
        classifies, regresses = contract.is_classifier or self._multilabel, contract.task == "regression"
        several = contract.is_classifier and len(contract.classes) > 2
        return Tags(
            estimator_type="classifier" if classifies else "regressor" if regresses else None,
            target_tags=TargetTags(required=True, multi_output=len(contract.targets) > 1 or self._multilabel),
            classifier_tags=ClassifierTags(multi_class=several, multi_label=self._multilabel) if classifies else None,
            regressor_tags=RegressorTags() if regresses else None,
            input_tags=InputTags(allow_nan=any(feature.missing == "impute" for feature in contract.features)),
        )


def _r2(truth: NDArray[np.float64], predictions: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    mean = np.average(truth, axis=0, weights=weights)
    error = np.average((truth - predictions) ** 2, axis=0, weights=weights)
    spread = np.average((truth - mean) ** 2, axis=0, weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = np.where(spread > 0, 1 - error / spread, np.where(error > 0, 0.0, 1.0))
    return float(found.mean())
