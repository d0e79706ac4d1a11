"""A regressor of scikit-learn's kind."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import assert_all_finite, column_or_1d

from parity_training.sklearn.estimator import ParityEstimator, target_names
from parity_training.sklearn.rows import EstimatorTarget


class ParityRegressor(RegressorMixin, ParityEstimator):  # type: ignore[misc]
    """A neural network that predicts a number, with scikit-learn's interface.

    >>> from sklearn.datasets import load_diabetes
    >>> from parity_training.sklearn import ParityRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = ParityRegressor(hidden=(32,), epochs=50, random_state=0).fit(X, y)
    >>> regressor.score(X, y) > 0.4, regressor.predict(X).dtype
    (True, dtype('float32'))

    Rows and parameters are those of `ParityClassifier`, but for ``class_weight``.

    Args:
        hidden: neurons of each hidden layer; a number for one layer.
        activation: a module of torch.nn by name.
        dropout: the probability with which a neuron is silenced in training.
        batch_norm: whether to normalize each hidden layer over the batch.
        network: as in `ParityClassifier`; a callable's module returns standardized values.
        epochs: passes over the rows, at most.
        batch_size: rows of a step, or ``auto``.
        optimizer: a class of torch.optim by name.
        optimizer_arguments: its keyword arguments.
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        scheduler: a class of torch.optim.lr_scheduler by name, stepped once an epoch.
        scheduler_arguments: its keyword arguments.
        loss: a loss of torch.nn by name, or ``quantile=0.9``, ``poisson``, ``huber``; None takes MSELoss.
        clip_norm: the largest norm of all gradients together.
        patience: epochs without a smaller validation loss after which training ends; None never.
        validation_fraction: of the rows that decide when to stop and which weights are best; 0: none.
        restarts: networks that are trained at once, each from first weights of its own.
        combine: what is kept of several: ``average``, the mean of what they return, or the ``best``.
        random_state: seeds all that is random.
        device: ``auto`` (CUDA if it is there), ``cpu``, ``cuda``.
        numeric: columns of a data frame that are numbers, whatever they look like.
        categorical: its columns of categories.
        datetime: its columns of dates, as ``name`` or ``name=format``.
        drop_columns: its columns that are left out.
        missing_values: the texts in it that are missing beside the empty one; None: NA, NaN, null and their like.
        verbose: whether to print a line an epoch.

    Attributes:
        n_features_in_: columns of X.
        feature_names_in_: their names, where X is a data frame whose names are all text.
        n_iter_: epochs that were run.
        best_epoch_: the one whose weights are kept, from 1.
        loss_curve_: the mean loss of each epoch, in the loss function's unit.
        validation_loss_curve_: that of the validation rows; empty without any.
        validation_scores_: minus the root mean squared error of the validation rows after each epoch, in y's unit.
        network_: a torch module, preprocessing included, in eval mode on the CPU.
        contract_: what it takes and gives.
    """

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a network, and return the estimator itself.

        Args:
            X: numbers ``[rows, features]``, NaN where a cell is missing, or a data frame.
            y: the value of each row, ``[rows]``, or of several targets ``[rows, targets]``.
            sample_weight: of each row in the loss, ``[rows]``; None weighs them alike.

        Raises:
            InputError: something cannot be learned from, or a parameter does not fit; it is a ValueError.
        """
        X, values = self._validated(X, y, y_numeric=True, multi_output=True)
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or values.shape[1] == 1:
            values = column_or_1d(values, warn=True)
        assert_all_finite(values, input_name="y")
        self._fit(X, EstimatorTarget(target_names(y, values), values), sample_weight, {})
        self.validation_scores_ = [-rmse for rmse in self._validation_metric("rmse")]
        return self

    def predict(self, X: Any) -> NDArray[np.float32]:
        """Return the value of each row, float32 ``[rows]`` or ``[rows, targets]``, in y's own unit.

        Args:
            X: as in `fit`, with the same columns.

        Raises:
            sklearn.exceptions.NotFittedError: `fit` was not called.
            InputError: the rows are not like those of `fit`; it is a ValueError.
        """
        values: NDArray[np.float32] = self._outputs(X).numpy()
        return values[:, 0] if values.shape[1] == 1 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
