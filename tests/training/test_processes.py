"""Training on several processes: as one does it, whoever of them is killed."""

import contextlib
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import InputError
from parity_training import NetworkChoice, Run, TrainSettings, XORSettings, weights_id, xor_data
from parity_training.data.batches import EpochSampler, TensorLoader
from parity_training.fitting.distribute import distribute
from parity_training.fitting.prepare import make_recipe, prepare
from parity_training.fitting.process_group import ProcessGroup
from parity_training.fitting.whole_batch import SharedLoader
from parity_training.weights.weights_file import load_object
from tests.training.tables import write_table
from tests.unmeasured import unmeasured
from tests.warm_process import Forked, WarmProcess

slow = pytest.mark.slow
linux = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="asks /proc which process is which")
EPOCHS = 40
NETWORK = (
    *("--target", "kind", "--arg", "hidden=[16,16]", "--arg", "dropout=0.2", "--class-weights", "balanced"),
    *("--epochs", str(EPOCHS), "--patience", "1000", "--batch-size", "9", "--scheduler", "ReduceLROnPlateau"),
)
"""All that draws by chance (dropout, hidden categories), weighs rows unlike, and leaves parts of unlike sizes."""


def train(data: Path, out: Path, *options: str) -> list[str]:
    return ["train", str(data), "--out", str(out), *options]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    kind = random.integers(0, 3, 317)
    columns = {
        "length": (kind + random.normal(0, 0.4, 317)).round(5),
        "colour": [("red", "green", "blue")[index] for index in (kind + random.integers(0, 2, 317)) % 3],
        "kind": [("cat", "dog", "owl")[index] for index in kind],
    }
    return write_table(tmp_path_factory.mktemp("data") / "t.csv", columns)


@pytest.fixture(scope="module")
def alone(warm: WarmProcess, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "alone"
    done = warm.run(train(data, out, *NETWORK))
    assert done.returncode == 0, done.err
    return Run.open(out)


@pytest.fixture(scope="module")
def together(warm: WarmProcess, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Forked]:
    out = tmp_path_factory.mktemp("runs") / "together"
    done = warm.run(train(data, out, *NETWORK, "--processes", "2"), environment=unmeasured())
    assert done.returncode == 0, done.err
    return Run.open(out), done


def epochs(run: Run) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def begun(out: Path, alive: Forked | subprocess.Popen[str]) -> None:
    """Wait until there is a checkpoint, and a moment for some steps: be it the first or the last of them."""
    log, give_up = out.with_name(f"{out.name}.unfinished") / "tensorboard", time.monotonic() + 90
    while not log.exists() and alive.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.7)
    assert alive.poll() is None


