"""DataFrames of Spark's on a real cluster: the answers of `parity predict`, whatever the partitions and who dies."""

import doctest
import os
import shutil
import signal
import sys
import threading
import time
import uuid
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import DigestError, InputError, MissingExtraError, ParityError, Predictor, spark
from parity_runtime.engines import spark_errors, worker_predictor
from tests.end_to_end.guide import blocks
from tests.engines.spark_cluster import Cluster, wait_for
from tests.runtime.external_weights import externalize
from tests.runtime.test_imports import BLOCK, python

pyarrow = pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
XOR = DATA / "xor"


def points(session: Any, rows: int = 1000, partitions: int = 2) -> Any:
    """A DataFrame whose rows are in an order that is known: id, x1, x2."""
    table = session.range(0, rows, 1, partitions)
    return table.selectExpr("id", "CAST(id % 7 AS FLOAT) / 6 AS x1", "CAST(id % 11 AS FLOAT) / 10 AS x2")


def mixed_table(rows: int) -> Any:
    import datetime

    chosen = np.random.default_rng(0).integers(0, 4, rows).tolist()
    days = [datetime.datetime(2019 + one, 5, 1 + one, tzinfo=datetime.UTC) if one else None for one in chosen]
    return pyarrow.table({
        "id": pyarrow.array(range(rows)), "color": [["red", "blue", None, "straw"][one] for one in chosen],
        "size": np.random.default_rng(1).random(rows), "when": pyarrow.array(days, pyarrow.timestamp("us", "UTC")),
        "new": [one > 1 for one in chosen], "code": pyarrow.array(chosen, pyarrow.int32()),
    })  # fmt: skip


def xor_table(rows: int) -> Any:
    x1, x2 = np.random.default_rng(0).uniform(-1, 2, (2, rows)).astype(np.float32)
    return pyarrow.table({"id": np.arange(rows), "x1": x1, "x2": x2})


@pytest.mark.parametrize(
    ("package", "make", "certified"), [("xor_certified", xor_table, True), ("mixed", mixed_table, False)]
)
def test_answers_are_those_of_parity_predict_whatever_the_partitions(
    session: Any, parity: Any, tmp_path: Path, package: str, make: Callable[[int], Any], certified: bool
) -> None:
    from pyarrow import parquet

    table, out = tmp_path / "t.parquet", tmp_path / "out.parquet"
    parquet.write_table(make(3000), table)
    done = parity("predict", DATA / package, table, "--out", out, *["--certified"] * certified)
    assert done.code == 0, done
    expected = parquet.read_table(out)
    for partitions, rows, large in ((1, 10_000, "false"), (5, 100, "true")):
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows)
        session.conf.set("spark.sql.execution.arrow.useLargeVarTypes", large)
        frame = session.read.parquet(str(table)).repartition(partitions)
        found = spark.predict(frame, DATA / package, certified=certified).orderBy("id").toArrow()
        assert found.column_names == expected.column_names
        assert all(found[name].cast(expected[name].type) == expected[name] for name in expected.column_names)


def test_they_have_the_bits_of_the_predictor(session: Any) -> None:
    answers = spark.predict(points(session), XOR, columns=["x2", "x1", "probability_1"]).toArrow()
    assert answers.column_names == ["x1", "x2", "probability_1"]
    rows = np.stack([answers["x1"], answers["x2"]], axis=1).astype(np.float32)
    assert (np.asarray(answers["probability_1"]) == Predictor(XOR).predict_proba(rows)[:, 1]).all()


def test_columns_that_the_model_does_not_take_pass_as_they_are(session: Any) -> None:
    frame = points(session, 20).selectExpr(
        "id AS `a.b`",
        "x2",
        "x1 AS X1",
        "x1",
        "named_struct('tags', array('x')) AS more",
        "CAST(id AS DECIMAL(9, 2)) AS d",
    )
    answers = spark.predict(frame, XOR, prefix="p_")
    assert answers.schema[: len(frame.columns)] == frame.schema[:]
    assert answers.columns[len(frame.columns) :] == ["p_label", "p_probability_0", "p_probability_1"]
    assert [row[:-3] for row in answers.collect()] == [tuple(row) for row in frame.collect()]
    assert spark.predict(frame, XOR, columns="label").columns == ["label"]


