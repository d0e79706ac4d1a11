"""Bodies as they come in: no more of one is held than the limits say, and no more of all."""

import asyncio

from starlette.types import Receive

from parity_runtime.serving.limits import Limits
from parity_runtime.serving.request_error import RequestError


class RequestBodies:
    """The bodies that a service holds.

    Args:
        limits: of the service.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, receive: Receive, announced: bytes) -> bytes:
        """Read a request's body, and hold it until it is released.

        Args:
            receive: of ASGI.
            announced: the header ``Content-Length``.

        Raises:
            RequestError: it is too large (413), too slow (408), or other bodies take all the room (503); nothing is
                held then.
        """
        if announced.isdigit() and int(announced) > self._limits.bytes:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.seconds):
                while await self._more(receive, body):
                    pass
        except BaseException as error:
            self.release(len(body))
            if isinstance(error, TimeoutError):
                text = f"the body did not arrive within {self._limits.seconds:g} seconds"
                raise RequestError(text, 408) from error
            raise
        return bytes(body)

    def has_room(self, size: int) -> bool:
        """Whether some bytes are no more than a body may have, and than there is room for."""
        return size <= self._limits.bytes and self._held + size <= self._limits.held_bytes

    def release(self, size: int) -> None:
        """Hold some bytes no longer."""
        self._held -= size

    async def _more(self, receive: Receive, body: bytearray) -> bool:
        """Read a piece; return whether more will come."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError("the client went away before its body had arrived")
        piece = message.get("body", b"")
        body += piece
        self._held += len(piece)
        if len(body) > self._limits.bytes:
            raise self._too_large()
        if self._held > self._limits.held_bytes:
            raise RequestError("the service is at its memory limit for request bodies; try again", 503)
        return bool(message.get("more_body", False))

    def _too_large(self) -> RequestError:
        return RequestError(f"the body has more than {self._limits.bytes} bytes; send it in parts", 413)
