"""A server of uvicorn's that stops so that a balancer loses nothing."""

import asyncio
import errno
import logging
import math
import signal
import socket
import threading
from types import FrameType
from typing import Any

import orjson
import uvicorn

from parity_runtime.serving.connection import connection_class
from parity_runtime.serving.exchange import Exchanges
from parity_runtime.serving.limits import Limits

_MINUTE = 60.0
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LAST_ANSWERS = 30  # seconds that requests in flight have when the service stops


class Server(uvicorn.Server):
    """A server that first says that it is not ready, then answers what is in flight, and returns.

    uvicorn alone closes its socket at once: whoever balances the load would go on sending requests there.

    Args:
        app: what answers.
        limits: of connections.
        drain: seconds from SIGTERM until the socket is closed.
    """

    def __init__(self, app: Exchanges, limits: Limits, drain: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connection_class(limits, app),
                ws="none",
                lifespan="off",
                log_config=None,  # what goes wrong goes to stderr by itself, also where stdout is closed
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_LAST_ANSWERS,
            )
        )
        self._app, self._drain = app, drain
        self._said = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        asyncio.get_running_loop().set_exception_handler(self._say_once)
        await super().startup(sockets)

    def _say_once(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say once a minute that the system gives no more connections; asyncio would a thousand times a second."""
        if getattr(context.get("exception"), "errno", None) not in _NO_MORE_FILES:
            # asyncio takes connections again after a second, also of a socket that was closed in between.
            if not (self.should_exit and "_start_serving" in context["message"]):
                loop.default_exception_handler(context)
        elif loop.time() > self._said + _MINUTE:
            self._said = loop.time()
            text = f"no more connections are accepted until others end: {context['exception']}; raise ulimit -n"
            logging.getLogger("uvicorn.error").error(orjson.dumps({"status": 503, "error": text}).decode())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Begin to stop; SIGINT, or a second signal, does not wait until the drain is over."""
        if self.should_exit:
            self.force_exit = True
        elif self._app.draining or sig == signal.SIGINT or not self._drain:
            self._app.draining = True
            self.should_exit = True
        else:
            self._app.draining = True
            timer = threading.Timer(self._drain, setattr, (self, "should_exit", True))
            timer.daemon = True
            timer.start()
