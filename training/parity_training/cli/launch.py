"""``parity train --processes``: starts the processes on this machine, passes signals on, and says which one failed."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from parity_runtime import InputError
from parity_runtime.printable import printable
from parity_training.fitting.process_group import LAUNCHER, LOST, STORE
from parity_training.fitting.stop_signals import Handler, StoppedError, handled_by

MOST_PROCESSES = 1024
_PAUSE = 0.02  # seconds between two looks
_PATIENCE = 20.0  # seconds in which the others end by themselves


class _Started:
    """A process that was started; what one that does not lead says is kept in a file."""

    def __init__(self, rank: int, arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.rank, self._said = rank, folder / f"{rank}.txt"
        with self._said.open("wb") as file:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "parity_training", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=None if rank == 0 else file,
                stderr=None if rank == 0 else file,
                pass_fds=[int(environment[LAUNCHER])],
                start_new_session=True,  # a terminal's Ctrl-C comes to the launcher alone, which passes it on once
            )

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def end(self) -> None:
        """End it, if it has not."""
        self.process.kill()
        self.process.wait()

    def last_line(self) -> str:
        """Return the last thing that it said."""
        lines = self._said.read_text(errors="replace").strip().splitlines()
        return printable(lines[-1].removeprefix("parity: ")) if lines else ""


class FailedProcessError(InputError):
    """One of the processes was killed or failed, and with it the training."""


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Train on several processes of this machine, which talk through its loopback interface; return the exit code.

    Args:
        processes: how many.
        arguments: of ``parity train``.

    Raises:
        FailedProcessError: names the process that has failed, and how.
        StoppedError: a signal came before the first step, or a second one.
    """
    if os.name != "posix":
        raise InputError("--processes needs Linux or macOS; start torchrun -m parity_training instead")
    reading, writing = os.pipe()  # the processes see its end when this one is gone
    started: list[_Started] = []
    with tempfile.TemporaryDirectory(prefix="parity-") as name, _passed_on(started) as sent:
        folder = Path(name)
        try:
            for rank in range(processes):
                environment = _environment(rank, processes, folder / "store", reading)
                started.append(_Started(rank, arguments, folder, environment))
            os.close(reading)
            for one in started if sent else ():  # a signal came before the last one was there
                one.process.terminate()
            _wait(started, sent)
        finally:
            for one in started:
                one.end()
            os.close(writing)
        return _outcome(started, sent)


def _environment(rank: int, processes: int, store: Path, pipe: int) -> dict[str, str]:
    """Return the environment of a process, with torchrun's names; what a user has set stays."""
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    said = {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    quiet = {"TORCH_CPP_LOG_LEVEL": "FATAL"}  # a lost connection is said in one line, by whoever has seen its cause
    own = {STORE: str(store), LAUNCHER: str(pipe), "TORCHELASTIC_RESTART_COUNT": "0"} | {
        name: str(value) for name, value in told.items()
    }
    return said | quiet | dict(os.environ) | own


@contextlib.contextmanager
def _passed_on(started: list[_Started]) -> Iterator[list[int]]:
    """Pass signals on to the processes while the block runs; gives those that came."""
    sent: list[int] = []

    def pass_on(number: int, _earlier: Handler) -> None:
        sent.append(number)
        for one in started:
            # Python would trace a SIGINT back that comes while it imports torch.
            one.process.send_signal(signal.SIGTERM if number == signal.SIGINT else number)

    with handled_by(pass_on):
        yield sent


def _wait(started: list[_Started], sent: list[int]) -> None:
    """Wait until all have ended; when one has, or a second signal has come, the others have some seconds left."""
    give_up: float | None = None
    while any(one.code is None for one in started):
        ending = len(sent) > 1 or any(one.code is not None for one in started)
        if ending and give_up is None:
            give_up = time.monotonic() + _PATIENCE
        if give_up is not None and time.monotonic() > give_up:
            return
        time.sleep(_PAUSE)


def _outcome(started: list[_Started], sent: list[int]) -> int:
    """Return the exit code: the leading process's, unless another one is the cause.

    Raises:
        FailedProcessError: a process was killed, or failed alone.
        StoppedError: a signal has ended them, and none has said so.
    """
    codes = [one.code or 0 for one in started]
    leading = codes[0]
    if sent and leading > 128:
        return 128 + sent[0]
    if leading >= 0 and leading != LOST:
        return leading  # it has said why, if there is a why
    if sent and leading in (LOST, -sent[0], -signal.SIGTERM, -signal.SIGKILL):
        raise StoppedError(f"stopped by {signal.Signals(sent[0]).name}", sent[0])
    failed = next((one for one in started if one.code not in (0, LOST)), started[0])
    raise FailedProcessError(_how(failed, len(started)))


def _how(one: _Started, processes: int) -> str:
    name = f"rank {one.rank} of {processes} processes (PID {one.process.pid})"
    code = one.code or 0
    if code < 0:
        memory = ", probably for lack of memory" if -code == signal.SIGKILL else ""
        return f"{name} was killed by {signal.Signals(-code).name}{memory}"
    return f"{name} failed: {one.last_line() or f'it ended with code {code}'}"
