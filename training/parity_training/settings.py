"""How a network is trained: the figures that a recipe records and a resumed run takes over."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from parity_runtime import FormatError, InputError
from parity_runtime.printable import shown
from parity_training.field_types import check_types

Arguments = dict[str, Any]

DEFAULT_SEED = 1234

Combine = Literal["average", "best"]

_MOST_WORKERS = 1024  # processes; a recipe may ask for any number of them

MOST_NETWORKS = 256
"""Networks that are trained at once, and folds of a cross-validation."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a network is trained: epochs, optimizer, loss, early stopping, and so on.

    >>> from parity_training import TrainSettings
    >>> TrainSettings(optimizer="SGD", learning_rate=0.1, optimizer_arguments={"momentum": 0.9}).epochs
    200

    Attributes:
        epochs: passes over the training rows, at most.
        batch_size: rows of one step.
        optimizer: a class of torch.optim by name.
        optimizer_arguments: its keyword arguments but for the learning rate and the weight decay.
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        scheduler: a class of torch.optim.lr_scheduler by name, stepped once an epoch; None keeps the rate.
        scheduler_arguments: its keyword arguments.
        loss: a loss of torch.nn by name, or of a regression ``quantile=0.9``, ``poisson``, ``huber``; None takes the
            task's own.
        class_weights: ``balanced``, or a weight a class; None weighs rows alike.
        clip_norm: the largest norm of all gradients together; None clips nothing.
        patience: early stopping: epochs without a smaller validation loss after which training stops; None never.
        seed: of the initial weights, the order of the rows, the split and dropout.
        restarts: networks that are trained at once, each from first weights of its own.
        combine: what is kept of several: ``average``, the mean of what they return, or the ``best`` of them, by the
            validation loss.
        folds: of a cross-validation, which says how sure the figures are; None makes none.
        calibrate: whether logits are divided by a temperature that makes probabilities as sure as they are right, on
            the validation rows.
        threshold_for: of two classes: what the threshold is chosen for on the validation rows: ``f1``, ``recall=0.9``,
            ``precision=0.9``, or ``cost=1,10``, what a false alarm and a miss cost; None keeps it.
        num_workers: processes that load batches; 0 takes them straight from memory.
        device: ``auto`` (CUDA if it is there), ``cpu``, ``cuda``.
    """

    epochs: int = 200
    batch_size: int = 128
    optimizer: str = "Adam"
    optimizer_arguments: Arguments = field(default_factory=dict)
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    scheduler: str | None = None
    scheduler_arguments: Arguments = field(default_factory=dict)
    loss: str | None = None
    class_weights: str | Sequence[float] | None = None
    clip_norm: float | None = None
    patience: int | None = None
    seed: int = DEFAULT_SEED
    restarts: int = 1
    combine: Combine = "average"
    folds: int | None = None
    calibrate: bool = False
    threshold_for: str | None = None
    num_workers: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_types(self)
        _check_range("num_workers", self.num_workers, 0, _MOST_WORKERS)
        _check_range("restarts", self.restarts, 1, MOST_NETWORKS)
        _check_range("folds", self.folds, 2, MOST_NETWORKS)
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("seed", 0)):
            _check_range(name, getattr(self, name), lowest, 2**63 - 1)
        if self.scheduler is None and self.scheduler_arguments:
            raise InputError("scheduler_arguments are for a scheduler; name one")
        for name in ("learning_rate", "clip_norm"):
            _check_range(name, getattr(self, name), 1e-12, 1e6)
        _check_range("weight_decay", self.weight_decay, 0, 1e6)
        if isinstance(self.class_weights, str) and self.class_weights != "balanced":
            raise InputError(f"class_weights is {shown(self.class_weights)}; give balanced, or a number for each class")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any], where: str) -> Self:
        """Return the settings of a JSON form; unknown keys are ignored, and those that it lacks are the usual ones.

        Args:
            value: the JSON form, as ``json.loads`` reads it.
            where: what holds it, as errors name it.

        Raises:
            FormatError: a value is out of range or of another type.
        """
        try:
            return cls(**{item.name: value[item.name] for item in fields(cls) if item.name in value})
        except (InputError, TypeError) as error:
            raise FormatError(f"{where}: {error}") from error


def _check_range(name: str, value: float | None, lowest: float, highest: float) -> None:
    if value is not None and not (lowest <= value <= highest):
        above = f"at least {lowest:g}" if lowest >= 1 or lowest == 0 else "above 0"
        raise InputError(f"{name} is {shown(value)}; it must be {above} and at most {highest:g}")
