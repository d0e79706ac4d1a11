"""The path that is asked for predictions, as ASGI alone: what a framework adds to it costs more than an answer."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope, Send

from parity_runtime.errors import out_of_memory
from parity_runtime.printable import shown
from parity_runtime.serving.content_coding import SMALLEST, accepted_coding, compress, inflate
from parity_runtime.serving.exchange import Exchange, exchange_of
from parity_runtime.serving.infer_answer import InferAnswer
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.request_body import RequestBodies
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel

_MEDIA_TYPES = {b"", b"application/json", b"application/octet-stream", b"application/x-www-form-urlencoded"}
"""What a body may be called: JSON, JSON with binary tensors, what curl says of any body, and nothing at all."""

_BINARY, _JSON = b"application/octet-stream", b"application/json"
_LENGTH = b"inference-header-content-length"
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of HTTP.

    Attributes:
        status: of it.
        headers: without its length.
        body: its bytes.
    """

    status: int
    headers: Headers
    body: bytes

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def refusal(exchange: Exchange, error: RequestError) -> Answer:
    """Return an error in the protocol's form."""
    exchange.error = str(error)
    more = [(b"retry-after", b"1")] if error.status == 503 else []
    return Answer(error.status, [(b"content-type", _JSON), *more], orjson.dumps({"error": str(error)}))


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
        except RequestError as error:
            answer = refusal(exchange, error)
        except asyncio.CancelledError:  # uvicorn's, of what is not answered when the service must stop
            answer = refusal(exchange, RequestError("the service has stopped; ask another", 503))
        except Exception as error:
            if out_of_memory(error):
                text = "there is not enough memory for this request; send it in parts"
                answer = refusal(exchange, RequestError(text, 503))
            else:
                logging.getLogger("uvicorn.error").exception("an inference failed")
                text = "the service failed on this request; its log says why"
                answer = refusal(exchange, RequestError(text, 500))
        await answer.send(send)

    async def _answer(self, exchange: Exchange, receive: Receive) -> Answer:
        _, _, _, name, *more = exchange.scope["path"].split("/")
        model = self._models.asked(exchange, name, more[1] if len(more) == 3 else None)
        headers = exchange.headers
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind not in _MEDIA_TYPES:
            text = f"a body of {shown(kind.decode('latin-1'))} is not read here; send {_JSON.decode()}"
            raise RequestError(f"{text}, or {_BINARY.decode()}", 415)
        body = await self._bodies.read(receive, headers.get(b"content-length", b""))
        try:
            if len(body) <= model.inline_bytes[_LENGTH in headers] and b"content-encoding" not in headers:
                return _encoded(model.infer(body, _length(headers)), None)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._work, model, headers, body)
        finally:
            self._bodies.release(len(body))

    def _work(self, model: ServedModel, headers: dict[bytes, bytes], body: bytes) -> Answer:
        """Answer a body in a thread; whatever takes time is done there."""
        inflated = inflate(body, headers.get(b"content-encoding", b"").decode("latin-1"), self._limits.bytes)
        wanted = accepted_coding(headers.get(b"accept-encoding", b"").decode("latin-1"))
        return _encoded(model.infer(inflated, _length(headers)), wanted)


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


def _length(headers: dict[bytes, bytes]) -> str | None:
    found = headers.get(_LENGTH)
    return None if found is None else found.decode("latin-1")


def _encoded(answer: InferAnswer, wanted: str | None) -> Answer:
    """Return an answer with its headers, compressed where a client asked for it and it is worth it."""
    body, headers = answer.body, [(b"content-type", _JSON if answer.header_length is None else _BINARY)]
    if answer.header_length is not None:
        headers.append((_LENGTH, b"%d" % answer.header_length))
    if wanted and len(body) >= SMALLEST:
        body = compress(body, wanted)
        headers += [(b"content-encoding", wanted.encode()), (b"vary", b"accept-encoding")]
    return Answer(200, headers, body)