def test_a_row_that_cannot_be_predicted_is_named_by_partition_and_row(session: Any) -> None:
    holed = points(session).withColumn("x1", _holed(777))
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 100)
    with pytest.raises(InputError) as caught, spark.parity_errors():
        spark.predict(holed, XOR).collect()
    assert (caught.value.path, caught.value.row) == ("partition 1", 278)
    assert str(caught.value).startswith("partition 1, row 278: x1 is missing")
    assert "errors='null'" in str(caught.value)
    null = spark.predict(holed, XOR, errors="null", columns=["id", "label"], reasons="why")
    assert null.schema["label"].dataType.typeName() == "long"
    (kept,) = null.where("label IS NULL OR why IS NOT NULL").collect()
    assert (kept.id, kept.label) == (777, None) and kept.why.startswith("x1 is missing")
    assert spark.predict(holed, XOR, errors="skip").count() == 999


def _holed(row: int) -> Any:
    from pyspark.sql import functions

    return functions.expr(f"IF(id = {row}, NULL, x1)")


def test_what_is_wrong_with_columns_and_options_is_said_before_a_job_runs(session: Any) -> None:
    frame = points(session)
    for problem, call in {
        "the DataFrame has no column 'x2'": lambda: spark.predict(frame.drop("x2"), XOR),
        "the DataFrame has a column 'label' already.*prefix='predicted_'": lambda: spark.predict(
            frame.withColumnRenamed("id", "label"), XOR
        ),
        "no column 'labl'": lambda: spark.predict(frame, XOR, columns=["labl"]),
        "errors is 'rais'.*did you mean raise": lambda: spark.predict(frame, XOR, errors="rais"),  # type: ignore[arg-type]
        "errors is 'skip', not one of 'raise', 'null'": lambda: spark.predict_udf(XOR, errors="skip"),  # type: ignore[arg-type]
        "list is not a DataFrame of Spark's": lambda: spark.predict([[0, 1]], XOR),  # type: ignore[arg-type]
        "is not a package": lambda: spark.predict(frame, DATA),
        "returns tensors": lambda: spark.predict(frame, DATA / "series"),
    }.items():
        with pytest.raises(InputError, match=problem):
            call()


def test_a_package_that_is_not_the_drivers_is_refused_by_the_workers(session: Any, tmp_path: Path) -> None:
    package = Path(shutil.copytree(XOR, tmp_path / "p"))
    answers = spark.predict(points(session, 10), package)
    shutil.rmtree(package)
    with pytest.raises(InputError, match="the worker .* cannot use the package .*ship"), spark.parity_errors():
        answers.collect()
    shutil.copytree(DATA / "xor_certified", package)
    with pytest.raises(DigestError, match="on the worker .* is the package"), spark.parity_errors():
        answers.collect()


def test_a_package_that_was_shipped_needs_no_path_on_the_workers(session: Any, tmp_path: Path) -> None:
    package = externalize(Path(shutil.copytree(XOR, tmp_path / "p")))
    answers = [spark.predict(points(session, 100), package, ship=True) for _ in range(2)]
    function = spark.predict_udf(package, ship=True)
    shutil.rmtree(package)
    expected = spark.predict(points(session, 100), XOR).collect()
    assert [one.collect() for one in answers] == [expected, expected]
    labels = points(session, 100).select(function("x1", "x2").label).collect()
    assert [row[0] for row in labels] == [row.label for row in expected]


