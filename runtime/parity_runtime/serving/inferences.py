"""The path that is asked for predictions, as ASGI alone: what a framework adds to it costs more than an answer."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.types import Receive, Scope, Send

from parity_runtime.errors import out_of_memory
from parity_runtime.printable import shown
from parity_runtime.serving.answer import JSON, Answer, refusal
from parity_runtime.serving.content_coding import SMALLEST, accepted_coding, compress, inflate
from parity_runtime.serving.exchange import Exchange, exchange_of
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.quick_bodies import SMALL
from parity_runtime.serving.request_body import RequestBodies
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel

_BINARY = b"application/octet-stream"
_MEDIA_TYPES = {b"", JSON, _BINARY, b"application/x-www-form-urlencoded"}
"""What a body may be called: JSON, JSON with binary tensors, what curl says of any body, and nothing at all."""

_LENGTH = b"inference-header-content-length"


class Models:
    """The models of a service, by what a path names.

    Args:
        models: by their names.
    """

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self.by_name = models

    def asked(self, exchange: Exchange, name: str, version: str | None = None) -> ServedModel:
        """Return a model, of which the exchange keeps the name.

        Raises:
            RequestError: there is none of that name and version (404).
        """
        model = self.by_name.get(name)
        if model is None:
            raise RequestError(f"there is no model {shown(name)}; served are {', '.join(self.by_name)}", 404)
        exchange.model = name
        if version not in (None, model.version):
            raise RequestError(f"there is no version {shown(version)} of {name}; this is {model.version}", 404)
        return model


class Inferences:
    """Answers ``POST /v2/models/NAME[/versions/VERSION]/infer``.

    Args:
        models: that are asked.
        limits: of requests.
        threads: how many bodies are worked on at once, beside small ones.
    """

    def __init__(self, models: Models, limits: Limits, threads: int) -> None:
        self._models, self._limits = models, limits
        self._bodies = RequestBodies(limits)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inference")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path `is_inference`."""
        exchange = exchange_of(scope)
        try:
            answer = await self._answer(exchange, receive)
        except (Exception, asyncio.CancelledError) as error:
            answer = _refused(exchange, error)
        await answer.send(send)

    def at_once(self, exchange: Exchange, body: bytes) -> Answer | None:
        """Answer a request and its whole body; None where that would hold up others, or it is no inference."""
        if not is_inference(exchange.scope) or not self._bodies.has_room(len(body)):
            return None
        try:
            model = self._asked(exchange)
            return _answered(model, exchange.headers, body) if _is_quick(model, exchange.headers, body) else None
        except Exception as error:
            return _refused(exchange, error)

    async def _answer(self, exchange: Exchange, receive: Receive) -> Answer:
        model, headers = self._asked(exchange), exchange.headers
        body = await self._bodies.read(receive, headers.get(b"content-length", b""))
        try:
            if _is_quick(model, headers, body):
                return _answered(model, headers, body)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, model, headers, body)
        finally:
            self._bodies.release(len(body))

    def _asked(self, exchange: Exchange) -> ServedModel:
        """Return the model that is asked.

        Raises:
            RequestError: there is none, or a body of that type is not read.
        """
        _, _, _, name, *more = exchange.scope["path"].split("/")
        model = self._models.asked(exchange, name, more[1] if len(more) == 3 else None)
        kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind not in _MEDIA_TYPES:
            text = f"a body of {shown(kind.decode('latin-1'))} is not read here; send {JSON.decode()}"
            raise RequestError(f"{text}, or {_BINARY.decode()}", 415)
        return model

    def _work(self, model: ServedModel, headers: dict[bytes, bytes], body: bytes) -> Answer:
        """Answer a body in a thread; whatever takes time is done there."""
        inflated = inflate(body, headers.get(b"content-encoding", b"").decode("latin-1"), self._limits.bytes)
        return _answered(model, headers, inflated, _wanted(headers))


def is_inference(scope: Scope) -> bool:
    """Whether a request asks for predictions.

    >>> is_inference({"method": "POST", "path": "/v2/models/xor/infer"})
    True
    """
    path = scope["path"]
    if scope["method"] != "POST" or not path.endswith("/infer") or not path.startswith("/v2/models/"):
        return False
    parts = path.split("/")
    return len(parts) == 5 or (len(parts) == 7 and parts[4] == "versions")


def _is_quick(model: ServedModel, headers: dict[bytes, bytes], body: bytes) -> bool:
    """Whether a body is answered sooner than it is handed to a thread; what is compressed is worth one."""
    binary = _LENGTH in headers
    if b"content-encoding" in headers or not model.is_quick(body, binary=binary):
        return False
    return binary or len(body) <= SMALL or _wanted(headers) is None


def _wanted(headers: dict[bytes, bytes]) -> str | None:
    found = headers.get(b"accept-encoding")
    return None if found is None else accepted_coding(found.decode("latin-1"))


def _answered(model: ServedModel, headers: dict[bytes, bytes], body: bytes, wanted: str | None = None) -> Answer:
    """Answer a body, compressed where a client asked for it and it is worth it."""
    length = headers.get(_LENGTH)
    found = model.infer(body, None if length is None else length.decode("latin-1"))
    answer, told = found.body, [(b"content-type", JSON if found.header_length is None else _BINARY)]
    if found.header_length is not None:
        told.append((_LENGTH, b"%d" % found.header_length))
    if wanted and len(answer) >= SMALLEST:
        answer = compress(answer, wanted)
        told += [(b"content-encoding", wanted.encode()), (b"vary", b"accept-encoding")]
    return Answer(200, told, answer)


def _refused(exchange: Exchange, error: BaseException) -> Answer:
    """Return the answer where there is none: the client's fault, a lack of memory, the end of the service, or ours."""
    if isinstance(error, asyncio.CancelledError):  # uvicorn's, of what is not answered when the service must stop
        error = RequestError("the service is shutting down; send the request to another", 503)
    elif not isinstance(error, RequestError):
        if out_of_memory(error):
            error = RequestError("there is not enough memory for this request; send it in parts", 503)
        else:
            logging.getLogger("uvicorn.error").error("an inference failed", exc_info=error)
            error = RequestError("the service failed on this request; its log says why", 500)
    exchange.error = str(error)
    return refusal(error)
