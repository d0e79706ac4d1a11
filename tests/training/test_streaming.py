"""Tables that are read once and kept on a disk: the same problem from every source, in bounded memory."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parity_runtime import InputError, MissingExtraError
from parity_training import (
    NetworkChoice,
    Run,
    TableDataset,
    TableSettings,
    TrainSettings,
    batches_from,
    stream_table,
    table_data,
    train_model,
    weights_id,
)
from parity_training.data.batches import EpochSampler
from parity_training.data.growing_rows import GrowingRows
from parity_training.data.hashed_split import HashedSplit
from parity_training.data.problem import PARTS
from parity_training.data.record_file import RecordFile
from parity_training.data.stored_batches import StoredLoader
from parity_training.data.stored_data import StoredData
from tests.refusals import refused_at
from tests.training.tables import classes_table, prices_table, write_table
from tests.unmeasured import unmeasured
from tests.warm_process import WarmProcess

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

MEMORY = 2**24
SETTINGS = TableSettings("dear")
ROWS, PARTS_OF_TABLE = 3000, 3


def mixed(rows: int = ROWS) -> Any:
    """Numbers with missing cells, texts, dates and a class that they decide."""
    random = np.random.default_rng(3)
    size, colour = random.normal(size=rows), random.integers(0, 3, rows)
    return pyarrow.table({
        "size": pyarrow.array(np.where(random.random(rows) < 0.05, np.nan, size), from_pandas=True),
        "colour": np.array(["red", "green", "blue"])[colour],
        "sold": pyarrow.array(np.datetime64("2024-01-01") + random.integers(0, 500, rows)),
        "dear": (size + (colour == 1)) > 0.5,
    })  # fmt: skip


def folder_of(table: Any, folder: Path) -> Path:
    folder.mkdir()
    step = -(-len(table) // PARTS_OF_TABLE)
    for part in range(PARTS_OF_TABLE):
        parquet.write_table(table.slice(part * step, step), folder / f"part-{part}.parquet")
    return folder


def streamed(source: Any, settings: TableSettings = SETTINGS, memory: int = MEMORY) -> StoredData:
    return stream_table(source, settings, "m", memory=memory).data


def rows_of(data: StoredData, part: str) -> list[torch.Tensor]:
    return [torch.cat(tensors) for tensors in zip(*data.pieces(part), strict=True)]


def test_every_source_gives_the_same_rows_in_the_same_parts(tmp_path: Path) -> None:
    table = mixed()
    folder = folder_of(table, tmp_path / "parts")
    sources: dict[str, Any] = {
        "folder": folder, "glob": f"{folder}/*.parquet", "frame": table, "pandas": table.to_pandas(),
        "batches": batches_from(table.to_batches(700)),
        "mappings": batches_from(batch.to_pydict() for batch in table.to_batches(999)),
        "frames": batches_from(batch.to_pandas() for batch in table.to_batches(1500)),
    }  # fmt: skip
    found = {name: streamed(source) for name, source in sources.items()}
    assert len({data.source["sha256"] for data in found.values()}) == 1
    held_out = [list(data.held_out("test")) for data in found.values()]
    assert all(lines == held_out[0] for lines in held_out)
    (head, *lines), cells = held_out[0], table.to_pydict()
    assert head == ["row", *table.column_names] and len(lines) == found["folder"].num_rows("test")
    for number, _, colour, sold, dear in lines:
        row = int(number) - 1
        assert (colour, sold) == (cells["colour"][row], str(cells["sold"][row]))
        assert dear == str(cells["dear"][row]).lower()


def test_what_is_learned_of_the_columns_is_that_of_a_table_in_memory() -> None:
    table = mixed()
    data, in_memory = streamed(table), table_data(TableDataset(table, SETTINGS), SETTINGS, "m")
    assert data.stats is not None and in_memory.stats is not None
    assert data.contract.classes == in_memory.contract.classes
    for one, other in zip(data.contract.features, in_memory.contract.features, strict=True):
        assert (one.name, one.kind, one.missing, one.categories) == (
            other.name, other.kind, other.missing, other.categories
        )  # fmt: skip
        assert data.stats.missing(one) == in_memory.stats.missing(other)
    train = rows_of(data, "train")[0]
    size = data.contract.features[0]
    known = train[:, 0][~torch.isnan(train[:, 0])]
    assert (size.low, size.high) == (float(known.min()), float(known.max()))
    split = HashedSplit(SETTINGS.validation, SETTINGS.test, SETTINGS.seed)
    parts = split.part_of(np.arange(1, ROWS + 1))
    for place, part in enumerate(PARTS):  # the same cells, row by row
        rows = torch.from_numpy(np.flatnonzero(parts == place))
        numbers, indices, target = rows_of(data, part)
        assert torch.equal(torch.nan_to_num(numbers), torch.nan_to_num(in_memory.data[rows]))
        assert in_memory.indices is not None and torch.equal(indices, in_memory.indices[rows])
        assert torch.equal(target, in_memory.target[rows])


def test_parts_have_their_shares_and_depend_on_the_seed_alone() -> None:
    rows = np.arange(1, 200_001)
    parts = HashedSplit(0.2, 0.1, 5).part_of(rows)
    shares = np.bincount(parts) / len(rows)
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.004)
    assert np.array_equal(HashedSplit(0.2, 0.1, 5).part_of(rows[1000:2000]), parts[1000:2000])
    other = HashedSplit(0.2, 0.1, 6).part_of(rows)
    assert np.mean((parts == 2) & (other == 2)) == pytest.approx(0.01, abs=0.002)  # independent of one another


def loader(rows: int, batch_size: int = 10, memory: int = 16_000) -> StoredLoader:
    file = RecordFile(np.dtype([("target", "<i8")]))
    file.append(np.arange(rows).astype(file.dtype))
    sampler = EpochSampler(rows, shuffle=True, seed=3)
    return StoredLoader(
        file, lambda records: (torch.from_numpy(records["target"].copy()),), sampler, batch_size, memory
    )


def order_of(batches: StoredLoader, epoch: int = 0, start: int = 0) -> list[int]:
    batches.sampler.set_epoch(epoch, start)
    return [int(row) for (batch,) in batches for row in batch]


@pytest.mark.parametrize("rows", [7, 10, 999, 1000, 5003])
def test_an_epoch_has_every_row_once_in_an_order_of_its_own(rows: int) -> None:
    first, second = order_of(loader(rows), 0), order_of(loader(rows), 1)
    assert sorted(first) == sorted(second) == list(range(rows))
    assert first != second and first != sorted(first)
    assert order_of(loader(rows), 0) == first


def test_a_last_batch_of_one_row_is_left_out() -> None:
    assert len(order_of(loader(5001))) == 5000


@pytest.mark.parametrize("start", [10, 990, 1000, 1010, 4990, 5000])
def test_an_epoch_goes_on_where_it_was_left(start: int) -> None:
    assert order_of(loader(5003), 2, start) == order_of(loader(5003), 2)[start:]


def test_rows_of_the_whole_table_meet_in_a_batch() -> None:
    """The file is sorted, and memory holds a fifth of it: a batch must not be of neighbours."""
    batches = loader(5000, batch_size=100, memory=16_000)
    assert batches._window == 1000
    batches.sampler.set_epoch(0)
    for (batch,) in batches:
        assert batch.float().std() > 0.2 * 5000 / np.sqrt(12)
        assert len({int(row) // 100 for row in batch}) > 10


def test_targets_of_every_kind(tmp_path: Path) -> None:
    prices = streamed(prices_table(tmp_path / "prices.csv"), TableSettings("price"))
    assert (prices.contract.task, prices.targets("train").dtype) == ("regression", torch.float32)
    texts = streamed(classes_table(tmp_path / "t.csv", classes=("cat", "dog", "owl")), TableSettings("kind"))
    assert texts.contract.classes == ("cat", "dog", "owl")
    numbers = [0, 1, 1, 0, "-", 1, 0, None, 1, 0] * 20
    path = write_table(tmp_path / "n.csv", {"x": range(5, 405, 2), "z": np.sin(range(200)), "y": numbers})
    data = streamed(path, TableSettings("y", drop_columns=("x",)))
    assert (data.contract.classes, data.all_rows) == ((0, 1), 160)
    assert all(numbers[int(line[0]) - 1] in (0, 1) for line in list(data.held_out("test"))[1:])
    positive = streamed(path, TableSettings("y", drop_columns=("x",), positive="0"))
    assert torch.equal(positive.targets("test"), 1 - data.targets("test"))


def test_rows_of_a_class_that_would_not_be_trained_on_are(tmp_path: Path) -> None:
    parts = HashedSplit(0.1, 0.1, 1234).part_of(np.arange(1, 401))
    held_out = int(np.flatnonzero(parts == 2)[0])
    kinds = ["rare" if row == held_out else ("cat", "dog")[row % 2] for row in range(400)]
    path = write_table(tmp_path / "t.csv", {"x": np.random.default_rng(0).normal(size=400), "kind": kinds})
    data = streamed(path, TableSettings("kind", task="classification"))
    assert data.contract.classes == ("cat", "dog", "rare") and data.class_counts()[2] == 1
    assert 2 not in data.targets("test") and data.all_rows == 400
    assert [data.num_rows(part) for part in PARTS] == [
        (parts == 0).sum() + 1,
        (parts == 1).sum(),
        (parts == 2).sum() - 1,
    ]
    kinds = ["yes" if row == held_out else "no" for row in range(400)]
    path = write_table(tmp_path / "u.csv", {"x": np.random.default_rng(0).normal(size=400), "kind": kinds})
    assert streamed(path, TableSettings("kind", task="classification")).class_counts().tolist() == [
        int((parts == 0).sum()), 1
    ]  # fmt: skip


def test_texts_beyond_what_memory_holds_count_as_unknown(tmp_path: Path) -> None:
    from parity_training.reports.column_report import column_warnings

    random = np.random.default_rng(0)
    names = [f"n{number}" for number in random.integers(0, 9999, 40_000)]
    path = write_table(tmp_path / "t.csv", {"x": random.normal(size=40_000).round(4), "name": names,
                                            "y": random.integers(0, 2, 40_000)})  # fmt: skip
    settings = TableSettings("y", categorical=("name",), max_categories=20_000)
    found = stream_table(path, settings, "m", memory=2**23)
    kept = len(found.columns.texts[0]) - 2  # beside a missing one, and those that came later
    assert 2**20 // 250 < kept < 2**20 // 200  # an eighth of the memory
    assert len(found.data.contract.features[1].categories) <= kept
    (told,) = [line for line in column_warnings(found.columns, found.data) if line.startswith("name:")]
    assert f"of more than {kept} categories" in told and f"memory holds {kept} of them" in told
    assert (rows_of(found.data, "train")[1] == 1).sum() > 1000


def test_a_dataloader_and_pairs_of_arrays_are_batches() -> None:
    x, y = torch.rand(500, 2), torch.arange(500) % 2
    pairs = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 64)
    data = streamed(batches_from(pairs, columns=["a", "b", "y"]), TableSettings("y"))
    assert torch.equal(torch.cat([rows_of(data, part)[0] for part in PARTS]).sort(0)[0], x.sort(0)[0])
    with pytest.raises(InputError, match="has 3 columns and 2 names"):
        streamed(batches_from(pairs, columns=["a", "y"]), TableSettings("y"))
    with pytest.raises(InputError, match="not 7"):
        batches_from(7)
    with pytest.raises(InputError, match="holds no batches"):
        streamed(batches_from([]), TableSettings("y"))
    with pytest.raises(InputError, match="named a, a, y: give each a name of its own"):
        streamed(batches_from(pairs, columns=["a", "a", "y"]), TableSettings("y"))
    with pytest.raises(InputError, match="no rows to train on"):
        streamed(batches_from([{"x": np.zeros(0), "y": np.zeros(0)}]), TableSettings("y"))
    odd = [{"x": np.arange(70_000.0), "y": np.arange(70_000) % 2}, {"z": [1.0], "y": [1]}]
    with pytest.raises(InputError, match="has no column 'x'"):
        streamed(batches_from(odd), TableSettings("y"))
    with pytest.raises(InputError, match="is one batch"):
        batches_from({"x": [1]})
    for whole in (x, "t.csv"):
        frame = pyarrow.table({"x": [1.0]}) if whole is x else whole
        with pytest.raises(InputError, match="is a table by itself"):
            batches_from(frame)
    halves = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x.bfloat16(), y), 64)
    assert streamed(batches_from(halves, columns=["a", "b", "y"]), TableSettings("y")).all_rows == 500


def test_batches_are_read_once() -> None:
    batches = batches_from(mixed().to_batches(500))
    streamed(batches)
    with pytest.raises(InputError, match="has been read, and can be read once"):
        streamed(batches)


def test_types_that_change_are_read_as_those_of_files(tmp_path: Path) -> None:
    """A batch of integers, then one of fractions: no cell takes the type of the first."""
    y = np.arange(600) % 2
    random = np.random.default_rng(0)
    first = pyarrow.table({"a": random.integers(0, 9, 600), "b": pyarrow.nulls(600), "y": y})
    second = pyarrow.table({"a": random.normal(size=600), "b": random.normal(size=600), "y": y})
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, table in enumerate((first, second)):
        parquet.write_table(table, folder / f"{number}.parquet")
    settings = TableSettings("y")
    of_batches, of_files = streamed(batches_from([first, second]), settings), streamed(folder, settings)
    assert of_batches.source == of_files.source
    assert list(of_batches.held_out("test")) == list(of_files.held_out("test"))
    truth = [pyarrow.table({"x": random.normal(size=600), "y": y > 0}), pyarrow.table({"x": [1.0, 2.0], "y": [3, 4]})]
    assert streamed(batches_from(truth), settings).contract.classes == ("3", "4", "false", "true")


def test_no_row_held_out_by_chance_is_said() -> None:
    few = [{"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1]}]
    with pytest.raises(InputError, match="chance leaves none of 4 rows in the part test; .* or test=0"):
        streamed(batches_from(few), TableSettings("y", test=0.001))


def test_a_file_of_a_folder_is_named_with_its_row(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(3):
        classes_table(folder / f"{part}.csv", rows=6000)
    lines = (folder / "2.csv").read_text().splitlines()
    for read in (streamed, TableDataset):
        (folder / "2.csv").write_text("\n".join([*lines[:4], "huge,0.1,cat", *lines[5:]]))
        with refused_at(path=f"{folder}/2.csv", row=4, column="large"):
            read(folder, TableSettings("kind"))
        (folder / "2.csv").write_text("\n".join(line.partition(",")[2] for line in lines))
        with pytest.raises(InputError, match=r"2\.csv has no column 'large'"):
            read(folder, TableSettings("kind"))


def test_an_odd_target_is_named_with_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(2):
        prices_table(folder / f"{part}.csv")
    lines = (folder / "1.csv").read_text().splitlines()
    (folder / "1.csv").write_text("\n".join([*lines[:3], "1,2,oops", *lines[4:]]))
    with pytest.raises(InputError, match=r"'oops' \(.*/1\.csv, row 3\)"):
        streamed(folder, TableSettings("price"))


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="memory is 1 bytes"):
        streamed(path, TableSettings("kind"), memory=1)
    with pytest.raises(InputError, match="rows cannot be kept in .*nowhere"):
        stream_table(path, TableSettings("kind"), "m", folder=tmp_path / "nowhere")
    with pytest.raises(InputError, match="leave none to train on"):
        streamed(prices_table(tmp_path / "u.csv", rows=3), TableSettings("price", validation=0.499, test=0.5))
    data = streamed(path, TableSettings("kind"))
    with pytest.raises(InputError, match="num_workers"):
        train_model(data, NetworkChoice(), TrainSettings(num_workers=1), tmp_path / "run")
    with pytest.raises(InputError, match="does not fit in memory: .* stream_table"):
        GrowingRows(np.float64, 2**20)._grow(2**30)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """A limit on the size of files: the rows need more."""
    script = (
        "import resource, signal, sys\n"
        "from parity_training import TableSettings, stream_table\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "stream_table(sys.argv[1], TableSettings('kind'), 'm')\n"
    )
    table = classes_table(tmp_path / "t.csv", rows=9000)
    done = subprocess.run([sys.executable, "-c", script, table], capture_output=True, text=True, check=False)
    assert "rows cannot be kept in" in done.stderr and "File too large" in done.stderr


NETWORK = ("--target", "dear", "--memory", "1MiB", "--epochs", "2", "--batch-size", "8", "--arg", "hidden=[16]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(mixed(24_000), tmp_path_factory.mktemp("data") / "parts")


@pytest.fixture(scope="module")
def finished(warm: WarmProcess, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    done = warm.run(["train", folder, "--out", out, *NETWORK])
    assert done.returncode == 0, done.err
    assert "19270 rows to train on" in done.err
    return Run.open(out)


@pytest.mark.slow
def test_the_command_line_trains_and_what_it_holds_out_is_evaluated(
    parity, finished: Run, folder: Path, tmp_path: Path
) -> None:
    assert finished.recipe.data["memory"] == 2**20
    assert parity("export", finished.path, tmp_path / "package", "--effort", "quick").code == 0
    done = parity("evaluate", tmp_path / "package", finished.path / "test.csv", "--json")
    measured = json.loads((finished.path / "evaluation.json").read_text())
    assert (
        json.loads(done.out)["accuracy"] == pytest.approx(measured["accuracy"], abs=1e-9) and measured["accuracy"] > 0.9
    )
    assert os.listdir(finished.path.parent) == ["run"]  # nothing remains of what the rows were kept in


@pytest.mark.slow
def test_killed_in_the_middle_of_an_epoch_it_goes_on_to_the_same_bits(
    warm: WarmProcess, folder: Path, finished: Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = warm.start(["train", folder, "--out", out, *NETWORK])
    give_up = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < give_up:
        checkpoint = out.with_name("run.unfinished") / "checkpoint.pt"
        if checkpoint.exists() and torch.load(checkpoint, weights_only=True)["step"]:
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = warm.run(["train", folder, "--out", out, "--resume"])
    assert done.returncode == 0, done.err
    assert weights_id(Run.open(out).state_dict()) == weights_id(finished.state_dict())
    for name in ("metrics.jsonl", "evaluation.json", "recipe.json", "test.csv", "profile.json"):
        assert (out / name).read_bytes() == (finished.path / name).read_bytes(), name


@pytest.mark.slow
def test_two_processes_take_the_batches_of_one(warm: WarmProcess, folder: Path, tmp_path: Path) -> None:
    command = ["train", folder, *NETWORK, "--batch-size", "64"]  # thousands of steps of eight rows wait for each other
    for out, more in (("one", []), ("two", ["--processes", "2"])):
        done = warm.run([*command, "--out", tmp_path / out, *more], environment=unmeasured())
        assert done.returncode == 0, done.err
    one, two = (
        [json.loads(line) for line in (tmp_path / out / "metrics.jsonl").read_text().splitlines()]
        for out in ("one", "two")
    )
    for first, second in zip(one, two, strict=True):
        assert second == pytest.approx(first, rel=1e-3, abs=1e-4)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is Linux's")
def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    """What a process takes at most, for a table and for one of four times its rows."""
    script = (
        "import sys\n"
        "from parity_training import NetworkChoice, TableSettings, TrainSettings, stream_table, train_model\n"
        "data = stream_table(sys.argv[1], TableSettings('y'), 'm', memory=2**24).data\n"
        "train_model(data, NetworkChoice(), TrainSettings(epochs=1, batch_size=4096), sys.argv[2])\n"
        "lines = open('/proc/self/status').read().splitlines()  # what getrusage says begins with the parent's\n"
        "print(next(int(line.split()[1]) for line in lines if line.startswith('VmHWM:')))\n"
    )
    peaks = []
    random = np.random.default_rng(0)
    for parts in (1, 4):
        folder = tmp_path / f"{parts}"
        folder.mkdir()
        for part in range(parts):
            x = random.normal(size=(100_000, 20)).astype(np.float32)
            columns = {f"x{place}": x[:, place] for place in range(20)} | {"y": (x[:, 0] > 0).astype(np.int64)}
            parquet.write_table(pyarrow.table(columns), folder / f"{part}.parquet", row_group_size=10_000)
        command = [sys.executable, "-c", script, folder, tmp_path / f"run{parts}"]
        peaks.append(1024 * int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] - peaks[0] < 24e6 < 4 * 100_000 * 84  # a fourfold table has 25 MB more; it would take them twice


def test_batches_need_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"\[tables\]"):
        batches_from([])
