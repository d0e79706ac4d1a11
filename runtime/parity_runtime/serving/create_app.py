"""The routes of the Open Inference Protocol (version 2, REST): health, metadata, inference; and of metrics."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from parity_runtime.printable import shown
from parity_runtime.serving.exchange import Exchange, Exchanges, exchange_of
from parity_runtime.serving.inferences import Inferences, Models, is_inference
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.metrics import CONTENT_TYPE, Metrics
from parity_runtime.serving.open_api import Live, ModelMetadata, ModelReady, Ready, ServerMetadata, open_api
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.version import __version__

EXTENSIONS = ["binary_tensor_data"]


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
        self._models = Models({model.name: model for model in models})
        self._infer = Inferences(self._models, limits, threads)
        self._others = self._routes()
        self._log = log
        self.app = Exchanges(self._route, self._infer.at_once, limits, self._told)
        self._metrics = Metrics([(model.name, model.version) for model in models], lambda: self.app.in_flight)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._infer if scope["type"] == "http" and is_inference(scope) else self._others
        await app(scope, receive, send)

    def _routes(self) -> FastAPI:
        app = FastAPI(title="Parity", version=__version__, docs_url=None, redoc_url=None)  # they load scripts
        for path in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
            app.add_route(path, self._infer, methods=["POST"])  # type: ignore[arg-type] # ASGI itself
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
        app.openapi = lambda: open_api(described(), list(self._models.by_name.values()))  # type: ignore[method-assign]
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

    def _asked(self, request: Request) -> ServedModel:
        """Return the model that the path names."""
        named = request.path_params
        return self._models.asked(exchange_of(request.scope), named["name"], named.get("version"))

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
    exchange = exchange_of(request.scope)
    if isinstance(error, RequestError):
        exchange.error = str(error)
        return JSONResponse({"error": exchange.error}, error.status)
    headers = dict(getattr(error, "headers", None) or {})
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"  # each path that answers one answers both
    status = getattr(error, "status_code", 500)
    exchange.error = _unrouted(request, status, headers) or str(getattr(error, "detail", error))
    return JSONResponse({"error": exchange.error}, status, headers)


def _unrouted(request: Request, status: int, headers: dict[str, str]) -> str | None:
    """Return what to tell a client whose path or method no route has; None of any other error."""
    path = shown(request.url.path)
    if status == HTTPStatus.NOT_FOUND:
        return f"there is no path {path}; /openapi.json lists the paths"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{path} takes {headers.get('Allow', 'another method')}, not {shown(request.method)}"
    return None
