"""How good predictions are: one numpy implementation, for training and for ``parity evaluate``."""

from parity_runtime.evaluation.calibration_error import (
    CALIBRATION_BINS,
    calibration_bins,
    calibration_error,
    calibration_places,
)
from parity_runtime.evaluation.classification_metrics import ClassificationMetrics, classification_metrics
from parity_runtime.evaluation.confusion import confusion_matrix
from parity_runtime.evaluation.regression_metrics import RegressionMetrics, SeveralTargets, regression_metrics

__all__ = [
    "CALIBRATION_BINS",
    "ClassificationMetrics",
    "RegressionMetrics",
    "SeveralTargets",
    "calibration_bins",
    "calibration_error",
    "calibration_places",
    "classification_metrics",
    "confusion_matrix",
    "regression_metrics",
]
