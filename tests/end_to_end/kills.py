"""python -m tests.end_to_end.kills [--random N]: kill every command that writes, at every call that changes a folder.

After each kill whatever stands under a name is the old or the new, and whole; the next command works, and leaves
nothing of the killed one behind.
"""

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity_runtime.verification.verify import verify
from parity_training import Run, weights_id
from parity_training.run import REPLACED
from tests.warm_process import Forked, WarmProcess

HOOK = Path(__file__).with_name("kill_hook.py")
TRAIN = ["train", "xor", "--out", "runs/x", "--size", "256", "--epochs", "4"]
RESUME = ["train", "xor", "--out", "runs/x", "--resume", "--force"]
EXPORT = ["export", "runs/x", "packages/x", "--force", "--effort", "quick", "--no-plots"]
CERTIFY = ["certify", "packages/x", "rows.csv", "--out", "certified"]
PREDICT = ["predict", "packages/x", "rows.csv", "--out", "scored.csv"]
PREDICT_FOLDER = ["predict", "packages/x", "tables", "--out", "scored", "--summary"]
PLOT = ["plot", "runs/x"]
OLD_PICTURE = b"an old picture"
Check = Callable[[Path, "State"], bool]


@dataclass(frozen=True)
class State:
    """What stood there before, and what an undisturbed command leaves."""

    before: Path
    after: Path


@dataclass(frozen=True)
class Job:
    """A command, what it needs, what must hold after each kill of it, and the command that is given next.

    Attributes:
        name: of the job.
        command: what is killed.
        whole: says whether what stands in a folder is the old or the new, whole; raises or says no otherwise.
        following: the command that must work then.
    """

    name: str
    command: list[str]
    whole: Check
    following: Callable[[Path, State], list[str]]


def same_files(first: Path, second: Path) -> bool:
    """Whether two folders hold the same files, but for a mark; of checkpoints the bytes depend on what was killed."""
    names = [sorted(path.name for path in folder.iterdir() if path.name != REPLACED) for folder in (first, second)]
    return names[0] == names[1] and all(
        (first / name).read_bytes() == (second / name).read_bytes()
        for name in names[0]
        if (first / name).is_file() and not name.endswith(".pt")
    )


def run_is_whole(folder: Path, state: State) -> bool:
    """Whether runs/x is the old run or the new one: weights, recipe, rows and metrics of one training."""
    found = Run.open(folder / "runs/x")
    weights = weights_id(found.module().state_dict())
    known = [place / "runs/x" for place in (state.before, state.after) if (place / "runs/x").is_dir()]
    return any(
        weights == weights_id(Run.open(one).module().state_dict()) and same_files(found.path, one) for one in known
    )


def resumable(folder: Path, state: State) -> bool:
    """Whether the run is the new one, or the old one and the new one waits for --resume under its other name."""
    if is_new(folder, state):
        return run_is_whole(folder, state)
    waiting, before = (Run.open(place / "runs/x.unfinished").recipe for place in (folder, state.before))
    return run_is_whole(folder, state) and waiting == before


def is_new(folder: Path, state: State) -> bool:
    """Whether runs/x is the new run."""
    return Run.open(folder / "runs/x").recipe == Run.open(state.after / "runs/x").recipe


def package_is_whole(folder: Path, state: State) -> bool:
    """Whether packages/x is the old package or the new one, every digest and every recorded answer."""
    verify(folder / "packages/x")
    found = (folder / "packages/x/manifest.json").read_bytes()
    return found in [(place / "packages/x/manifest.json").read_bytes() for place in (state.before, state.after)]


def certificate_is_whole(folder: Path, state: State) -> bool:
    """Whether certified is the old folder or the new one."""
    json.loads((folder / "certified/certificate.json").read_bytes())
    return any(same_files(folder / "certified", place / "certified") for place in (state.before, state.after))


