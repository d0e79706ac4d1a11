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
    """A neural network that classifies rows, with scikit-learn's interface.

    >>> from sklearn.datasets import load_iris
    >>> from parity_training.sklearn import ParityClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> classifier = ParityClassifier(epochs=50, learning_rate=0.01, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.predict_proba(X).shape
    (True, (150, 3))

    Rows are an array of numbers, or a data frame (pandas, polars, pyarrow). A data frame's columns are read as ``parity
    train`` reads those of a file: they are numbers, truth values, categories or dates, and identifiers and constants
    are left out. Missing cells are imputed. Preprocessing is part of the network.

    Args:
        hidden: the number of neurons in each hidden layer; a single number makes one layer.
        activation: the name of a module of torch.nn.
        dropout: the probability that a neuron is dropped in training.
        batch_norm: whether to normalize each hidden layer over the batch.
        network: a name in `parity_training.NETWORKS`, or a callable that returns a module. The module returns logits.
            The callable takes ``num_inputs`` and ``num_outputs``, and those of the four arguments above that its
            signature names.
        epochs: the largest number of passes over the rows.
        batch_size: rows in one step; ``auto`` is a twentieth of the rows, but at least 8 and at most 128.
        optimizer: the name of a class of torch.optim.
        optimizer_arguments: its keyword arguments except the learning rate and the weight decay.
        learning_rate: the optimizer's learning rate.
        weight_decay: the optimizer's weight decay.
        scheduler: the name of a class of torch.optim.lr_scheduler, which takes one step an epoch; None keeps the
            learning rate.
        scheduler_arguments: its keyword arguments.
        loss: the name of a loss of torch.nn; None takes BCEWithLogitsLoss for two classes, CrossEntropyLoss for more.
        class_weight: ``balanced``, or a mapping from labels to weights, in which a missing label has the weight 1; None
            gives all classes the same weight.
        clip_norm: clip the norm of all gradients together to this; None does not clip.
        patience: stop after this many epochs in which the validation loss did not improve; None never stops early.
        validation_fraction: the fraction of the rows, taken from each class, that decides when to stop and which
            weights are best; 0 for none.
        restarts: how many networks to train at once, each from its own initial weights.
        combine: with several networks: ``average`` keeps the mean of their outputs, ``best`` keeps the network with the
            smallest validation loss.
        calibrate: divide the logits by a temperature that is fitted on the validation rows, so that the probabilities
            match how often the predictions are right.
        threshold_for: for two classes: choose the threshold on the validation rows for ``f1``, ``recall=0.9``,
            ``precision=0.9`` or ``cost=1,10`` (the cost of a false positive and of a false negative). None keeps 0.5.
        random_state: the seed of everything random: an integer, a numpy RandomState, or None for numpy's global one.
        device: ``cpu``, ``cuda``, or ``auto``, which takes CUDA if it is available.
        numeric: columns of numbers in a data frame, even if they look like categories or identifiers.
        categorical: columns of categories in a data frame.
        datetime: columns of dates in a data frame, as ``name`` or ``name=format``.
        drop_columns: columns of a data frame to leave out.
        missing_values: texts in a data frame that count as missing, besides the empty text; None for NA, #N/A, N/A,
            n/a, NaN, nan, NULL, null, None and <NA>.
        verbose: whether to print a line for each epoch.

    Attributes:
        classes_: the labels by index.
        n_features_in_: the number of columns of X.
        feature_names_in_: the names of the columns, if X is a data frame whose column names are all text.
        n_iter_: how many epochs were run.
        best_epoch_: the number, from 1, of the epoch whose weights are kept.
        loss_curve_: the mean loss of each epoch.
        validation_loss_curve_: the mean loss of the validation rows after each epoch; empty without validation rows.
        validation_scores_: the accuracy of the validation rows after each epoch.
        network_: the trained torch module with its preprocessing, in eval mode on the CPU.
        contract_: what the network's inputs and outputs mean.
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
            sample_weight: the weight of each row in the loss, ``[rows]``; None gives all rows the same weight.

        Raises:
            InputError: X or y cannot be used for training, or a parameter has a wrong value. It is a ValueError.
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
            InputError: the rows do not have the columns and kinds of those of `fit`. It is a ValueError.
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
        """Return how far each row is on the side of a class, as `parity_runtime.Predictor.decision_function` does.

        Args:
            X: as in `predict`.

        Returns:
            With two classes float32 ``[rows]``, 0 or more where the second class is predicted. With more classes the
            logits, float32 ``[rows, classes]``.

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
