"""Predictions on clusters beside the same jobs with bare onnxruntime, and beside a function of rows.

Prints one JSON object of ratios of jobs that run in turn: the median, with the quartiles beside it. The answers of all
are compared before they are timed. ``--only spark`` measures a part; Spark needs Java.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, ScoringJob, print_parts, ratio

PACKAGE = ROOT / "tests" / "data" / "xor"
ROWS, FEW = 8_000_000, 400_000
PARTS = 8
FOLDER = tempfile.TemporaryDirectory()
ADDED = "label BIGINT, probability_0 FLOAT, probability_1 FLOAT"


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"spark": spark})


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

    paths = [str(ROOT / "runtime"), os.environ.get("PYTHONPATH", "")]
    os.environ |= {
        "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }  # fmt: skip
    settings = {
        "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false", "spark.executor.memory": "1g",
        "spark.ui.showConsoleProgress": "false", "spark.sql.files.openCostInBytes": str(2**27),
    }  # fmt: skip
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("parity benchmark")
    return builder.config(map=settings).getOrCreate()


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
            names = [*batch.schema.names, "label", "probability_0", "probability_1"]
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
