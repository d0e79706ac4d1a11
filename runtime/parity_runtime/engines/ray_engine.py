"""Parts as tasks of Ray's."""

import contextlib
import logging
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from parity_runtime.arguments import argument
from parity_runtime.engines.engine import MOST_AT_ONCE, Engine, WorkerCall, unwrapped
from parity_runtime.engines.knock import knock
from parity_runtime.engines.processes_stderr import stderr_into
from parity_runtime.engines.ray_errors import ray_errors
from parity_runtime.engines.ray_job import give_up, is_given_up, new_job
from parity_runtime.errors import InputError, MissingExtraError, first_line
from parity_runtime.printable import shown
from parity_runtime.tables.table_parts import TablePart

Result = TypeVar("Result")

_PAUSE = 0.5  # seconds that a command which was stopped waits for at most
_TRIES = 3  # of a part whose process has died, behind the first
_OBJECTS = 100 * 2**20  # bytes of a store that this machine's own processes share; what comes back of a part is small


class RayEngine(Engine):
    """Ray's workers while the block of a ``with`` runs.

    Args:
        address: of the cluster; None for the one that ``RAY_ADDRESS`` names, else for processes of this machine that
            end with the block, on the loopback interface.
        gpus: that each part takes.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, address: str | None, gpus: int = 0) -> None:
        super().__init__()
        self._started = False
        self._address, self._gpus = address or os.environ.get("RAY_ADDRESS"), gpus
        if self._address is None:
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # elsewhere, too, this means loopback alone
        check_ray()

    def start(self, stack: ExitStack) -> None:
        """Start Ray, or take the cluster that this process is connected to."""
        import ray  # noqa: PLC0415 -- of the [ray] extra

        # Ray prints on stdout that workers died, where a command's results go.
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        self._started = not ray.is_initialized()
        if self._started:
            stack.callback(ray.shutdown)
            _start(self._address)

    def map(self, function: Callable[[TablePart], Result], parts: Sequence[TablePart]) -> Generator[Result]:
        """Call a function with each part, as `Engine.map`."""
        import ray  # noqa: PLC0415 -- of the [ray] extra

        task: Any = ray.remote(num_cpus=1, num_gpus=self._gpus, max_retries=_TRIES)(_run)
        call, left, job = ray.put(WorkerCall(function)), iter(parts), new_job()
        cluster: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        at_once = max(MOST_AT_ONCE, 2 * int(cluster.get("CPU", 1)))
        running: list[Any] = []
        pool = ThreadPoolExecutor(
            1
        )  # what a signal's handler raises within Ray's functions, they turn into another error
        try:
            while True:
                running += [
                    task.remote(job, call, part) for _, part in zip(range(at_once - len(running)), left, strict=False)
                ]
                if not running:
                    return
                (done,), running = _wait(pool, running)
                with ray_errors():
                    result = pool.submit(ray.get, done).result()
                yield unwrapped(result)
        finally:
            pool.shutdown()
            if running and not self._started:  # what was started here ends all of its tasks when it ends
                give_up(job)


def _wait(pool: ThreadPoolExecutor, running: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return a task that is done, and the others."""
    import ray  # noqa: PLC0415 -- of the [ray] extra

    while True:
        done, left = pool.submit(ray.wait, running, timeout=_PAUSE).result()
        if done:
            return done, left


def _run(job: bytes, call: WorkerCall, part: TablePart) -> Any:
    return None if is_given_up(job) else call(part)


def check_ray() -> None:
    """Refuse an environment without Ray.

    Raises:
        MissingExtraError: names the extra.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send statistics to its makers
    os.environ.setdefault("RAY_task_oom_retries", str(_TRIES))  # it would try for ever
    try:
        import pyarrow  # noqa: F401, PLC0415 -- both of the [ray] extra
        import ray  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{error.name} is not installed; from a checkout of Parity: pip install ".[cpu,ray]"'
        ) from error


def _start(address: str | None) -> None:
    import ray  # noqa: PLC0415 -- of the [ray] extra

    local: dict[str, Any] = {"_node_ip_address": "127.0.0.1", "object_store_memory": _OBJECTS}
    try:
        if address:
            knock(address.removeprefix("ray://"))
        with _signals_kept(), _quietly():
            ray.init(address=address or "local", include_dashboard=None if address else False, log_to_driver=False,
                     logging_level=logging.CRITICAL, **{} if address else local)  # fmt: skip
    except Exception as error:
        told = shown(address) if address else "on this machine"
        raise InputError(
            f"Ray does not start with {told}: {first_line(error)}; {argument('engine_address')} takes the address of a "
            "cluster's head, such as host:6379"
        ) from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    with tempfile.TemporaryFile() as log, stderr_into(log), warnings.catch_warnings(action="ignore"):
        yield


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what Ray does to signals: its own handler ends the process with a stack trace."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # else it was not Python's
                signal.signal(number, handler)