def answers_are_whole(folder: Path, state: State) -> bool:
    """Whether scored.csv is the old file or the new one."""
    found = (folder / "scored.csv").read_bytes()
    return found in [(place / "scored.csv").read_bytes() for place in (state.before, state.after)]


def folder_is_whole(folder: Path, state: State) -> bool:
    """Whether each file of answers is the new one, and where the folder is said to be complete, all are there."""
    found = {path.relative_to(folder): path.read_bytes() for path in (folder / "scored").rglob("[!.]*.csv")}
    new = {path.relative_to(state.after): path.read_bytes() for path in (state.after / "scored").rglob("*.csv")}
    is_complete = (folder / "scored/_SUCCESS").exists()
    return all(new[name] == answers for name, answers in found.items()) and (found == new or not is_complete)


def pictures_are_whole(folder: Path, state: State) -> bool:
    """Whether each picture is an old one or a new one."""
    return all(
        picture.read_bytes() in (OLD_PICTURE, (state.after / "runs/x" / picture.name).read_bytes())
        for picture in (folder / "runs/x").glob("*.png")
    )


FORCE = [*TRAIN, "--seed", "2", "--force"]
JOBS = [
    Job("train --force", FORCE, run_is_whole, lambda *_: FORCE),
    Job("train --resume", RESUME, resumable, lambda *place: FORCE if is_new(*place) else RESUME),
    Job("export --force", EXPORT, package_is_whole, lambda *_: EXPORT),
    Job("certify --out", CERTIFY, certificate_is_whole, lambda *_: CERTIFY),
    Job("predict --out", PREDICT, answers_are_whole, lambda *_: PREDICT),
    Job("predict folder --out", PREDICT_FOLDER, folder_is_whole, lambda *_: PREDICT_FOLDER),
    Job("plot", PLOT, pictures_are_whole, lambda *_: FORCE),
]


