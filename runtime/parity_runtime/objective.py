"""What a regression predicts of its target's distribution: the mean, unless its training minimized something else."""

from collections.abc import Mapping

from parity_runtime.errors import FormatError
from parity_runtime.printable import shown

MEDIAN, HUBER, POISSON = "median", "huber", "poisson"
"""Objectives besides the mean, which is None, and the quantiles: of the absolute error, of Huber's, of Poisson's."""

MEAN = "mean"
"""What is predicted of a row of which nothing is known, unless the objective is another."""

_QUANTILE = "quantile"


def quantile_objective(level: float) -> str:
    """Return the objective of a quantile.

    >>> from parity_runtime.objective import quantile_objective
    >>> quantile_objective(0.9)
    'quantile 0.9'

    Args:
        level: the share of the target that lies below, strictly between 0 and 1.
    """
    return f"{_QUANTILE} {level!r}"


def quantile_level(objective: str | None) -> float | None:
    """Return the level of a quantile objective; None of another one.

    >>> from parity_runtime.objective import quantile_level
    >>> quantile_level("quantile 0.9"), quantile_level("median")
    (0.9, None)

    Raises:
        FormatError: the level is no number strictly between 0 and 1.
    """
    word, _, text = (objective or "").partition(" ")
    if word != _QUANTILE:
        return None
    level = level_in(text)
    if level is None:
        raise FormatError(f"objective is {shown(objective)}; the level of a quantile lies strictly between 0 and 1")
    return level


def level_in(text: str) -> float | None:
    """Return the level of a quantile, strictly between 0 and 1, that a text says; None where it says none."""
    try:
        level = float(text)
    except ValueError:
        return None
    return level if 0 < level < 1 else None


def check_objective(objective: str | None, task: str) -> None:
    """Refuse what is no objective, or goes with another task.

    Raises:
        FormatError: says what there is.
    """
    if objective is None:
        return
    if quantile_level(objective) is None and objective not in (MEDIAN, HUBER, POISSON):
        raise FormatError(
            f"objective is {shown(objective)}; known are {MEDIAN}, {HUBER}, {POISSON} and {_QUANTILE} 0.9, and none "
            "for the mean"
        )
    if task != "regression":
        raise FormatError(f"objective is {shown(objective)}, which is for a regression; the task is {task}")


def constant_name(objective: str | None) -> str:
    """Return what would be predicted of a row of which nothing is known: ``mean``, ``median`` or ``quantile 0.9``."""
    if objective in (MEDIAN, HUBER):
        return MEDIAN
    return objective if objective and quantile_level(objective) is not None else MEAN


def training_constant(objective: str | None, mean: float | None, quantiles: Mapping[float, float]) -> float | None:
    """Return the constant that would be predicted: the mean or a quantile; None where it is not known.

    Args:
        objective: None for the mean.
        mean: of the target of the training rows, in its unit.
        quantiles: of the same, by their level.
    """
    if constant_name(objective) == MEAN:
        return mean
    return quantiles.get(quantile_level(objective) or 0.5)


def measure_of(objective: str | None) -> tuple[str, str]:
    """Return what an objective is measured by: its name for people, and that of the metric.

    >>> from parity_runtime.objective import measure_of
    >>> measure_of("huber"), measure_of(None)
    (('MAE', 'mae'), ('RMSE', 'rmse'))
    """
    if objective in (MEDIAN, HUBER):
        return "MAE", "mae"
    if objective == POISSON:
        return "Poisson deviance", "poisson_deviance"
    return ("RMSE", "rmse") if quantile_level(objective) is None else ("pinball loss", "pinball_loss")
