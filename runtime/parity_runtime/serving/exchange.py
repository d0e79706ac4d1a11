"""One request and its answer, around whatever answers it: identity, time, and a refusal that reaches its client."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parity_runtime.serving.answer import Answer, Headers
from parity_runtime.serving.limits import Limits

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
KEY = "parity.exchange"
_BYTES, _MANY = 16, 256  # of an identity of ours; the system is asked for many at a time


@dataclass(slots=True)
class Exchange:
    """What is told of one request in the log and in the metrics.

    Attributes:
        scope: of ASGI.
        headers: of the request, by their names in lower case.
        request_id: the client's own, or a new one.
        traceparent: the client's, empty where it sent none.
        started: by the clock of `perf_counter`.
        status: of the answer; 0 while there is none.
        received: bytes of the body.
        sent: bytes of the answer.
        model: that was asked; empty where none was.
        error: what the client was told.
    """

    scope: Scope
    headers: dict[bytes, bytes]
    request_id: str
    traceparent: str
    started: float = field(default_factory=perf_counter)
    status: int = 0
    received: int = 0
    sent: int = 0
    model: str = ""
    error: str = ""

    def repeated(self) -> Headers:
        """Return the headers that every answer has."""
        found = [(b"x-request-id", self.request_id.encode())]
        if self.traceparent:
            found.append((b"traceparent", self.traceparent.encode()))
        return found


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange that a request belongs to."""
    found: Exchange = scope[KEY]
    return found


class Exchanges:
    """An ASGI application around another one.

    Every answer repeats the request's id and its traceparent. Of a body that nobody read the rest is read and dropped
    before an answer is sent: a connection that is closed on unread data is reset, and its client never sees the answer.

    Args:
        app: what answers.
        at_once: answers a request and its whole body without waiting; None of one that ``app`` shall answer.
        limits: of the service.
        told: is called once for every answer.

    Attributes:
        in_flight: the requests that are being answered.
        draining: whether the service is about to stop, and asks its clients to come back on a new connection.
    """

    def __init__(
        self, app: ASGIApp, at_once: Callable[[Exchange, bytes], Answer | None], limits: Limits,
        told: Callable[[Exchange], None],
    ) -> None:  # fmt: skip
        self._app, self._at_once, self._limits, self._told = app, at_once, limits, told
        self.in_flight = 0
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of HTTP; what else there is in ASGI is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[KEY] = _exchange(scope)
        self.in_flight += 1
        wire = _Wire(exchange, receive, send)
        try:
            await self._app(scope, wire.receive, lambda message: self._send(wire, message))
        finally:
            self.in_flight -= 1
            self._told(exchange)

    def at_once(self, scope: Scope, body: bytes) -> Answer | None:
        """Answer a request that came whole; None where it would take time, or is for ASGI."""
        exchange = _exchange(scope)
        answer = self._at_once(exchange, body)
        if answer is None:
            return None
        exchange.status, exchange.received, exchange.sent = answer.status, len(body), len(answer.body)
        self._told(exchange)
        return Answer(answer.status, answer.headers + exchange.repeated(), answer.body, self.draining)

    async def _send(self, wire: "_Wire", message: Message) -> None:
        exchange = wire.exchange
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            added = exchange.repeated()
            if not await wire.drop(self._limits) or self.draining:
                added.append((b"connection", b"close"))
            message["headers"] = [*message.get("headers", ()), *added]
        else:
            exchange.sent += len(message.get("body", b""))
        await wire.send(message)


class _Wire:
    """A connection's two ends, and whether the body has been read to its end."""

    __slots__ = ("_receive", "_waits", "exchange", "send", "whole")

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        headers = exchange.headers
        self.exchange, self._receive, self.send = exchange, receive, send
        self.whole = b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0"
        self._waits = headers.get(b"expect", b"").lower() == b"100-continue"

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.exchange.received += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        return message

    async def drop(self, limits: Limits) -> bool:
        """Read the rest of the body and drop it; return whether all of it was read."""
        if self.whole:
            return True
        if self._waits and not self.exchange.received:
            return False  # the client sends its body only after it is asked to
        left = limits.dropped_bytes
        try:
            async with asyncio.timeout(limits.dropped_seconds):
                while not self.whole and left > 0:
                    message = await self.receive()
                    if message["type"] != "http.request":
                        break
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return False
        return self.whole


def _exchange(scope: Scope) -> Exchange:
    headers = dict(scope["headers"])
    return Exchange(scope, headers, _identity(headers), _trace(headers))


def _identities() -> Iterator[str]:
    while True:
        drawn = os.urandom(_BYTES * _MANY).hex()
        yield from (drawn[start : start + 2 * _BYTES] for start in range(0, len(drawn), 2 * _BYTES))


_NEW = _identities()


def _identity(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    return given.decode() if given and _REQUEST_ID.fullmatch(given) else next(_NEW)


def _trace(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"traceparent")
    return given.decode() if given and _TRACEPARENT.fullmatch(given) else ""
