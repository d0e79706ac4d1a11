"""Bodies as they come in: no more of one is held than the limits say, and no more of all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

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

    @asynccontextmanager
    async def body_of(self, request: Request) -> AsyncIterator[bytes]:
        """Read a request's body and hold it while the block runs.

        Raises:
            RequestError: it is too large (413), too slow (408), or other bodies take all the room (503).
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limits.bytes:
            raise self._too_large()
        pieces: list[bytes] = []
        try:
            await self._read(request, pieces)
            yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            self._held -= sum(map(len, pieces))

    async def _read(self, request: Request, pieces: list[bytes]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for piece in request.stream():
                    pieces.append(piece)
                    size += len(piece)
                    self._held += len(piece)
                    if size > self._limits.bytes:
                        raise self._too_large()
                    if self._held > self._limits.held_bytes:
                        raise RequestError("the service holds as many bodies as it may; try again", 503)
        except ClientDisconnect as error:
            raise RequestError("the client went away before its body had arrived") from error
        except TimeoutError as error:
            raise RequestError(f"the body did not arrive within {self._limits.seconds:g} seconds", 408) from error

    def _too_large(self) -> RequestError:
        return RequestError(f"the body has more than {self._limits.bytes} bytes; send it in parts", 413)
