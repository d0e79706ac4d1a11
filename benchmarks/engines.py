"""Predictions on clusters beside the same jobs with bare onnxruntime, and beside a function of rows.

Prints one JSON object of ratios of jobs that run in turn: the median, with the quartiles beside it. The answers of all
are compared before they are timed. ``--only ray`` measures a part; Spark needs Java.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, ScoringJob, print_parts, ratio

PACKAGE = ROOT / "tests" / "data" / "xor"
ROWS, FEW = 8_000_000, 1_200_000  # a function of a row takes ten times the seconds that an engine needs to start
PARTS = 8
FOLDER = tempfile.TemporaryDirectory()
RAY_BATCH = 32_768  # rows, as parity_runtime.ray takes
NAMES = ("label", "probability_0", "probability_1")
ADDED = "label BIGINT, probability_0 FLOAT, probability_1 FLOAT"


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"spark": spark, "ray": on_ray})


def spark() -> dict[str, Any]:
    """Return our time over bare onnxruntime's, and a row-wise function's over ours; two executors have a core each."""
    import pyspark

    logs = Path(pyspark.__file__).parent / "work"  # where a local cluster's workers write, whatever they are told
    before, session = logs.exists(), _session()
    try:
        many, few = (session.read.parquet(table(rows)) for rows in (ROWS, FEW))
        jobs = (_ours, _bare, _row_wise)
        ours, bare, row_wise = (job(few).orderBy("id").limit(1000).collect() for job in jobs)
        assert ours == bare == row_wise
        return {
            f"Spark, {ROWS // 1_000_000}M rows: parity over bare onnxruntime in mapInArrow": ratio(
                (_timed(_ours(many)), _timed(_bare(many))), 7
            )
            | {"target": "at most 1.1"},
            f"Spark, {FEW:,} rows: a function of a row over parity": ratio(
                (_timed(_row_wise(few)), _timed(_ours(few))), 3
            )
            | {"target": "at least 5"},
        }
    finally:
        session.stop()
        if not before:
            shutil.rmtree(logs, ignore_errors=True)


def on_ray() -> dict[str, Any]:
    """Return our time over bare onnxruntime's, and a row-wise function's over ours; two actors have a core each.

    Each job starts its actors, which takes most of the seconds of the first ratio.
    """
    import ray

    environment = {"PYTHONPATH": _python_path(), "OMP_NUM_THREADS": "1"}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": environment})
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        many, few = (ray.data.read_parquet(table(rows)).materialize() for rows in (ROWS, FEW))
        ours, bare, row_wise = (job(few).sort("id").take(1000) for job in (_ray_ours, _ray_bare, _ray_row_wise))
        assert ours == bare == row_wise
        return {
            f"Ray, {ROWS // 1_000_000}M rows: parity over bare onnxruntime in map_batches": ratio(
                (_computed(_ray_ours, many), _computed(_ray_bare, many)), 7
            )
            | {"target": "at most 1.1"},
            f"Ray, {FEW:,} rows: a function of a row over parity": ratio(
                (_computed(_ray_row_wise, few), _computed(_ray_ours, few)), 3
            )
            | {"target": "at least 5"},
        }
    finally:
        ray.shutdown()


def table(rows: int) -> str:
    """Return a folder of Parquet files in equal parts: id, x1, x2."""
    import pyarrow
    from pyarrow import parquet

    folder = Path(FOLDER.name) / f"rows-{rows}"
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for part in range(PARTS):
        x1, x2 = random.uniform(-0.5, 1.5, (2, rows // PARTS)).astype(np.float32)
        ids = np.arange(rows // PARTS) + part * (rows // PARTS)
        parquet.write_table(pyarrow.table({"id": ids, "x1": x1, "x2": x2}), folder / f"{part}.parquet")
    return str(folder)


def _session() -> Any:
    from pyspark.sql import SparkSession

    os.environ |= {
        "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": _python_path(),
    }  # fmt: skip
    settings = {
        "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false", "spark.executor.memory": "1g",
        "spark.ui.showConsoleProgress": "false", "spark.sql.files.openCostInBytes": str(2**27),
    }  # fmt: skip
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("parity benchmark")
    return builder.config(map=settings).getOrCreate()


def _python_path() -> str:
    return os.pathsep.join([str(ROOT / "runtime"), os.environ.get("PYTHONPATH", "")])


def _timed(frame: Any) -> ScoringJob:
    return lambda: frame.write.format("noop").mode("overwrite").save()


def _ours(frame: Any) -> Any:
    from parity_runtime import spark

    return spark.predict(frame, PACKAGE)


def _bare(frame: Any) -> Any:
    model = str(PACKAGE / "model.onnx")

    def answers(batches: Iterator[Any]) -> Iterator[Any]:
        import numpy
        import pyarrow

        session = opened(model)
        for batch in batches:
            features = numpy.stack([batch["x1"].to_numpy(), batch["x2"].to_numpy()], axis=1)
            label, probabilities, _ = session.run(None, {"features": features})
            columns = [*batch.columns, *map(pyarrow.array, (label, probabilities[:, 0], probabilities[:, 1]))]
            names = [*batch.schema.names, *NAMES]
            yield pyarrow.RecordBatch.from_arrays(columns, names)

    return frame.mapInArrow(answers, f"id BIGINT, x1 FLOAT, x2 FLOAT, {ADDED}")


def _row_wise(frame: Any) -> Any:
    from pyspark.sql.functions import udf

    model = str(PACKAGE / "model.onnx")

    @udf(f"struct<{ADDED.replace(' ', ':').replace(',:', ',')}>")
    def answer(x1: float, x2: float) -> tuple[int, float, float]:
        import numpy

        label, probabilities, _ = opened(model).run(None, {"features": numpy.array([[x1, x2]], numpy.float32)})
        return int(label[0]), float(probabilities[0, 0]), float(probabilities[0, 1])

    return frame.withColumn("y", answer("x1", "x2")).select("id", "x1", "x2", "y.*")


def _computed(job: Callable[[Any], Any], dataset: Any) -> ScoringJob:
    return lambda: job(dataset).materialize()


def _ray_ours(dataset: Any) -> Any:
    from parity_runtime import ray

    return ray.predict(dataset, PACKAGE, concurrency=2)


def _ray_bare(dataset: Any) -> Any:
    given = {"model": str(PACKAGE / "model.onnx")}
    return dataset.map_batches(
        BareScorer, fn_constructor_kwargs=given, batch_format="pyarrow", batch_size=RAY_BATCH, num_cpus=1, concurrency=2
    )


class BareScorer:
    """A careful job of one's own: a session an actor, Arrow in and out."""

    def __init__(self, model: str) -> None:
        self._session = opened(model)

    def __call__(self, batch: Any) -> Any:
        """Return the batch with its answers."""
        import numpy
        import pyarrow

        features = numpy.stack([batch["x1"].to_numpy(), batch["x2"].to_numpy()], axis=1)
        label, probabilities, _ = self._session.run(None, {"features": features})
        answers = zip(NAMES, (label, probabilities[:, 0], probabilities[:, 1]), strict=True)
        for name, answer in answers:
            batch = batch.append_column(name, pyarrow.array(answer))
        return batch


def _ray_row_wise(dataset: Any) -> Any:
    model = str(PACKAGE / "model.onnx")

    def answer(row: dict[str, Any]) -> dict[str, Any]:
        import numpy

        label, probabilities, _ = opened(model).run(
            None, {"features": numpy.array([[row["x1"], row["x2"]]], numpy.float32)}
        )
        return row | dict(zip(NAMES, (label[0], *probabilities[0]), strict=True))

    return dataset.map(answer, num_cpus=1)


def opened(model: str) -> Any:
    """Return a worker process's one session, as a careful job keeps it."""
    import onnxruntime

    if not hasattr(onnxruntime, "opened"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        onnxruntime.opened = onnxruntime.InferenceSession(model, options)
    return onnxruntime.opened


if __name__ == "__main__":
    main()
