"""Commands of parity in forks of a process that has imported torch already: seconds less for each, and as real.

A `WarmProcess` imports what the commands import and runs none of it: no session, no operator, no thread that a fork
would lose. Each command is a fork of it with a process number, descriptors, a folder and an environment of its own, so
that signals, kills, full disks and locks are the system's. What a fork cannot show stays with a new process: what is
imported, what the environment changes at the start of Python, how the interpreter ends.

``python tests/warm_process.py SOCKET`` is that process; ``python tests/warm_process.py SOCKET ARGUMENT...`` runs one
command in it, with the caller's descriptors, folder and environment. ``-c CODE`` in the place of a command is run as
Python runs it.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

PRELOADED = (
    "numpy", "onnxruntime", "torch", "torch.utils.tensorboard", "onnx", "onnxscript",
    *(f"parity_runtime.cli.{name}" for name in ("info", "verify", "predict", "bench", "evaluate")),
    "parity_training.cli.train", "parity_training.reports.run_plots", "parity_export.cli.export",
    "parity_export.cli.certify",
    # What torch and matplotlib import when they first train, export or draw: a second or two for each command.
    "torch._dynamo", "torch.export._trace", "torch.onnx._internal.exporter._compat", "torch._inductor.sizevars",
    "torch._subclasses.schema_check_mode", "jinja2", "matplotlib.backends.backend_agg", "PIL.PngImagePlugin",
)  # fmt: skip
_LARGEST = 2**20  # bytes of a request: its environment
_START = 120.0  # seconds in which a busy machine imports torch


class Forked:
    """A command that was started; its standard output and error are kept in files.

    Attributes:
        pid: its process number.
        returncode: its exit code, negative for a signal; None until it was waited for.
    """

    def __init__(self, channel: socket.socket, out: IO[bytes], err: IO[bytes]) -> None:
        self._channel, self._files = channel, (out, err)
        self._said: list[str] = []
        self.pid = int(channel.recv(64))
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended since
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        with contextlib.suppress(BlockingIOError, TimeoutError):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = 300) -> int:
        """Wait for it; raise TimeoutError if it runs longer."""
        if self.returncode is None:
            self._channel.settimeout(timeout)
            self.returncode = os.waitstatus_to_exitcode(int(self._channel.recv(64)))
            self._channel.close()
            for file in self._files:
                file.seek(0)
                with file:
                    self._said.append(file.read().decode())
        return self.returncode

    def communicate(self, timeout: float | None = 300) -> tuple[str, str]:
        """Wait for it; return what it wrote to stdout and to stderr."""
        self.wait(timeout)
        return self.out, self.err

    @property
    def out(self) -> str:
        """What it wrote to stdout, after it was waited for."""
        return self._said[0]

    @property
    def err(self) -> str:
        """What it wrote to stderr, after it was waited for."""
        return self._said[1]


class WarmProcess:
    """Starts commands of parity; a context.

    Attributes:
        address: of its socket.
        command: of a shell: with the arguments of parity behind it, it runs them in a fork.
        pid: its process number.
    """

    def __init__(self) -> None:
        from tests.unmeasured import unmeasured  # the process itself starts without their path

        self._folder = tempfile.TemporaryDirectory()
        self.address = str(Path(self._folder.name) / "socket")
        # OpenBLAS starts threads when numpy is imported, OpenMP's wait for one another on a busy machine.
        environment = unmeasured() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", __file__, self.address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", self._process.wait()
        self.pid = self._process.pid
        self.command = shlex.join([sys.executable, "-P", __file__, self.address])

    def start(
        self,
        arguments: Sequence[object],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limits: Mapping[int, int] | None = None,
        ignored: Sequence[int] = (),
        script: Path | None = None,
    ) -> Forked:
        """Start a command of parity.

        Args:
            arguments: of the command line, without ``parity``; or ``-c`` and the code that is run in its place.
            cwd: its folder; the caller's without one.
            environment: its own; the caller's without one.
            limits: of the system's resources, by their numbers, such as ``resource.RLIMIT_FSIZE``.
            ignored: signals that it ignores from its start, as under ``nohup``.
            script: a file of Python that is run in the process before the command.
        """
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 -- Forked reads them
        request = {
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd or Path.cwd()),
            "environment": dict(os.environ if environment is None else environment),
            "limits": list((limits or {}).items()),
            "ignored": [int(number) for number in ignored],
            "script": None if script is None else str(script),
        }
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 -- a device
            channel = _ask(self.address, request, [nothing.fileno(), out.fileno(), err.fileno()])
        return Forked(channel, out, err)

    def run(self, arguments: Sequence[object], **options: Any) -> Forked:
        """Run a command of parity to its end; the options are those of `start`."""
        started = self.start(arguments, **options)
        started.wait()
        return started

    def __enter__(self) -> "WarmProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()
        self._folder.cleanup()


def _ask(address: str, request: dict[str, Any], descriptors: list[int]) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel.connect(address)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
    socket.send_fds(channel, [json.dumps(request).encode()], descriptors)
    return channel


def serve(address: str) -> None:
    """Import everything, then fork for each command that is asked for, until a signal ends it."""
    _preload()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen(64)
        print("ready", flush=True)  # noqa: T201 -- to whoever started it
        try:
            while True:
                channel, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _keep(channel)
                channel.close()
                _reap()
        finally:
            _reap()


def _reap() -> None:
    """Let ended keepers go: their time, and that of their commands, counts as this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _preload() -> None:
    from parity_runtime.inference.session import import_onnxruntime

    import_onnxruntime()  # without its telemetry, which is a thread
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # where the runtime is tested alone there is no torch
            importlib.import_module(name)
    runpy.run_path(str(Path(__file__).with_name("torchlib_sources.py")))["make_now"]()
    gc.collect()
    gc.freeze()


def _keep(channel: socket.socket) -> None:
    """Fork the command, tell its process number, and how it ended."""
    data, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, 3)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    number = os.fork()
    if number == 0:
        channel.close()
        _become(json.loads(data), descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        channel.send(str(number).encode())
        channel.send(str(os.waitpid(number, 0)[1]).encode())
    os._exit(0)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Run a command and end with its code."""
    code: Any = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(":") if path and path not in sys.path]
        for kind, most in request["limits"]:
            resource.setrlimit(kind, (most, most))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a shell, whatever runs the tests
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for number in request["ignored"]:
            signal.signal(number, signal.SIG_IGN)
        if request["script"] is not None:
            runpy.run_path(request["script"])
        if request["arguments"][:1] == ["-c"]:
            code = _run_code(request["arguments"][1])
        else:
            sys.argv = ["parity", *request["arguments"]]
            importlib.import_module("parity_runtime.cli.main").main(request["arguments"])
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run_code(code: str) -> int:
    """Run what follows ``python -c``; return the code of an end without an error."""
    sys.argv = ["-c"]
    sys.path.insert(0, "")
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- a test's own
    return 0


def _forward(address: str, arguments: list[str]) -> int:
    """Run one command with the descriptors, the folder and the environment of this process."""
    request = {
        "arguments": arguments, "cwd": str(Path.cwd()), "environment": dict(os.environ), "limits": [], "ignored": [],
        "script": None,
    }  # fmt: skip
    channel = _ask(address, request, [0, 1, 2])
    channel.recv(64)
    return os.waitstatus_to_exitcode(int(channel.recv(64))) % 256


if __name__ == "__main__":
    sys.exit(_forward(sys.argv[1], sys.argv[2:])) if len(sys.argv) > 2 else serve(sys.argv[1])