def test_a_worker_with_another_version_of_parity_is_named(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(worker_predictor, "__version__", "9.9")
        answers = spark.predict(points(session, 10), XOR)
    with pytest.raises(InputError, match=r"has Parity .*, and the driver 9\.9; install one"), spark.parity_errors():
        answers.collect()


def test_the_function_takes_columns_in_order_by_name_or_in_a_struct(session: Any) -> None:
    from pyspark.sql import functions

    frame, xor = points(session, 500), spark.predict_udf(XOR)
    expected = [row.probability_1 for row in spark.predict(frame, XOR).collect()]
    for call in (xor("x1", "x2"), xor(x2="x2", x1="x1"), xor(functions.struct("*"))):
        assert [row.y.probability_1 for row in frame.withColumn("y", call).collect()] == expected
    frame.createOrReplaceTempView("points")
    session.udf.register("xor", xor)
    scored = session.sql("SELECT id, y.* FROM (SELECT id, xor(x2 => x2, x1 => x1) AS y FROM points)")
    assert scored._jdf.queryExecution().executedPlan().toString().count("xor(") == 1  # evaluated once for all
    rows = scored.where("label = 1").collect()
    assert [row.probability_1 for row in rows] == [one for one in expected if one > 0.5]
    with pytest.raises(InputError, match="takes x1, x2 in this order.*given 1"), spark.parity_errors():
        frame.select(xor("x1")).collect()
    with pytest.raises(InputError, match="partition 1, row 28: x2 is missing"), spark.parity_errors():
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 10)
        frame.select(xor("x1", functions.expr("IF(id = 277, NULL, x2)"))).collect()
    nulls = spark.predict_udf(XOR, errors="null", reasons="why")("x1", functions.expr("IF(id = 277, NULL, x2)"))
    (row,) = frame.select("id", nulls.label.alias("y"), nulls.why.alias("why")).where("y IS NULL").collect()
    assert row.id == 277 and row.why.startswith("x2 is missing")


def _slowly(batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        time.sleep(0.1)
        yield batch


def answers_while(session: Any, package: Path, act: Callable[[], list[int]]) -> tuple[Any, int]:
    """Answer 6,000 rows slowly, and kill the processes that ``act`` names once a first task is done.

    Returns:
        The rows or the error, and how many tasks failed.
    """
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 100)
    frame = points(session, 6000, 6)
    slow = spark.predict(frame.mapInArrow(_slowly, frame.schema), package)
    tracker, group, outcome = session.sparkContext.statusTracker(), uuid.uuid4().hex, []

    def job() -> None:
        session.sparkContext.setJobGroup(group, "slow")
        try:
            with spark.parity_errors():
                outcome.append(slow.collect())
        except ParityError as error:
            outcome.append(error)

    def stage() -> Any:
        jobs = [tracker.getJobInfo(one) for one in tracker.getJobIdsForGroup(group)]
        return next((tracker.getStageInfo(one) for info in jobs for one in info.stageIds), None)

    thread = threading.Thread(target=job)
    thread.start()
    wait_for(lambda: not thread.is_alive() or ((now := stage()) and now.numCompletedTasks), "task done")
    pids = act()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert pids
    return outcome[0], stage().numFailedTasks


@pytest.mark.parametrize("victim", ["the Python workers", "an executor"])
def test_a_process_that_is_killed_in_the_middle_costs_no_row(session: Any, cluster: Cluster, victim: str) -> None:
    expected = spark.predict(points(session, 6000, 6), XOR).collect()
    pids = {"the Python workers": lambda: list(cluster.holding("onnxruntime")), "an executor": cluster.executors}
    found, failed = answers_while(session, XOR, lambda: pids[victim]()[: 1 if victim == "an executor" else None])
    assert failed >= 1
    assert sorted(found) == sorted(expected) and len(found) == 6000


def test_a_package_that_is_replaced_in_the_middle_is_never_mixed_in(
    session: Any, cluster: Cluster, tmp_path: Path
) -> None:
    package = Path(shutil.copytree(XOR, tmp_path / "p"))

    def replace_and_kill() -> list[int]:
        shutil.rmtree(package)
        shutil.copytree(DATA / "xor_certified", package)
        return list(cluster.holding("onnxruntime"))

    found, failed = answers_while(session, package, replace_and_kill)
    assert isinstance(found, DigestError) and failed >= 1, found


def test_a_process_that_dies_at_every_try_is_said_in_one_line(session: Any) -> None:
    def killed(batches: Iterator[Any]) -> Iterator[Any]:
        yield from batches
        os.kill(os.getpid(), signal.SIGKILL)

    frame = points(session, 10, 1)
    dying = spark.predict(frame.mapInArrow(killed, frame.schema), XOR)
    with pytest.raises(ParityError, match="ended in the middle of a task") as caught, spark.parity_errors():
        dying.collect()
    assert len(str(caught.value).splitlines()) == 1


