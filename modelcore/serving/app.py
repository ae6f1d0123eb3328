"""The server as an ASGI application: its paths, who may ask, what is counted, and errors in OpenAI's form.

Knows nothing of sockets and signals (`server.py`), nor of how tokens are generated.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelcore.config.serving import Serving
from modelcore.serving.answers import Answers
from modelcore.serving.api_error import ApiError
from modelcore.serving.metrics import Metrics
from modelcore.serving.paths import Paths
from modelcore.serving.served_model import ServedModel

__all__ = ["create_app"]

_log = logging.getLogger(__name__)


def create_app(served: ServedModel, answers: Answers, config: Serving, key: str | None) -> FastAPI:
    """Return the application.

    Args:
        served: the model.
        answers: who answers.
        config: limits.
        key: what clients send as bearer token; None lets everyone in.
    """
    app = FastAPI(title="mindrail", openapi_url=None)
    paths = Paths(served, answers, config)
    guarded = [Depends(_key_check(key))]
    app.get("/health")(paths.health)
    app.get("/metrics", dependencies=guarded)(paths.metrics)
    app.get("/v1/models", dependencies=guarded)(paths.models)
    app.get("/v1/models/{name:path}", dependencies=guarded)(paths.model)
    app.post("/v1/completions", dependencies=guarded)(paths.completions)
    app.post("/v1/chat/completions", dependencies=guarded)(paths.chat)
    app.add_middleware(_Counted, metrics=answers.metrics)
    app.exception_handler(ApiError)(_refused)
    app.exception_handler(HTTPException)(_no_path)
    app.exception_handler(Exception)(_bug)
    return app


def _key_check(key: str | None) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        if key is None:
            return
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), key.encode()):
            message = "no key, or a wrong one: send it as Authorization: Bearer KEY"
            headers = {"WWW-Authenticate": "Bearer"}
            raise ApiError(HTTPStatus.UNAUTHORIZED, message, code="invalid_api_key", headers=headers)

    return check


class _Counted:
    """Counts requests by path and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                self._metrics.requests.labels(path, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _no_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail}").response()


async def _bug(_: Request, error: Exception) -> Response:
    _log.error("a bug in mindrail", exc_info=error)
    message = f"a bug in mindrail ({type(error).__name__}); see the server's log"
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, message).response()
