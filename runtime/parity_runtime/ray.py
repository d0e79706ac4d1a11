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
        package: the package folder, on a path that all nodes see. Or what `WorkerPredictor.of` returned for it on the
            driver: then an actor refuses a package with another id. `predict` does this.
        columns: the columns to return, of the dataset and of the predictions; empty for all.
        errors: what to do if a row cannot be predicted: ``raise`` raises an error, ``skip`` leaves out the row,
            ``null`` leaves its predictions null.
        certified: also write what is proven of each row.
        more: more options: ``out_of_range``, ``prefix`` and ``reasons``, as in `parity_runtime.spark.predict`;
            ``provider``, ``threads`` and ``allow_operators``, as in `Predictor`. With the provider ``cuda``, give
            ``map_batches`` its argument ``num_gpus``.

    Raises:
        InputError: the package cannot be read on this node, or its model's rows influence one another.
        DigestError: the package is not the driver's.
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
        """Return the predictions for a ``pyarrow.Table`` as a ``pyarrow.Table``.

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
    """Return a Ray dataset with the columns that ``parity predict`` adds to a table.

    The driver reads the package first. Every actor then refuses a package with another id, and every actor must have
    the driver's version of Parity.

    Args:
        dataset: a ``ray.data.Dataset`` with the model's columns.
        package: the package folder, on a path that all nodes see.
        columns: the columns to return, of the dataset and of the predictions; empty for all.
        errors: what to do if a row cannot be predicted: ``raise`` ends the job, ``skip`` leaves out the row, ``null``
            leaves its predictions null.
        certified: also write what is proven of each row.
        options: more options of `Scorer`, or arguments of ``Dataset.map_batches``, such as ``concurrency``,
            ``num_cpus``, ``num_gpus`` and ``batch_size`` (default: 32,768 rows). An actor reserves one CPU for each of
            its threads. If the actors would take all CPUs of the cluster, each reserves half as many, because Ray needs
            one CPU to read and write. If even that takes all CPUs, a warning says so.

    Raises:
        InputError: there is no package, or its model's rows influence one another.
    """
    more: Any = {name: value for name, value in options.items() if name in _MORE}
    scorer = BatchScorer.of(package, columns, errors, certified, more)
    given = {"package": scorer.worker, "columns": scorer.columns, "errors": errors, "certified": certified, **more}
    asked: dict[str, Any] = {"batch_size": BATCH}
    asked |= {name: value for name, value in options.items() if name not in _MORE}
    asked["num_cpus"] = reserved_cpus(asked, scorer.worker.threads)
    return dataset.map_batches(Scorer, fn_constructor_kwargs=given, batch_format="pyarrow", **asked)
