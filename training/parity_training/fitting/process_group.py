"""The processes that train one network together: who leads, and how they tell one another.

``parity train --processes`` starts them on this machine, and they talk through its loopback interface; torchrun
starts them anywhere, at the address that it was given.
"""

import contextlib
import ctypes
import datetime
import io
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore, TCPStore  # torch.distributed has them, untyped
from torch.distributed.distributed_c10d import PrefixStore, Store

from parity_runtime import InputError, ParityError
from parity_runtime.errors import first_line
from parity_training.fitting.stop_signals import StoppedError

STORE = "PARITY_PROCESSES_STORE"
"""Of a process that ``parity train --processes`` has started: the file through which they find one another."""

LAUNCHER = "PARITY_PROCESSES_LAUNCHER"
"""Of such a process: the descriptor of a pipe that ends with the process that has started it."""

LOST = 75
"""The exit code of a process that ends because another one has: EX_TEMPFAIL of sysexits.h."""


class LostProcessError(ParityError):
    """Another process of the training has ended, and this one cannot continue without it. A command exits with 75."""

    exit_code: ClassVar[int] = LOST


class ProcessGroup:
    """This process's place among those that train together; one that trains alone leads a group of one.

    >>> from parity_training.fitting.process_group import ProcessGroup
    >>> ProcessGroup()
    ProcessGroup(rank 0 of 1)

    Attributes:
        rank: this process's number, from 0; the process 0 leads: it alone writes.
        size: how many processes there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def __repr__(self) -> str:
        return f"ProcessGroup(rank {self.rank} of {self.size})"

    @property
    def leads(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def share(self, rows: int) -> tuple[int, int]:
        """Return where this process's part of some rows begins and ends."""
        return rows * self.rank // self.size, rows * (self.rank + 1) // self.size

    def told(self, value: Any = None) -> Any:
        """Return on every process what the leading one gives: what JSON has, and tensors.

        Raises:
            LostProcessError: another process has ended.
        """
        if self.size == 1:
            return value
        message = _packed(value) if self.leads else torch.zeros(0, dtype=torch.uint8)
        length = torch.tensor(len(message))
        with self.still_there():
            dist.broadcast(length, src=0)
            if not self.leads:
                message = torch.zeros(int(length), dtype=torch.uint8)
            dist.broadcast(message, src=0)
        return value if self.leads else _unpacked(message)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes; it is made in place.

        Raises:
            LostProcessError: another process has ended.
        """
        with self.still_there():
            dist.all_reduce(value)
        return value

    @contextlib.contextmanager
    def still_there(self) -> Iterator[None]:
        """Say so where another process has ended while this one waits for it in the block."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, dist.DistError) and "gloo" not in str(error):
                raise  # the network's own
            raise LostProcessError(
                f"rank {self.rank} of {self.size} processes lost the others: one of them has ended"
            ) from error

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Let no process end before the leading one has written everything, or has saved what a signal stopped.

        Raises:
            LostProcessError: the leading process has ended before.
        """
        try:
            yield
        except StoppedError:
            self._part()
            raise
        self._part()

    def _part(self) -> None:
        if self.size == 1:
            return
        try:
            self.told()  # the others wait here until the leading process has finished
        except LostProcessError:
            if not self.leads:
                raise
        with contextlib.suppress(RuntimeError):  # all is written: one that has ended is missed no more
            dist.all_reduce(torch.zeros(1))  # the leading process waits here until the others know


def _packed(value: Any) -> Tensor:
    file = io.BytesIO()
    torch.save(value, file)
    return torch.frombuffer(file.getbuffer(), dtype=torch.uint8)


def _unpacked(message: Tensor) -> Any:
    """Return what was packed; no code that somebody put into it runs."""
    return torch.load(io.BytesIO(message.numpy().tobytes()), weights_only=True)


_PATIENCE = datetime.timedelta(days=1)  # while one reads a table or writes the run; one that dies is seen at once
ALONE = ProcessGroup()
_joined = ALONE
_expected = _asked = False


def expect_processes() -> None:
    """Let `current_group` join the processes that torchrun or ``parity train --processes`` has started, if any."""
    global _expected, _asked  # noqa: PLW0603 -- there is one group in a process, as torch has it
    _asked = True
    _expected = int(os.environ.get("WORLD_SIZE", "1")) > 1


def current_group() -> ProcessGroup:
    """Return the processes that this one trains with, after joining those that are expected.

    Raises:
        InputError: they do not find one another.
    """
    global _expected  # noqa: PLW0603
    if _expected:
        _expected = False
        _join()
    return _joined


@contextlib.contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """Train together with the other processes that torchrun has started.

    In its block, `train_model`, `train_xor` and `resume` divide every batch among the processes. With one process, or
    without torchrun, they train as they do outside of the block.

    >>> from parity_training import process_group
    >>> with process_group() as group:  # in a script that torchrun starts on every process
    ...     group
    ProcessGroup(rank 0 of 1)

    Yields:
        The rank of this process, from 0, and the number of processes.

    Raises:
        InputError: the processes cannot connect to one another.
    """
    global _joined  # noqa: PLW0603
    expect_processes()
    try:
        yield current_group()
    finally:
        if _joined.size > 1:
            # What takes gloo's connections down aborts the process now and then: they stay until it ends.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(dist.group.WORLD))
            dist.destroy_process_group()
        _joined = ALONE


def restarted() -> bool:
    """Whether torchrun has started the processes again, after one of them had ended."""
    return _asked and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def local_place() -> tuple[int, int]:
    """Return this process's number on its machine, and how many there are on it."""
    return int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _join() -> None:
    global _joined  # noqa: PLW0603
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    _use_cores()
    try:
        dist.init_process_group(backend, store=_store(size), rank=rank, world_size=size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the {size} processes did not find one another: {first_line(error)}") from error
    _joined = ProcessGroup(rank, size)


def _store(size: int) -> Store | None:
    """Return where the processes find one another; None leaves it to what the environment says, without an agent.

    torchrun's agent may keep one store for all its restarts, with the addresses of processes that have ended.
    """
    if STORE in os.environ:
        return FileStore(os.environ[STORE], size)
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=_PATIENCE, wait_for_workers=False)
    return PrefixStore(f"parity/{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)


def _use_cores() -> None:
    """Share the machine's cores among its processes, unless somebody has said how many threads each has."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(torch.get_num_threads() // local_place()[1], 1))


def stop_with_launcher() -> None:
    """Ask this process to stop when the ``parity train --processes`` that has started it is gone, however it ended."""
    told = os.environ.pop(LAUNCHER, None)
    if told is None:
        return

    def wait(pipe: int) -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, args=[int(told)], daemon=True).start()