def rank_of(started: int, rank: int) -> int:
    """Return the process with a rank among those that a process has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(re.search(r"PPid:\s*(\d+)", (folder / "status").read_text())[1])  # type: ignore[index]
            if parent == started and f"RANK={rank}" in (folder / "environ").read_text().split("\0"):
                return int(folder.name)
        except (OSError, TypeError):
            continue
    raise AssertionError(f"{started} has no process of rank {rank}")


@slow
def test_losses_are_those_of_one_process_and_the_run_has_the_same_files(
    alone: Run, together: tuple[Run, Forked]
) -> None:
    run, done = together
    assert len(epochs(run)) == EPOCHS
    for one, two in zip(epochs(alone), epochs(run), strict=True):
        assert two == pytest.approx(one, rel=1e-4, abs=1e-6)
    for name, tensor in alone.state_dict().items():
        assert torch.allclose(run.state_dict()[name], tensor, rtol=1e-3, atol=1e-4), name
    files = [sorted(path.name for path in each.path.iterdir()) for each in (alone, run)]
    assert files[0] == files[1]
    for name in ("test.csv", "profile.json"):
        assert (run.path / name).read_bytes() == (alone.path / name).read_bytes()
    assert (run.recipe.training.pop("processes"), alone.recipe.training) == (2, run.recipe.training)
    assert "parity: 2 processes are slower here than one: a step of 9 rows takes" in done.err
    assert done.err.count("rows to train on") == done.out.count("run: ") == 1


@slow
@linux
def test_a_rank_that_is_killed_is_named_and_going_on_gives_the_same_weights(
    warm: WarmProcess, data: Path, together: tuple[Run, Forked], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = warm.start(train(data, out, *NETWORK, "--processes", "2"), environment=unmeasured())
    begun(out, process)
    os.kill(rank_of(process.pid, 1), signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 1, err
    assert "rank 1 of 2 processes (PID" in err.splitlines()[-1] and "was killed by SIGKILL" in err
    assert "lost the others" not in err and "Traceback" not in err
    assert not out.exists()
    going_on = shlex.split(err.splitlines()[-1].rpartition("to continue: parity ")[2])
    done = warm.run(going_on, environment=unmeasured())  # on as many processes as before
    assert done.returncode == 0, done.err
    assert weights_id(Run.open(out).state_dict()) == weights_id(together[0].state_dict())
    assert (out / "metrics.jsonl").read_bytes() == (together[0].path / "metrics.jsonl").read_bytes()


@slow
@linux
def test_a_signal_stops_all_and_they_talk_through_the_loopback_interface_alone(
    warm: WarmProcess, data: Path, alone: Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = warm.start(train(data, out, *NETWORK, "--processes", "2"), environment=unmeasured())
    begun(out, process)
    ranks = [rank_of(process.pid, rank) for rank in (0, 1)]
    found = [address for number in ranks for address in tcp_addresses(number)]
    assert found and {address.partition(":")[0] for address in found} == {"0100007F"}  # 127.0.0.1
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "parity: stopped in epoch" in err.splitlines()[-1]
    assert not any(Path(f"/proc/{number}").exists() for number in ranks)
    done = warm.run(train(data, out, "--resume", "--processes", "1"))  # what two began, one finishes
    assert done.returncode == 0, done.err
    assert epochs(Run.open(out))[-1] == pytest.approx(epochs(alone)[-1], rel=1e-3)


def tcp_addresses(number: int) -> list[str]:
    """Return the own addresses, in hexadecimal, of a process's TCP sockets."""
    links = set()
    for descriptor in Path(f"/proc/{number}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.add(str(descriptor.readlink()))
    tables = [Path(f"/proc/{number}/net/{name}").read_text().splitlines() for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table[1:]]
    return [words[1] for words in lines if f"socket:[{words[9]}]" in links]


@slow
@linux
def test_processes_whose_launcher_is_killed_save_and_end(warm: WarmProcess, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = warm.start(train(data, out, *NETWORK, "--processes", "2"), environment=unmeasured())
    begun(out, process)
    ranks = [rank_of(process.pid, rank) for rank in (0, 1)]
    process.kill()
    process.communicate()
    give_up = time.monotonic() + 30
    while any(Path(f"/proc/{number}").exists() for number in ranks) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{number}").exists() for number in ranks)
    checkpoint = load_object(tmp_path / "run.unfinished" / "checkpoint.pt")
    assert (0, 0) < (checkpoint["epoch"], checkpoint["step"]) < (EPOCHS, 0)


@slow
@pytest.mark.soak
@linux
def test_torchrun_starts_them_again_and_they_end_as_if_nothing_had_happened(
    data: Path, together: tuple[Run, Forked], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"),
        *("--monitor-interval", "0.1", "-m", "parity_training", *train(data, out, *NETWORK)[1:]),
    ]
    process = subprocess.Popen(command, env=unmeasured(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun(out, process)
    os.kill(rank_of(process.pid, 0), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert weights_id(Run.open(out).state_dict()) == weights_id(together[0].state_dict())
    assert (out / "metrics.jsonl").read_bytes() == (together[0].path / "metrics.jsonl").read_bytes()
    assert os.listdir(tmp_path) == ["run"]


SCRIPT = """
import sys
from torch import nn
from parity_training import *

class Own(nn.Module):
    def __init__(self, num_inputs, num_outputs):
        super().__init__()
        self.first, self.last = nn.Linear(num_inputs, 5), nn.Linear(5, num_outputs)
        self.unused = nn.Linear(2, 2)
        self.register_buffer("seen", __import__("torch").zeros(()))

    def forward(self, rows):
        self.seen += 1
        return self.last(self.first(rows).tanh())

def jobs(out):
    data = xor_data(XORSettings(size=97, validation_size=16, test_size=16))
    lbfgs = TrainSettings(epochs=2, batch_size=32, optimizer="LBFGS", learning_rate=1.0,
                          optimizer_arguments={"max_iter": 3, "line_search_fn": "strong_wolfe"})
    yield train_model(data, NetworkChoice("XORClassifier"), lbfgs, f"{out}/lbfgs")
    own = NetworkChoice("script:Own", user_network=Own)
    yield train_model(data, own, TrainSettings(epochs=3, batch_size=32, clip_norm=0.1), f"{out}/own")

with process_group() as group:
    print(group, *jobs(sys.argv[1]))
"""


@slow
def test_a_script_under_torchrun_trains_any_optimizer_and_network_as_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--monitor-interval", "0.1"]
    for _ in range(3):  # torch aborts a process now and then that has trained to its end, and torchrun says so
        for name in ("together", "alone"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            (tmp_path / name).mkdir()
        done = subprocess.run([*torchrun, tmp_path / "script.py", tmp_path / "together"], env=unmeasured(), check=False,
                              capture_output=True, text=True)  # fmt: skip
        if "terminate called without an active exception" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert "ProcessGroup(rank 1 of 2)" in done.stdout
    monkeypatch.setattr(sys, "argv", ["script.py", str(tmp_path / "alone")])
    runpy.run_path(str(tmp_path / "script.py"))
    for name in ("lbfgs", "own"):
        one, two = (epochs(Run.open(tmp_path / place / name)) for place in ("alone", "together"))
        for left, right in zip(one, two, strict=True):
            assert right == pytest.approx(left, rel=1e-3), name


@slow
def test_what_stands_in_the_way_is_one_line(warm: WarmProcess, parity, data: Path, alone: Run, tmp_path: Path) -> None:
    assert parity(*train(data, alone.path, *NETWORK, "--processes", "2")).is_refused(1, "exists; choose another name")
    assert parity(*train(data, tmp_path / "no", "--resume", "--processes", "2")).is_refused(1, "is not a run")
    assert parity(*train(data, tmp_path / "no", *NETWORK, "--processes", "0")).code == 2
    options = (*NETWORK, "--num-workers", "1", "--processes", "2")
    done = warm.run(train(data, tmp_path / "no", *options), environment=unmeasured())
    assert done.returncode == 1
    assert "--num-workers cannot be used with 2 processes" in done.err.splitlines()[-1]
    assert done.err.count("parity: ") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "arguments", "words"),
    [
        ({"num_workers": 1}, {}, "num_workers cannot be used with 2 processes"),
        ({"batch_size": 1}, {}, "batch_size is 1, fewer rows than the 2 processes"),
        ({}, {"batch_norm": True}, "batch normalization cannot be used with 2 processes"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_what_does_not_go_with_several_processes_is_refused(
    settings: dict[str, int], arguments: dict[str, bool], words: str
) -> None:
    data, chosen = xor_data(XORSettings(size=64, validation_size=16, test_size=16)), TrainSettings(**settings)  # type: ignore[arg-type]
    training = prepare(data, make_recipe(data, NetworkChoice("MLP", arguments), chosen), None, chosen)
    with pytest.raises(InputError, match=words):
        distribute(training, ProcessGroup(0, 2), chosen, None, own=True)


@pytest.mark.parametrize(("rows", "size", "processes"), [(40, 10, 2), (33, 8, 3), (21, 10, 2), (5, 8, 8)])
def test_the_processes_have_each_batch_between_them(rows: int, size: int, processes: int) -> None:
    data, target, part = torch.rand(50, 2), torch.arange(50), torch.randperm(50)[:rows]
    sampler = EpochSampler(rows, shuffle=True, seed=3)
    whole = TensorLoader(data, target, sampler, size, part=part)
    loaders = [
        SharedLoader(whole, ProcessGroup(rank, processes), lambda target: 1.0 + target) for rank in range(processes)
    ]
    for batch, *parts in zip(whole, *loaders, strict=True):
        places = [loader.part_of_batch for loader in loaders]
        own = [labels for place, (_, labels) in zip(places, parts, strict=True) if place.weight]
        assert torch.equal(torch.cat(own), batch[1])
        assert sum(place.weight for place in places) == pytest.approx(1)
        assert all(len(labels) == place.last - place.first for place, (_, labels) in zip(places, parts, strict=True))
        assert all(place.rows == len(batch[1]) for place in places)
