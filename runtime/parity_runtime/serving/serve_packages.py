"""Packages, opened, verified and served until a signal comes."""

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from parity_runtime.arguments import argument
from parity_runtime.available_cores import available_cores
from parity_runtime.errors import InputError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider
from parity_runtime.printable import shown
from parity_runtime.serving.access_log import AccessLog
from parity_runtime.serving.create_app import Service
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.serving.server import Server
from parity_runtime.verification.verify import verify

_MOST_THREADS = 4  # each may hold twenty times its body
_BACKLOG = 2048  # connections that wait to be taken


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How packages are served.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        digest: the package id that is expected; of one package alone.
        certified: whether the certified graphs answer.
        allow_operators: as in `Predictor`.
        provider: what the sessions run on.
        threads: within an operator.
        drain: seconds from SIGTERM until the socket is closed.
        limits: of requests and connections.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    digest: str | None = None
    certified: bool = False
    allow_operators: tuple[str, ...] = ()
    provider: Provider = "cpu"
    threads: int = 1
    drain: int = 5
    limits: Limits = field(default_factory=Limits)


def serve_packages(
    packages: Sequence[str | Path], options: ServeOptions, listening: Callable[[str], None], log: BinaryIO | None
) -> None:
    """Serve packages until a signal comes. Every file is checked, and the test vectors are replayed, before it listens.

    Args:
        packages: their folders.
        options: how.
        listening: is called with a sentence for each package, and where it is served, once connections are taken.
        log: gets a line of JSON for each answer; binary, without a buffer. None writes none.

    Raises:
        ParityError: a package is not the one that was exported, or cannot be read.
        InputError: two models have one name, a name has no path of its own, or the address cannot be listened on.
    """
    if options.digest is not None and len(packages) != 1:
        raise InputError(
            f"{argument('digest')} names one package, and {len(packages)} are served; serve that one alone"
        )
    with ExitStack() as stack:
        models = [ServedModel(stack.enter_context(_open(path, options)), options.limits.rows) for path in packages]
        _check_names(packages, models)
        listener = stack.enter_context(_listen(options.host, options.port))
        access_log = AccessLog(log) if log is not None else None
        if access_log is not None:
            stack.callback(access_log.close)
        service = Service(models, options.limits, _threads(), access_log.add if access_log else None)
        for model in models:
            listening(f"{model.name} ({model.version}) on port {listener.getsockname()[1]}")
        Server(service.app, options.limits, options.drain).run(sockets=[listener])


def _threads() -> int:
    """Return how many bodies are worked on at once: one a core, and no more than bounded memory allows."""
    return min(available_cores(), _MOST_THREADS)


def _open(path: str | Path, options: ServeOptions) -> Predictor:
    verified = verify(path, provider=options.provider, digest=options.digest, allow_operators=options.allow_operators)
    # Pinned, so that what answers is what was verified, whatever happens to the folder in between.
    return Predictor(
        path,
        provider=options.provider,
        digest=verified.package_id,
        certified=options.certified,
        threads=options.threads,
        allow_operators=options.allow_operators,
    )


def _check_names(packages: Sequence[str | Path], models: Sequence[ServedModel]) -> None:
    found: dict[str, str | Path] = {}
    for path, model in zip(packages, models, strict=True):
        if "/" in model.name:
            raise InputError(f"{path}: the model is called {shown(model.name)}; a name with / has no path of its own")
        if model.name in found:
            raise InputError(
                f"{found[model.name]} and {path} are both called {model.name}; serve one of them, or each by a process "
                "and a port of its own"
            )
        found[model.name] = path


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        named = "port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
        raise InputError(
            f"{host}:{port}: cannot listen there: {error.strerror or error}; choose another {argument(named)}"
        ) from error
    # Connections inherit it; asyncio sets it for sockets that it made itself alone. Without it the end of an answer of
    # two packets waits for the client's acknowledgement of the first, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
