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
        epochs: the largest number of passes over the training rows.
        batch_size: rows in one step.
        optimizer: the name of a class of torch.optim.
        optimizer_arguments: its keyword arguments except the learning rate and the weight decay.
        learning_rate: the optimizer's learning rate.
        weight_decay: the optimizer's weight decay.
        scheduler: the name of a class of torch.optim.lr_scheduler, which takes one step an epoch; None keeps the
            learning rate.
        scheduler_arguments: its keyword arguments.
        loss: the name of a loss of torch.nn; for a regression also ``quantile=0.9``, ``poisson`` or ``huber``. None
            takes BCEWithLogitsLoss for two classes, CrossEntropyLoss for more, MSELoss for numbers.
        class_weights: ``balanced``, or a weight for each class; None gives all classes the same weight.
        clip_norm: clip the norm of all gradients together to this; None does not clip.
        patience: stop after this many epochs in which the validation loss did not improve; None never stops early.
        seed: the seed of the initial weights, the order of the rows, the split and dropout.
        restarts: how many networks to train at once, each from its own initial weights.
        combine: with several networks: ``average`` keeps the mean of their outputs, ``best`` keeps the network with the
            smallest validation loss.
        folds: cross-validate on this many folds, for the mean and spread of the metrics; None does not.
        calibrate: divide the logits by a temperature that is fitted on the validation rows, so that the probabilities
            match how often the predictions are right.
        threshold_for: for two classes: choose the threshold on the validation rows for ``f1``, ``recall=0.9``,
            ``precision=0.9`` or ``cost=1,10`` (the cost of a false positive and of a false negative). None keeps the
            threshold that was set.
        num_workers: processes that load batches; with 0 the training process takes them from memory itself.
        device: ``cpu``, ``cuda``, or ``auto``, which takes CUDA if it is available.
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
        """Return the settings of a JSON form. Unknown keys are ignored; missing keys get their defaults.

        Args:
            value: the JSON form, as ``json.loads`` reads it.
            where: the name of what holds it, for error messages.

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