class Kills:
    """Kills jobs in copies of one prepared folder.

    Args:
        folder: an empty one, for all that is written.
        warm: what runs the commands.
    """

    def __init__(self, folder: Path, warm: WarmProcess) -> None:
        self._folder, self._base, self._warm = folder, folder / "base", warm
        self._states: dict[str, State] = {}
        self.seconds: dict[str, float] = {}
        self._base.mkdir()
        (self._base / "rows.csv").write_text("x1,x2\n" + "0.1,0.9\n0.5,0.5\n" * 50)
        for name in ("a", "b", "more/c"):
            (self._base / "tables" / name).parent.mkdir(parents=True, exist_ok=True)
            (self._base / "tables" / f"{name}.csv").write_text("id,x1,x2\n" + f"{name},0.1,0.9\n" * 2)
        self._run(self._base, TRAIN)
        self._run(self._base, EXPORT)
        (self._base / "scored.csv").write_text("old answers\n")
        (self._base / "certified").mkdir()
        (self._base / "certified" / "certificate.json").write_text("{}")
        (self._base / "runs/x/loss.png").write_bytes(OLD_PICTURE)

    def _start(
        self,
        folder: Path,
        command: list[str],
        at: str | None = None,
        number: int = signal.SIGKILL,
        log: Path | None = None,
        ignored: Sequence[int] = (),
    ) -> Forked:
        """Start a command of parity in a folder; it gets a signal before the call ``at``."""
        if at is None:
            return self._warm.start(command, cwd=folder)
        environment = os.environ | {
            "KILL_ROOT": str(folder), "KILL_AT": at, "KILL_SIGNAL": str(int(number)),
            "KILL_LOG": str(log or os.devnull),
        }  # fmt: skip
        return self._warm.start(command, cwd=folder, environment=environment, ignored=ignored, script=HOOK)

    def _run(self, folder: Path, command: list[str], kill_at: str | None = None, log: Path | None = None) -> int:
        """Run a command of parity in a folder; killed where ``kill_at`` says; return its exit code."""
        process = self._start(folder, command, kill_at, log=log)
        if process.wait() not in (0, -signal.SIGKILL):
            raise AssertionError(f"{command} exits with {process.returncode}: {process.err}")
        return process.wait()

    def state(self, job: Job) -> State:
        """Return what stands before a job, and what it leaves when nobody disturbs it."""
        if job.name not in self._states:
            before, after = (self._folder / job.name.replace(" ", "") / name for name in ("before", "after"))
            shutil.copytree(self._base, before)
            if job.name == "train --resume":
                self._run(before, FORCE, "parity.exchange:1")
            if job.name == "export --force":
                self._run(before, [*TRAIN, "--seed", "3", "--force"])
            shutil.copytree(before, after)
            begin = time.monotonic()
            self._run(after, job.command)
            self.seconds[job.name] = time.monotonic() - begin
            self._states[job.name] = State(before, after)
        return self._states[job.name]

    def calls(self, job: Job) -> list[str]:
        """Return the calls of a job that change a folder, in their order."""
        log = self._folder / "calls"
        log.unlink(missing_ok=True)
        self._run(self._copy(self.state(job)), job.command, "0", log)
        return log.read_text().splitlines()

    def placed(self, job: Job, at: str) -> None:
        """Kill a job before one of its calls, and look at what it left."""
        folder = self._copy(self.state(job))
        if self._run(folder, job.command, at) != -signal.SIGKILL:
            raise AssertionError(f"{job.name} has no call {at}")
        self._look(folder, job, f"call {at}")

    def timed(self, job: Job, seconds: float) -> None:
        """Kill a job after a time, and look at what it left."""
        folder = self._copy(self.state(job))
        process = self._start(folder, job.command)
        time.sleep(seconds)
        process.kill()
        process.wait()
        self._look(folder, job, f"{seconds:.3f} s")

    def signalled(self, job: Job, at: str, number: int, ignored: Sequence[int] = ()) -> tuple[int, str]:
        """Stop a job before one of its calls with a signal; return its exit code and what it says on stderr.

        It must leave nothing behind.
        """
        folder = self._copy(self.state(job))
        process = self._start(folder, job.command, at, number, ignored=ignored)
        code = process.wait()
        left = [path for path in folder.rglob("*") if path.suffix in (".partial", ".old")]
        if left or not job.whole(folder, self.state(job)):
            raise AssertionError(f"{job.name}, stopped at {at}: it leaves {left}")
        return code, process.err

    def _copy(self, state: State) -> Path:
        folder = self._folder / "work" / "here"
        shutil.rmtree(folder.parent, ignore_errors=True)
        return Path(shutil.copytree(state.before, folder))

    def _look(self, folder: Path, job: Job, when: str) -> None:
        if not job.whole(folder, self.state(job)):
            raise AssertionError(f"{job.name}, killed at {when}: neither old nor new")
        self._run(folder, job.following(folder, self.state(job)))
        left = [path for path in folder.rglob("*") if path.suffix in (".partial", ".old", ".unfinished")]
        if left or not job.whole(folder, self.state(job)):
            raise AssertionError(f"{job.name}, killed at {when}: the next command leaves {left}")


def kill_all() -> None:
    """Kill everything everywhere, and say how often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=10, help="kills at random moments of each command")
    parser.add_argument("--job", action="append", help="these commands alone")
    given = parser.parse_args()
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as name, WarmProcess() as warm:
        kills = Kills(Path(name).resolve(), warm)
        for job in JOBS:
            if given.job and job.name not in given.job:
                continue
            calls = kills.calls(job)
            for number in range(1, len(calls) + 1):
                kills.placed(job, str(number))
            for _ in range(given.random):
                kills.timed(job, chance.uniform(0, kills.seconds[job.name]))
            print(f"{job.name}: {len(calls)} placed kills, {given.random} random ones", flush=True)  # noqa: T201


if __name__ == "__main__":
    kill_all()
