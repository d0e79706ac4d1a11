"""A classifier of scikit-learn's kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d
from torch import nn

from parity_runtime import InputError
from parity_runtime.printable import shown
from parity_training.data.table import PATIENCE
from parity_training.fitting.evaluation import predicted_of, probabilities_of
from parity_training.settings import Combine
from parity_training.sklearn.estimator import ParityEstimator, target_names
from parity_training.sklearn.rows import EstimatorTarget


class ParityClassifier(ClassifierMixin, ParityEstimator):  # type: ignore[misc]
    """A neural network that tells classes apart, with scikit-learn's interface.

    >>> from sklearn.datasets import load_iris
    >>> from parity_training.sklearn import ParityClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> classifier = ParityClassifier(epochs=50, learning_rate=0.01, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.predict_proba(X).shape
    (True, (150, 3))

    Rows are an array of numbers, or a data frame (pandas, polars, pyarrow) whose columns are read as those of a file by
    ``parity train``: numbers, truth values, categories, dates; identifiers and constants are left out. A missing cell
    is imputed. Preprocessing is part of the network.

    Args:
        hidden: neurons of each hidden layer; a number for one layer.
        activation: a module of torch.nn by name.
        dropout: the probability with which a neuron is silenced in training.
        batch_norm: whether to normalize each hidden layer over the batch.
        network: a name in `parity_training.NETWORKS`, or a callable that takes ``num_inputs`` and ``num_outputs``
            (and the four above, where its signature names them) and returns a module that returns logits.
        epochs: passes over the rows, at most.
        batch_size: rows of a step; ``auto``: a twentieth of the rows, from 8 to 128.
        optimizer: a class of torch.optim by name.
        optimizer_arguments: its keyword arguments but for the learning rate and the weight decay.
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        scheduler: a class of torch.optim.lr_scheduler by name, stepped once an epoch.
        scheduler_arguments: its keyword arguments.
        loss: a loss of torch.nn by name; None takes the task's own.
        class_weight: ``balanced``, or a weight by label (1 for those that are left out).
        clip_norm: the largest norm of all gradients together.
        patience: early stopping: epochs without a smaller validation loss after which training ends; None never.
        validation_fraction: of the rows, by class, that decide when to stop and which weights are best; 0: none.
        restarts: networks that are trained at once, each from first weights of its own.
        combine: what is kept of several: ``average``, the mean of what they return, or the ``best``.
        calibrate: whether logits are divided by a temperature that makes probabilities as sure as they are right, on
            the validation rows.
        threshold_for: of two classes: what the threshold is chosen for on the validation rows: ``f1``, ``recall=0.9``,
            ``precision=0.9``, or ``cost=1,10``, what a false alarm and a miss cost; None keeps 0.5.
        random_state: seeds all that is random.
        device: ``auto`` (CUDA if it is there), ``cpu``, ``cuda``.
        numeric: columns of a data frame that are numbers, whatever they look like.
        categorical: its columns of categories.
        datetime: its columns of dates, as ``name`` or ``name=format``.
        drop_columns: its columns that are left out.
        missing_values: the texts in it that are missing beside the empty one; None: NA, NaN, null and their like.
        verbose: whether to print a line an epoch.

    Attributes:
        classes_: the labels by index.
        n_features_in_: columns of X.
        feature_names_in_: their names, where X is a data frame whose names are all text.
        n_iter_: epochs that were run.
        best_epoch_: the one whose weights are kept, from 1.
        loss_curve_: the mean loss of each epoch.
        validation_loss_curve_: that of the validation rows; empty without any.
        validation_scores_: the accuracy of the validation rows after each epoch.
        network_: a torch module, preprocessing included, in eval mode on the CPU.
        contract_: what it takes and gives.
    """

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
        class_weight: str | Mapping[Any, float] | None = None,
        clip_norm: float | None = None,
        patience: int | None = PATIENCE,
        validation_fraction: float = 0.1,
        restarts: int = 1,
        combine: Combine = "average",
        calibrate: bool = False,
        threshold_for: str | None = None,
        random_state: Any = None,
        device: str = "auto",
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        datetime: Sequence[str] = (),
        drop_columns: Sequence[str] = (),
        missing_values: Sequence[str] | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            hidden,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            network=network,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            optimizer_arguments=optimizer_arguments,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            scheduler=scheduler,
            scheduler_arguments=scheduler_arguments,
            loss=loss,
            clip_norm=clip_norm,
            patience=patience,
            validation_fraction=validation_fraction,
            restarts=restarts,
            combine=combine,
            random_state=random_state,
            device=device,
            numeric=numeric,
            categorical=categorical,
            datetime=datetime,
            drop_columns=drop_columns,
            missing_values=missing_values,
            verbose=verbose,
        )
        self.class_weight, self.calibrate, self.threshold_for = class_weight, calibrate, threshold_for

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a network, and return the estimator itself.

        Args:
            X: numbers ``[rows, features]``, NaN where a cell is missing, or a data frame.
            y: the class of each row, ``[rows]``.
            sample_weight: of each row in the loss, ``[rows]``; None weighs them alike.

        Raises:
            InputError: something cannot be learned from, or a parameter does not fit; it is a ValueError.
        """
        X, labels = self._validated(X, y)
        labels = column_or_1d(labels, warn=True)
        self.classes_, indices = _distinct(labels)
        if len(self.classes_) < 2:
            raise InputError(f"y holds 1 class ({shown(str(self.classes_[0]))}); a classifier needs two or more")
        target = EstimatorTarget(target_names(y, indices), indices.astype(np.int64), package_classes(self.classes_))
        more = {"class_weights": self._class_weights(), "calibrate": self.calibrate}
        self._fit(X, target, sample_weight, more | {"threshold_for": self.threshold_for})
        self.validation_scores_ = self._validation_metric("accuracy")
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row, ``[rows]``.

        Args:
            X: as in `fit`, with the same columns.

        Raises:
            sklearn.exceptions.NotFittedError: `fit` was not called.
            InputError: the rows are not like those of `fit`; it is a ValueError.
        """
        outputs = self._outputs(X)
        labels: NDArray[Any] = self.classes_[predicted_of(outputs, self.contract_.logit_threshold)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the probability of each class, float32 ``[rows, classes]``, in the order of ``classes_``.

        Args:
            X: as in `predict`.

        Raises:
            sklearn.exceptions.NotFittedError: as `predict`.
            InputError: as `predict`.
        """
        return probabilities_of(self._outputs(X))

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Return how far each row is on the side of a class, as `parity_runtime.Predictor.decision_function`.

        Args:
            X: as in `predict`.

        Returns:
            Of two classes float32 ``[rows]``, 0 or more where the second is predicted; of more the logits, float32
            ``[rows, classes]``.

        Raises:
            sklearn.exceptions.NotFittedError: as `predict`.
            InputError: as `predict`.
        """
        logits: NDArray[np.float32] = self._outputs(X).numpy()
        if logits.shape[1] > 1:
            return logits
        return logits[:, 0] - np.float32(self.contract_.logit_threshold or 0.0)

    def _class_weights(self) -> str | list[float] | None:
        """Return the weights of the classes by index."""
        given = self.class_weight
        if given is None or isinstance(given, str):
            return given
        if not isinstance(given, Mapping):
            raise InputError(
                f"class_weight is {shown(given)}; give balanced, or a weight by label, such as {{0: 1, 1: 5}}"
            )
        unknown = [label for label in given if label not in self.classes_]
        if unknown:
            raise InputError(f"class_weight has {shown(str(unknown[0]))}, which is not a class of y")
        return [float(given.get(label, 1.0)) for label in self.classes_.tolist()]


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes in their order, and the index of each row's."""
    kinds = sorted({type(label).__name__ for label in labels}) if labels.dtype.kind == "O" else []
    if len(kinds) > 1 and {"NoneType", "str"} & {*kinds}:
        raise InputError(
            f"y holds labels of several types ({', '.join(kinds)}), which have no order; give labels of one type, and "
            "leave out rows without one"
        )
    check_classification_targets(labels)
    return np.unique(labels, return_inverse=True)


def package_classes(classes: NDArray[Any]) -> tuple[str, ...] | tuple[int, ...]:
    """Return labels as a package has them: integers, or text; truth values are ``false`` and ``true``.

    Raises:
        InputError: two labels are written alike.
    """
    labels = classes.tolist()
    if classes.dtype.kind == "b":
        return tuple(str(label).lower() for label in labels)
    if all(isinstance(label, int | float) and float(label).is_integer() for label in labels):
        return tuple(int(label) for label in labels)
    texts = tuple(map(str, labels))
    if len({*texts}) < len(texts):
        raise InputError("two classes of y are written alike; give labels that are all text or all integers")
    return texts
