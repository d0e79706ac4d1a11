"""Ray datasets, on a real cluster of two nodes, each of its own processes."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.ray import Scorer, predict
from tests.end_to_end.guide import blocks

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
XOR = DATA / "xor"
ROWS = 3000

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


def points() -> "pyarrow.Table":
    x1, x2 = np.random.default_rng(0).uniform(-1, 2, (2, ROWS)).astype(np.float32)
    return pyarrow.table({"id": np.arange(ROWS), "x1": x1, "x2": x2})


def rows_of(dataset: "ray.data.Dataset") -> "pyarrow.Table":
    return pyarrow.concat_tables(ray.get(dataset.to_arrow_refs())).sort_by("id").combine_chunks()


def parts(table: "pyarrow.Table", count: int) -> "ray.data.Dataset":
    step = -(-len(table) // count)
    return ray.data.from_arrow([table.slice(start, step) for start in range(0, len(table), step)])


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(("pieces", "actors", "batch"), [pytest.param(1, 1, 3000, marks=pytest.mark.soak), (9, 2, 70)])
def test_answers_are_the_same_bits_whatever_the_blocks_and_the_actors(pieces: int, actors: int, batch: int) -> None:
    """As in this process, in one batch."""
    table = points()
    found = rows_of(predict(parts(table, pieces), XOR, concurrency=actors, batch_size=batch))
    assert found == Scorer(XOR)(table).combine_chunks()
    features = np.stack([table["x1"], table["x2"]], axis=1)
    assert found["label"].to_pylist() == Predictor(XOR).predict(features).tolist()


@pytest.mark.usefixtures("ray_cluster")
def test_the_guide_reads_and_writes_with_an_actor_for_each_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a whole CPU for each of three actors, none would be left for the tasks that read and write."""
    shutil.copytree(XOR, tmp_path / "tests" / "data" / "xor")
    parquet.write_table(points(), tmp_path / "points.parquet")
    monkeypatch.chdir(tmp_path)
    guide = (ROOT / "docs/how-to/ray.md").read_text(encoding="utf-8")
    (code,) = [code for language, code, _ in blocks(guide) if language == "python"]
    assert "concurrency=3" in code and ray.cluster_resources()["CPU"] == 3
    exec(compile(code, "ray.md", "exec"), {})  # noqa: S102 -- a guide of our own
    answers = parquet.read_table(tmp_path / "answers").sort_by("id")
    assert answers == Scorer(XOR, columns=["id", "label"])(points()).combine_chunks()


@pytest.mark.usefixtures("ray_cluster")
def test_actors_that_may_take_every_cpu_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing runs; the dataset is of memory, so that it would."""
    dataset = parts(points(), 1)
    predict(dataset, XOR, concurrency=3)
    predict(dataset, XOR, concurrency=(1, 9))
    predict(dataset, XOR, concurrency=9, num_cpus=0)
    predict(dataset, XOR, compute=ray.data.ActorPoolStrategy(size=2))
    assert not [message for message in caplog.messages if "Ray's cluster" in message]
    predict(dataset, XOR, concurrency=3, num_cpus=1)
    predict(dataset, XOR, compute=ray.data.ActorPoolStrategy(size=9))
    found = [message for message in caplog.messages if message.startswith("concurrency: ")]
    assert len(found) == 2 and "3 actors with num_cpus=1 may take all 3 CPUs of Ray's cluster" in found[0]
    assert found[1].startswith("concurrency: 9 actors with num_cpus=1 ") and found[1].endswith("or for num_cpus=0")


@pytest.mark.usefixtures("ray_cluster")
def test_an_actor_that_is_killed_is_replaced_and_nothing_is_lost() -> None:
    killed: list[int] = []
    thread = threading.Thread(target=kill_one, args=(killed,))
    thread.start()
    slow = parts(points(), 40).map_batches(_slowly, batch_format="pyarrow")
    found = rows_of(predict(slow, XOR, concurrency=1, batch_size=50))
    thread.join()
    assert killed
    assert found == Scorer(XOR)(points()).combine_chunks()


def _slowly(batch: "pyarrow.Table") -> "pyarrow.Table":
    time.sleep(0.05)
    return batch


def kill_one(killed: list[int]) -> None:
    """Kill the first actor that runs, once it has had the time to answer some batches."""
    until = time.monotonic() + 30
    while not killed and time.monotonic() < until:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_actor = (folder / "cmdline").read_bytes().startswith(b"ray::MapWorker")
            except OSError:
                continue
            if is_actor:
                time.sleep(0.3)
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
                return
        time.sleep(0.02)


@pytest.mark.usefixtures("ray_cluster")
def test_the_driver_says_which_row_cannot_be_predicted() -> None:
    table = points()
    holed = [None if row == 1234 else 0.5 for row in range(ROWS)]
    dataset = parts(table.set_column(1, "x1", pyarrow.array(holed, pyarrow.float32())), 3)
    with pytest.raises(Exception, match=r"InputError: a batch of the dataset, row \d+: x1 is missing"):
        rows_of(predict(dataset, XOR, concurrency=1))
    left = rows_of(predict(dataset, XOR, concurrency=1, errors="skip", columns=["id", "label"]))
    assert len(left) == ROWS - 1 and left.column_names == ["id", "label"]
    null = rows_of(predict(dataset, XOR, concurrency=1, errors="null", columns=["id", "label"], reasons="why"))
    (told,) = null.filter(null["label"].is_null()).to_pylist()
    assert told["id"] == 1234 and told["why"].startswith("x1 is missing")
    assert null["why"].null_count == ROWS - 1


@pytest.mark.usefixtures("ray_cluster")
def test_training_reads_a_dataset_batch_by_batch() -> None:
    from parity_training import TableSettings, batches_from, stream_table

    ray.data.DataContext.get_current().execution_options.preserve_order = True
    x1, x2 = np.random.default_rng(1).uniform(-1, 2, (2, ROWS))
    table = pyarrow.table({"x1": x1, "x2": x2, "y": (x1 > x2).astype(np.int64)})
    data = stream_table(batches_from(parts(table, 4)), TableSettings("y"), "m").data
    whole = stream_table(table, TableSettings("y"), "m").data
    assert data.source == whole.source and data.all_rows == ROWS


@pytest.mark.usefixtures("ray_cluster")
def test_a_package_that_is_replaced_fails_the_job(tmp_path: Path) -> None:
    shutil.copytree(XOR, tmp_path / "p")
    answers = predict(parts(points(), 2), tmp_path / "p", concurrency=1)
    shutil.rmtree(tmp_path / "p")
    shutil.copytree(DATA / "species", tmp_path / "p")
    with pytest.raises(Exception, match="on the worker"):
        rows_of(answers)


def test_what_is_wrong_with_a_package_is_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a package"):
        predict(None, tmp_path / "nowhere")