def test_a_worker_without_parity_is_said_in_one_line(session: Any) -> None:
    def without(batches: Iterator[Any]) -> Iterator[Any]:
        for name in [name for name in sys.modules if name.startswith("parity_runtime")]:
            del sys.modules[name]
        sys.path[:], sys.meta_path[:] = [one for one in sys.path if "runtime" not in one], sys.meta_path[-1:]
        import parity_runtime  # noqa: F401

        yield from batches

    frame = points(session, 10, 1)
    with (
        pytest.raises(MissingExtraError, match=r"has no parity_runtime: name .*\.\[cpu,spark\]"),
        spark.parity_errors(),
    ):
        frame.mapInArrow(without, frame.schema).collect()


LOCAL = """
import os
os.environ["PYSPARK_PYTHON"] = {python!r}
from pyspark.sql import SparkSession
from parity_runtime import MissingExtraError, spark
session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
points = session.sql("SELECT 0.1F AS x1, 0.9F AS x2")
for make in (lambda: spark.predict(points, {package!r}), lambda: spark.predict_udf({package!r})):
    try: make()
    except MissingExtraError as error: print(error)
"""


def test_a_python_of_the_workers_without_parity_is_refused_before_the_job(tmp_path: Path, cluster: Cluster) -> None:
    venv.create(tmp_path / "bare")
    bare = tmp_path / "python3"  # of an environment that lacks Parity, wherever these tests import it from
    bare.write_text(f'#!/bin/sh\nexec env -u PYTHONPATH {tmp_path}/bare/bin/python "$@"\n')
    bare.chmod(0o755)
    done = python(LOCAL.format(python=str(bare), package=str(XOR)))
    assert done.stdout.splitlines() == 2 * [
        f"Spark runs its workers with {bare}, which has no parity_runtime; start the program with this Python for "
        f"them: export PYSPARK_PYTHON={sys.executable}"
    ], done


def test_a_driver_without_pyspark_is_told_of_the_extra() -> None:
    code = BLOCK.format(absent=["pyspark"]) + (
        "from parity_runtime import MissingExtraError, spark\n"
        f"try: spark.predict(None, {str(XOR)!r})\n"
        "except MissingExtraError as error: print(error)"
    )
    assert python(code).stdout == ('pyspark is not installed; from a checkout of Parity: pip install ".[cpu,spark]"\n')


def test_a_pyspark_without_arrow_functions_is_told_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = pytest.importorskip("pyspark.sql.functions")
    monkeypatch.delattr(functions, "arrow_udf")  # as in pyspark 4.0
    with pytest.raises(MissingExtraError, match=r"came with 4\.1; .*\.\[cpu,spark\]"):
        spark.predict_udf(XOR)


def test_training_reads_a_dataframe_a_partition_at_a_time(session: Any) -> None:
    from parity_training import TableSettings, batches_from, stream_table

    random = np.random.default_rng(0)
    table = pyarrow.table(
        {"a.b": random.normal(size=900), "kind": np.array(["cat", "dog"])[random.integers(0, 2, 900)]}
    )
    df = session.createDataFrame(table).repartitionByRange(3, "`a.b`").sortWithinPartitions("`a.b`")
    settings = TableSettings("kind")
    data = stream_table(batches_from(df), settings, "m").data
    in_order = stream_table(table.sort_by("a.b"), settings, "m").data
    assert data.source == in_order.source and data.all_rows == 900
    assert list(data.held_out("test")) == list(in_order.held_out("test"))


def test_other_errors_pass_as_they_are(session: Any) -> None:
    with pytest.raises(ZeroDivisionError), spark.parity_errors():
        _ = 1 // 0
    from pyspark.errors import AnalysisException

    with pytest.raises(AnalysisException), spark.parity_errors():
        points(session).select("there is none")


@pytest.mark.parametrize("public", [spark.predict, spark.predict_udf, spark_errors.parity_errors])
def test_the_examples_of_docstrings_run(session: Any, public: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for test in doctest.DocTestFinder(recurse=False).find(public, globs={}):
        shown: list[str] = []
        done = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=shown.append)
        assert done.attempted and not done.failed, "".join(shown)


def test_the_guide_runs_as_it_stands(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DATA, tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    found = [code for language, code, _ in blocks((ROOT / "docs/how-to/spark.md").read_text()) if language == "python"]
    for code in found:
        here = code.replace('parquet("', f'parquet("{tmp_path}/')  # Java's own folder is that of the session's start
        exec(compile(here, "spark.md", "exec"), names)  # noqa: S102 -- a guide of our own
    assert len(found) >= 2 and (tmp_path / "scored.parquet" / "_SUCCESS").exists()
