"""Predict the rows of Ray datasets: each actor holds a predictor, and predicts Arrow batches.

>>> import ray
>>> from parity_runtime.ray import predict
>>> answers = predict(ray.data.read_parquet("points/"), "packages/xor", concurrency=2)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from parity_runtime.engines.batch_scorer import BatchScorer, MoreOptions
from parity_runtime.engines.ray_cpus import reserved_cpus
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.scoring.score_chunk import Errors
from parity_runtime.scoring.score_table import BATCH

__all__ = ["Scorer", "predict"]


class Scorer:
    """A predictor for ``Dataset.map_batches``; Ray makes one in each actor.

    >>> import pyarrow
    >>> from parity_runtime.ray import Scorer
    >>> scorer = Scorer("tests/data/xor", columns=["label"])
    >>> scorer(pyarrow.table({"x1": [0.1, 0.9], "x2": [0.9, 1.1]}))["label"].to_pylist()
    [1, 0]

    Args:
        package: its folder, on a path that all nodes see; or what `WorkerPredictor.of` returned for it on the driver:
            then every actor is held to its id, as `predict` does.
        columns: those to give, of the dataset's and the answers; empty for all.
        errors: what becomes of a row that cannot be predicted: ``raise``, ``skip`` or ``null``.
        certified: also say what is proven of each row.
        more: ``out_of_range``, ``prefix``, ``reasons``, ``provider`` (``cuda`` goes with ``num_gpus`` of map_batches),
            ``threads``, ``allow_operators``: `MoreOptions`.

    Raises:
        InputError: the package cannot be read on this node, or its rows influence one another.
        DigestError: it is not the driver's.
    """

    def __init__(
        self,
        package: str | Path | WorkerPredictor,
        *,
        columns: Sequence[str] = (),
        errors: Errors = "raise",
        certified: bool = False,
        **more: Unpack[MoreOptions],
    ) -> None:
        self._scorer = BatchScorer.of(package, columns, errors, certified, more)
        self._contract = self._scorer.worker.open().contract

    def __call__(self, batch: Any) -> Any:
        """Return the answers to a ``pyarrow.Table``, as one.

        Raises:
            InputError: a column is missing or is there already; or, with ``raise``, names the first row of the batch
                that cannot be predicted.
        """
        import pyarrow  # noqa: PLC0415 -- of the [ray] extra

        answers = list(self._scorer.answers(batch.combine_chunks().to_batches(), "a batch of the dataset"))
        schema = answers[0].schema if answers else self._scorer.schema(batch.schema, self._contract)
        return pyarrow.Table.from_batches(answers, schema)


_MORE = frozenset(MoreOptions.__annotations__)


def predict(
    dataset: Any,
    package: str | Path,
    *,
    columns: Sequence[str] = (),
    errors: Errors = "raise",
    certified: bool = False,
    **options: Any,
) -> Any:
    """Return a Ray dataset with the columns of a model's answers, as ``parity predict`` adds them.

    The driver reads the package first: every actor is held to its id and to the driver's version of Parity.

    Args:
        dataset: a ``ray.data.Dataset`` with the model's columns.
        package: its folder, on a path that all nodes see.
        columns: those to give, of the dataset's and the answers; empty for all.
        errors: what becomes of a row that cannot be predicted: ``raise``, ``skip`` or ``null``.
        certified: also say what is proven of each row.
        options: further ones of `Scorer`; all others are those of ``Dataset.map_batches``, such as ``concurrency``,
            ``num_cpus``, ``num_gpus`` and ``batch_size`` (32,768 rows unless one says). An actor reserves a CPU for
            each of its threads, and half as many where the actors would take all CPUs of the cluster: Ray needs one to
            read and write. A warning says where that does not help.

    Raises:
        InputError: there is no package, or its rows influence one another.
    """
    more: Any = {name: value for name, value in options.items() if name in _MORE}
    scorer = BatchScorer.of(package, columns, errors, certified, more)
    given = {"package": scorer.worker, "columns": scorer.columns, "errors": errors, "certified": certified, **more}
    asked: dict[str, Any] = {"batch_size": BATCH}
    asked |= {name: value for name, value in options.items() if name not in _MORE}
    asked["num_cpus"] = reserved_cpus(asked, scorer.worker.threads)
    return dataset.map_batches(Scorer, fn_constructor_kwargs=given, batch_format="pyarrow", **asked)
