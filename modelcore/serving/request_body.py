"""Reads a request's body, with limits on its size and on the time that it takes to arrive."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.config.reading import parse
from modelcore.errors import MindrailError
from modelcore.serving.api_error import ApiError

__all__ = ["read_question"]

Schema = TypeVar("Schema", bound=BaseModel)

_DRAINED = 8  # times the limit; a client that is still sending would not see the answer


async def read_question(request: Request, schema: type[Schema], *, largest: int, seconds: float) -> Schema:
    """Return a request's body as `schema`.

    Args:
        request: the client's.
        schema: of its body.
        largest: bytes that it may have.
        seconds: in which it has to arrive.

    Raises:
        ApiError: it is too large or too slow, not JSON, or has a key that is unknown or wrong.
    """
    try:
        body = await asyncio.wait_for(_body(request, largest), seconds)
    except asyncio.TimeoutError as error:
        message = f"the request did not arrive within {seconds:g} s"
        raise ApiError(408, message, headers={"Connection": "close"}) from error
    try:
        raw = await asyncio.to_thread(parse_json, body)
    except BadJson as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ApiError(400, "the body is not a JSON object")
    try:
        return await asyncio.to_thread(parse, raw, schema)
    except MindrailError as error:
        raise ApiError(400, str(error)) from error


async def _body(request: Request, largest: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= largest:
                chunks.append(chunk)
            elif size > _DRAINED * largest:
                break
    except ClientDisconnect as error:
        raise ApiError(400, "the client left before its request was complete") from error
    if size > largest:
        message = f"the request has more than {largest >> 20} MiB"
        raise ApiError(413, message, headers={"Connection": "close"})
    return b"".join(chunks)
