"""The routes of the Open Inference Protocol (version 2, REST): health, metadata, inference."""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from model import Model
from protocol import RequestError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from parity_runtime import Predictor, __version__


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost.

    Attributes:
        rows: of a batch.
        bytes: of a body.
        seconds: until a body has arrived.
    """

    rows: int = 10_000
    bytes: int = 2**20
    seconds: float = 30.0


# Handing a body to a thread costs twice what the answer to a small one does; a larger one would hold up everyone.
_INLINE_BYTES = 2**13


def create_app(predictor: Predictor, limits: Limits) -> FastAPI:
    """Return the service of one model. Set ``app.state.draining`` and it says that it is not ready."""
    app = FastAPI(title="Parity", openapi_url=None)  # its pages of documentation load scripts from elsewhere
    app.state.model = Model(predictor, limits.rows)
    app.state.limits = limits
    app.state.draining = False
    app.include_router(_server)
    app.include_router(_model)
    app.add_exception_handler(RequestError, _refuse)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(Exception, _fail)  # logged, and answered in the protocol's form
    return app


_server = APIRouter(prefix="/v2")
_model = APIRouter(prefix="/v2/models/{name}")


@_server.get("")
async def server() -> dict[str, Any]:
    """Say what this server is."""
    return {"name": "parity", "version": __version__, "extensions": []}


@_server.get("/health/live")
async def live() -> dict[str, bool]:
    """Say that the process answers."""
    return {"live": True}


@_server.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Say whether more requests shall come: not any more once the service has been told to stop."""
    return _readiness(request, {})


@_model.get("")
@_model.get("/versions/{version}")
async def metadata(request: Request) -> dict[str, Any]:
    """Return the model's inputs and outputs."""
    return _asked(request).metadata()


@_model.get("/ready")
@_model.get("/versions/{version}/ready")
async def model_ready(request: Request) -> JSONResponse:
    """Say whether the model answers."""
    return _readiness(request, {"name": _asked(request).name})


@_model.post("/infer")
@_model.post("/versions/{version}/infer")
async def infer(request: Request) -> Response:
    """Answer a batch."""
    model, body = _asked(request), await _body(request)
    inline = model.quick and len(body) <= _INLINE_BYTES
    answer = model.infer(body) if inline else await asyncio.to_thread(model.infer, body)
    return Response(answer, media_type="application/json", headers=_leaving(request))


def _asked(request: Request) -> Model:
    """Return the model that the path names."""
    model: Model = request.app.state.model
    name, version = request.path_params["name"], request.path_params.get("version")
    if name != model.name:
        raise RequestError(f"there is no model {name!r}; this is {model.name}", 404)
    if version not in (None, model.version):
        raise RequestError(f"there is no version {version!r} of {name}; this is {model.version}", 404)
    return model


async def _body(request: Request) -> bytes:
    """Return the body; of one that is too large no more is taken than shows that it is."""
    limits: Limits = request.app.state.limits
    body = bytearray()
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limits.bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.bytes:
                    raise _too_large(limits)
    except ClientDisconnect as error:
        raise RequestError("the client went away before its body had arrived") from error
    except TimeoutError as error:
        raise RequestError(f"the body did not arrive within {limits.seconds:g} seconds", 408) from error
    return bytes(body)


def _too_large(limits: Limits) -> RequestError:
    return RequestError(f"the body has more than {limits.bytes} bytes; send it in parts", 413)


def _readiness(request: Request, value: dict[str, Any]) -> JSONResponse:
    ready = not request.app.state.draining
    return JSONResponse({**value, "ready": ready}, 200 if ready else 503, _leaving(request))


def _leaving(request: Request) -> dict[str, str]:
    """Return headers: a service that is about to stop asks its clients to come back on a new connection."""
    return {"connection": "close"} if request.app.state.draining else {}


async def _fail(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer a fault of ours."""
    return JSONResponse({"error": "the service failed on this request; its log says why"}, 500)


async def _refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Answer an error in the protocol's form."""
    status = error.status if isinstance(error, RequestError) else getattr(error, "status_code", 500)
    # What is left of a body that was not read would be taken for the next request.
    headers = {"connection": "close"} if status in (408, 413) else {}
    return JSONResponse({"error": getattr(error, "detail", str(error))}, status, headers)
