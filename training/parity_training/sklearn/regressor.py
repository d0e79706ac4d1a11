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

    Rows and parameters are as in `ParityClassifier`, which also has parameters for classes.

    Args:
        hidden: the number of neurons in each hidden layer; a single number makes one layer.
        activation: the name of a module of torch.nn.
        dropout: the probability that a neuron is dropped in training.
        batch_norm: whether to normalize each hidden layer over the batch.
        network: as in `ParityClassifier`, but the module returns standardized values.
        epochs: the largest number of passes over the rows.
        batch_size: rows in one step; ``auto`` is a twentieth of the rows, but at least 8 and at most 128.
        optimizer: the name of a class of torch.optim.
        optimizer_arguments: its keyword arguments except the learning rate and the weight decay.
        learning_rate: the optimizer's learning rate.
        weight_decay: the optimizer's weight decay.
        scheduler: the name of a class of torch.optim.lr_scheduler, which takes one step an epoch; None keeps the
            learning rate.
        scheduler_arguments: its keyword arguments.
        loss: the name of a loss of torch.nn, or ``quantile=0.9``, ``poisson`` or ``huber``; None takes MSELoss.
        clip_norm: clip the norm of all gradients together to this; None does not clip.
        patience: stop after this many epochs in which the validation loss did not improve; None never stops early.
        validation_fraction: the fraction of the rows that decides when to stop and which weights are best; 0 for none.
        restarts: how many networks to train at once, each from its own initial weights.
        combine: with several networks: ``average`` keeps the mean of their outputs, ``best`` keeps the network with the
            smallest validation loss.
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
        n_features_in_: the number of columns of X.
        feature_names_in_: the names of the columns, if X is a data frame whose column names are all text.
        n_iter_: how many epochs were run.
        best_epoch_: the number, from 1, of the epoch whose weights are kept.
        loss_curve_: the mean loss of each epoch, in the loss function's unit.
        validation_loss_curve_: the mean loss of the validation rows after each epoch; empty without validation rows.
        validation_scores_: minus the root mean squared error of the validation rows after each epoch, in y's unit.
        network_: the trained torch module with its preprocessing, in eval mode on the CPU.
        contract_: what the network's inputs and outputs mean.
    """

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a network, and return the estimator itself.

        Args:
            X: numbers ``[rows, features]``, NaN where a cell is missing, or a data frame.
            y: the value of each row, ``[rows]``; or ``[rows, targets]`` for several targets.
            sample_weight: the weight of each row in the loss, ``[rows]``; None gives all rows the same weight.

        Raises:
            InputError: X or y cannot be used for training, or a parameter has a wrong value. It is a ValueError.
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
            InputError: the rows do not have the columns and kinds of those of `fit`. It is a ValueError.
        """
        values: NDArray[np.float32] = self._outputs(X).numpy()
        return values[:, 0] if values.shape[1] == 1 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
