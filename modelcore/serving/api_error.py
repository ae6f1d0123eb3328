"""What a client gets when its request cannot be answered: OpenAI's error object, its message one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

from modelcore.errors import one_line

__all__ = ["ApiError"]

_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        message: what is wrong and what to do.
        code: a word for programs, as OpenAI's.
        headers: of the response.
    """

    def __init__(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, one_line(message), code, headers

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return what the client gets."""
        return JSONResponse(self.body(), self.status, headers=dict(self.headers))
