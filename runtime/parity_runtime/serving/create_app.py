"""The routes of the Open Inference Protocol (version 2, REST): health, metadata, inference; and of metrics."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from parity_runtime.errors import out_of_memory
from parity_runtime.printable import shown
from parity_runtime.serving.content_coding import SMALLEST, accepted_coding, compress, inflate
from parity_runtime.serving.exchange import Exchange, Exchanges, exchange_of
from parity_runtime.serving.infer_answer import InferAnswer
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.metrics import CONTENT_TYPE, Metrics
from parity_runtime.serving.open_api import (
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    open_api,
)
from parity_runtime.serving.request_body import RequestBodies
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.version import __version__

_MEDIA_TYPES = {"", "application/json", "application/octet-stream", "application/x-www-form-urlencoded"}
"""What a body may be called: JSON, JSON with binary tensors, what curl says of any body, and nothing at all."""

EXTENSIONS = ["binary_tensor_data"]
_BINARY, _JSON = "application/octet-stream", "application/json"
_LENGTH = "inference-header-content-length"


class Service:
    """An ASGI application that answers for some models.

    Args:
        models: by their names, no two of which are the same.
        limits: of requests.
        threads: how many bodies are worked on at once, beside small ones.
        log: is called once for every answer.

    Attributes:
        app: what a server of ASGI runs.
        exchanges: set its ``draining``, and the service says that it is not ready.
    """

    def __init__(
        self, models: Sequence[ServedModel], limits: Limits, threads: int, log: Callable[[Exchange], None] | None = None
    ) -> None:
        self._models = {model.name: model for model in models}
        self._limits = limits
        self._bodies = RequestBodies(limits)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="inference")
        self._log = log
        self.app = Exchanges(self._routes(), limits, self._told)
        self._metrics = Metrics([(model.name, model.version) for model in models], lambda: self.app.in_flight)

    def _routes(self) -> FastAPI:
        app = FastAPI(title="Parity", version=__version__, docs_url=None, redoc_url=None)  # they load scripts
        app.add_route("/v2/models/{name}/infer", self._infer, methods=["POST"])
        app.add_route("/v2/models/{name}/versions/{version}/infer", self._infer, methods=["POST"])
        _get(app, "/v2/health/live", self._live, Live)
        _get(app, "/v2/health/ready", self._ready, Ready)
        _get(app, "/v2", self._server, ServerMetadata)
        for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            _get(app, path, self._metadata, ModelMetadata, listed=False)
            _get(app, f"{path}/ready", self._model_ready, ModelReady, listed=False)
        app.add_route("/metrics", self._scrape, methods=["GET"])
        app.add_exception_handler(RequestError, _refuse)
        app.add_exception_handler(HTTPException, _refuse)
        app.add_exception_handler(Exception, _fail)  # logged, and answered in the protocol's form
        described = app.openapi
        app.openapi = lambda: open_api(described(), list(self._models.values()))  # type: ignore[method-assign]
        return app

    def _told(self, exchange: Exchange) -> None:
        self._metrics.add(exchange)
        if self._log is not None:
            self._log(exchange)

    async def _server(self) -> dict[str, Any]:
        """Say what this server is."""
        return {"name": "parity", "version": __version__, "extensions": EXTENSIONS}

    async def _live(self) -> dict[str, bool]:
        """Say that the process answers."""
        return {"live": True}

    async def _ready(self) -> Response:
        """Say whether more requests shall come: not any more once the service has been told to stop."""
        return self._readiness({})

    async def _metadata(self, request: Request) -> dict[str, Any]:
        """Return the model's inputs and outputs."""
        return self._asked(request).metadata()

    async def _model_ready(self, request: Request) -> Response:
        """Say whether the model answers."""
        return self._readiness({"name": self._asked(request).name})

    async def _scrape(self, request: Request) -> Response:  # noqa: ARG002 -- Starlette's signature
        """Return the metrics."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _infer(self, request: Request) -> Response:
        """Answer a batch."""
        model = self._asked(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _MEDIA_TYPES:
            raise RequestError(f"a body of {shown(kind)} is not read here; send {_JSON}, or {_BINARY}", 415)
        coding = request.headers.get("content-encoding", "")
        wanted = accepted_coding(request.headers.get("accept-encoding", ""))
        length = request.headers.get(_LENGTH)
        async with self._bodies.body_of(request) as body:
            try:
                if len(body) <= model.inline_bytes and not coding:
                    return self._answer(model.infer(body, length), None)
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._work, (model, body, length, coding, wanted)
                )
            except Exception as error:
                if out_of_memory(error):
                    raise RequestError("there is not enough memory for this request; send it in parts", 503) from error
                raise

    def _work(self, asked: tuple[ServedModel, bytes, str | None, str, str | None]) -> Response:
        """Answer a body in a thread; whatever takes time is done there."""
        model, body, length, coding, wanted = asked
        return self._answer(model.infer(inflate(body, coding, self._limits.bytes), length), wanted)

    @staticmethod
    def _answer(answer: InferAnswer, wanted: str | None) -> Response:
        body, headers = answer.body, {}
        if answer.header_length is not None:
            headers[_LENGTH] = str(answer.header_length)
        if wanted and len(body) >= SMALLEST:
            body = compress(body, wanted)
            headers |= {"content-encoding": wanted, "vary": "accept-encoding"}
        return Response(body, headers=headers, media_type=_JSON if answer.header_length is None else _BINARY)

    def _asked(self, request: Request) -> ServedModel:
        """Return the model that the path names."""
        name, version = request.path_params["name"], request.path_params.get("version")
        model = self._models.get(name)
        if model is None:
            raise RequestError(f"there is no model {shown(name)}; served are {', '.join(self._models)}", 404)
        exchange_of(request.scope).model = name
        if version not in (None, model.version):
            raise RequestError(f"there is no version {shown(version)} of {name}; this is {model.version}", 404)
        return model

    def _readiness(self, value: dict[str, Any]) -> JSONResponse:
        ready = not self.app.draining
        return JSONResponse({**value, "ready": ready}, 200 if ready else 503)


def _get(app: FastAPI, path: str, endpoint: Callable[..., Any], model: type, *, listed: bool = True) -> None:
    """Add a route that answers GET, and HEAD as well."""
    summary = (endpoint.__doc__ or "").partition("\n")[0]
    app.add_api_route(path, endpoint, methods=["GET"], response_model=model, summary=summary, include_in_schema=listed)
    app.add_api_route(path, endpoint, methods=["HEAD"], response_model=model, include_in_schema=False)


async def _fail(request: Request, error: Exception) -> Response:  # noqa: ARG001 -- Starlette's signature
    """Answer a fault of ours."""
    return JSONResponse({"error": "the service failed on this request; its log says why"}, 500)


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an error in the protocol's form."""
    if isinstance(error, RequestError):
        text, status, headers = str(error), error.status, {"retry-after": "1"} if error.status == 503 else {}
    else:
        text = str(getattr(error, "detail", error))
        status, headers = getattr(error, "status_code", 500), dict(getattr(error, "headers", None) or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"  # each path that answers one answers both
    exchange_of(request.scope).error = text
    return JSONResponse({"error": text}, status, headers)
