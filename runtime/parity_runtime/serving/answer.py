"""An answer of HTTP, whole: for a server of ASGI, or as the bytes of the wire."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from starlette.types import Send

from parity_runtime.serving.request_error import RequestError

JSON = b"application/json"
Headers = list[tuple[bytes, bytes]]

_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: of it.
        headers: without its length.
        body: its bytes.
        closes: whether the connection is closed behind it; ASGI has a header for that.
    """

    status: int
    headers: Headers
    body: bytes
    closes: bool = False

    async def send(self, send: Send) -> None:
        """Send it by ASGI."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    def encoded(self, more: Iterable[tuple[bytes, bytes]], *, closes: bool) -> bytes:
        r"""Return it as HTTP/1.1.

        >>> Answer(404, [], b"{}").encoded([], closes=False)
        b'HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}'

        Args:
            more: headers of the server.
            closes: whether it says that the connection is closed.
        """
        parts = [_STATUS_LINES[self.status]]
        for name, value in (*more, *self.headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"connection: close\r\n" if closes else b"")
        parts += (b"content-length: %d\r\n\r\n" % len(self.body), self.body)
        return b"".join(parts)


def refusal(error: RequestError) -> Answer:
    """Return an error in the protocol's form."""
    more = [(b"retry-after", b"1")] if error.status == HTTPStatus.SERVICE_UNAVAILABLE else []
    return Answer(error.status, [(b"content-type", JSON), *more], orjson.dumps({"error": str(error)}))
