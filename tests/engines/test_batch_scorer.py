"""What every engine's workers do: open the driver's package once, and answer Arrow batches as `parity predict` does."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import DigestError, InputError, Predictor, UncheckedModelWarning
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.worker_predictor import WorkerPredictor

pyarrow = pytest.importorskip("pyarrow")

DATA = Path(__file__).resolve().parents[1] / "data"


def points(rows: int) -> "pyarrow.RecordBatch":
    x1, x2 = np.random.default_rng(0).uniform(-1, 2, (2, rows)).astype(np.float32)
    return pyarrow.RecordBatch.from_pydict({"id": np.arange(rows), "x1": x1, "x2": x2})


def scorer(package: Path = DATA / "xor", **options) -> BatchScorer:
    certified = options.pop("certified", False)
    return BatchScorer(WorkerPredictor.of(package, certified=certified), **options)


@pytest.mark.parametrize("certified", [False, True])
def test_answers_have_the_schema_that_was_said_and_the_same_bits_whatever_the_batches(certified: bool) -> None:
    one = scorer(DATA / ("xor_certified" if certified else "xor"), certified=certified)
    sent, batch = pickle.loads(pickle.dumps(one)), points(100)
    whole = pyarrow.Table.from_batches(sent.answers([batch], "partition 1"))
    slices = [batch.slice(0, 7), batch.slice(7, 1), batch.slice(8)]
    parts = pyarrow.Table.from_batches(sent.answers(slices, "partition 1"))
    assert whole.schema == parts.schema == one.schema(batch.schema, Predictor(one.worker.path).contract)
    assert whole.combine_chunks() == parts.combine_chunks()
    rows = np.stack([batch["x1"], batch["x2"]], axis=1)
    assert whole["label"].to_pylist() == Predictor(one.worker.path).predict(rows).tolist()


def test_columns_are_chosen_and_named_and_an_empty_partition_has_them_too() -> None:
    one = scorer(columns=("id", "p_label"), prefix="p_")
    (answers,) = one.answers([points(3)], "partition 1")
    assert answers.schema.names == ["id", "p_label"]
    (empty,) = one.answers([points(0)], "partition 2")
    assert empty.schema == answers.schema and not len(empty)


def test_a_row_that_cannot_be_predicted_is_named_by_partition_and_row_or_left_out_or_null() -> None:
    batch = points(20)
    holed = [None if row == 13 else 0.5 for row in range(20)]
    batch = batch.set_column(1, "x1", pyarrow.array(holed, pyarrow.float32()))
    batches = [batch.slice(0, 10), batch.slice(10)]
    with pytest.raises(InputError, match="partition 17, row 14: x1 is missing"):
        list(scorer().answers(batches, "partition 17"))
    assert sum(len(part) for part in scorer(errors="skip").answers(batches, "partition 17")) == 19
    null = pyarrow.Table.from_batches(scorer(errors="null").answers(batches, "partition 17"))
    assert [row for row, label in enumerate(null["label"].to_pylist()) if label is None] == [13]


def test_rows_without_an_answer_are_counted_in_the_log_and_told_in_a_column(caplog: pytest.LogCaptureFixture) -> None:
    batch = points(9).set_column(1, "x1", pyarrow.array([None, *[0.5] * 6, float("inf"), None], pyarrow.float32()))
    one = scorer(errors="null", columns=("label",), reasons="why")
    found = pyarrow.Table.from_batches(one.answers([batch.slice(0, 5), batch.slice(5)], "partition 2", first=11))
    assert found.schema == one.schema(batch.schema, Predictor(one.worker.path).contract)
    assert [row for row, why in enumerate(found["why"].to_pylist()) if why] == [0, 7, 8]
    assert found["label"].is_null().equals(found["why"].is_valid())
    assert [why[:11] for why in found["why"].to_pylist() if why] == ["x1 is missi", "x1 is 'inf'", "x1 is missi"]
    (record,) = caplog.records
    assert record.getMessage().startswith("3 rows were left without a prediction; the first: partition 2, row 11: x1")
    with pytest.raises(InputError, match="reasons is a column for rows without.*add errors='null'"):
        scorer(errors="skip", reasons="why")
    with pytest.raises(InputError, match="there is a column 'id' already; choose another reasons"):
        scorer(errors="null", reasons="id").schema(batch.schema, Predictor(one.worker.path).contract)


def test_a_column_that_a_partition_lacks_or_has_already_is_named() -> None:
    with pytest.raises(InputError, match="partition 3 has no column 'x2'"):
        list(scorer().answers([points(3).select(["id", "x1"])], "partition 3"))
    with pytest.raises(InputError, match="label.*prefix"):
        list(scorer().answers([points(3).rename_columns(["label", "x1", "x2"])], "partition 3"))
    with pytest.raises(InputError, match="no column 'labl'"):
        list(scorer(columns=("labl",)).answers([points(3)], "partition 3"))


def test_what_no_batch_can_mend_is_said_before_there_is_one() -> None:
    contract, table = Predictor(DATA / "xor").contract, points(1).schema
    for problem, call in {
        "the table has no column 'x1'": lambda: scorer().schema(table.remove(1), contract),
        "rows of xor influence one another.*parity predict": lambda: scorer().schema(
            table, replace(contract, row_independent=False)
        ),
        "does not record the range of the training rows": lambda: scorer(DATA / "rent", out_of_range="mark").added(
            Predictor(DATA / "rent").contract
        ),
        "errors is 'rais'.*did you mean raise": lambda: scorer(errors="rais"),
        "out_of_range is 'marc'.*did you mean mark": lambda: scorer(out_of_range="marc"),
    }.items():
        with pytest.raises(InputError, match=problem):
            call()


def test_batches_that_are_answered_at_once_keep_their_order_and_their_rows_numbers() -> None:
    batch = points(1000)
    slices = [batch.slice(start, 10) for start in range(0, 1000, 10)]
    whole, parts = (
        pyarrow.Table.from_batches(scorer().answers(batches, "partition 1", threads=threads)).combine_chunks()
        for batches, threads in (([batch], 1), (slices, 3))
    )
    assert whole == parts
    slices[70] = slices[70].set_column(1, "x1", pyarrow.nulls(10, pyarrow.float32()))
    with pytest.raises(InputError, match="partition 1, row 1701: x1 is missing.*; errors='null' leaves"):
        list(scorer().answers(slices, "partition 1", first=1001, threads=3))


def test_the_answers_alone_have_a_schema_of_their_own() -> None:
    one = scorer(prefix="p_", out_of_range="mark")
    names = ["p_label", "p_probability_0", "p_probability_1", "p_out_of_range"]
    assert one.added(Predictor(one.worker.path).contract).names == names


def test_a_package_that_was_replaced_is_never_mixed_in(tmp_path: Path) -> None:
    shutil.copytree(DATA / "xor", tmp_path / "p")
    worker = WorkerPredictor.of(tmp_path / "p")
    shutil.rmtree(tmp_path / "p")
    with pytest.raises(InputError, match=r"the worker .* cannot use the package .*a path that all workers see"):
        worker.open()
    shutil.copytree(DATA / "species", tmp_path / "p")
    with pytest.raises(DigestError, match="on the worker"):
        worker.open()
    with pytest.raises(InputError, match=r"has Parity .*, and the driver 9\.9"):
        replace(worker, version="9.9").open()


def test_a_bare_model_has_no_id() -> None:
    with pytest.warns(UncheckedModelWarning), pytest.raises(InputError, match="give a package folder"):
        WorkerPredictor.of(DATA / "xor" / "model.onnx")


def test_text_is_a_number_where_an_engine_has_read_a_text_file() -> None:
    cells = {"x1": ["0.25", " 1e-1", "NA", None, "", "abc"], "x2": ["1", "0", "0", "0", "0", "0"]}
    batch = pyarrow.RecordBatch.from_pydict(
        {name: pyarrow.array(column, pyarrow.string()) for name, column in cells.items()}
    )
    with pytest.raises(InputError, match="x1 holds string, not numbers"):
        list(scorer().answers([batch], "partition 0"))
    assert [float(answer) for answer in answered(batch)] == Predictor(DATA / "xor").predict(
        [[0.25, 1], [0.1, 0]]
    ).tolist()
    with pytest.raises(InputError, match="partition 0, row 6: x1 is 'abc', not a number"):
        list(scorer(text=True).answers([batch.slice(5)], "partition 0", first=6))


def answered(batch: "pyarrow.RecordBatch") -> list[int]:
    (answers,) = scorer(text=True, errors="skip").answers([batch], "partition 0")
    labels: list[int] = answers["label"].to_pylist()
    return labels
