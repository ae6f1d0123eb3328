"""Brings answers to one client: whole, or as server-sent events; a client that leaves ends its answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request as HttpRequest

from modelcore.errors import MindrailError
from modelcore.generation.engine import Addition, Finished
from modelcore.generation.request import Request
from modelcore.serving.answer_form import AnswerForm, usage
from modelcore.serving.api_error import ApiError
from modelcore.serving.engine_loop import EngineStopped, QueueFull

__all__ = ["Additions", "all_finished", "events", "first_of", "unless_left"]

Result = TypeVar("Result")
Additions = AsyncGenerator[Addition, None]

_RETRY_AFTER = 1  # seconds
_LEFT = 499  # the client has: nginx's number, seen in the metrics alone


async def unless_left(client: HttpRequest, answer: Coroutine[Any, Any, Result]) -> Result:
    """Return the answer.

    Raises:
        ApiError: the client has left before; the answer is cancelled.
    """
    answering, leaving = asyncio.create_task(answer), asyncio.create_task(_left(client))
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ApiError(_LEFT, "the client has left")
        return answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(client: HttpRequest) -> None:
    while (await client.receive())["type"] != "http.disconnect":
        pass


async def first_of(additions: Additions) -> Addition:
    """Return the first addition: until then, a full queue is still an HTTP status.

    Raises:
        ApiError: the queue is full, or the engine has ended.
    """
    try:
        return await anext(additions)
    except (QueueFull, EngineStopped) as error:
        raise _unavailable(error) from error


async def all_finished(additions: Additions) -> dict[Request, Finished]:
    """Return the finished answers; errors as of `first_of`."""
    finished: dict[Request, Finished] = {}
    try:
        async with aclosing(additions):
            async for addition in additions:
                if addition.finished is not None:
                    finished[addition.request] = addition.finished
    except (QueueFull, EngineStopped) as error:
        raise _unavailable(error) from error
    return finished


async def events(
    first: Addition,
    additions: Additions,
    requests: Sequence[Request],
    form: AnswerForm,
    prompt_tokens: int | None,
) -> AsyncIterator[str]:
    """Yield server-sent events; ending early cancels the requests.

    Args:
        first: of `first_of`.
        additions: those after it.
        requests: in the order of their choices.
        form: writes the events.
        prompt_tokens: to end with the numbers of tokens; None to leave them out.
    """
    choices = {request: choice for choice, request in enumerate(requests)}
    tokens = 0
    async with aclosing(additions):
        for choice in range(len(requests)):
            if (opening := form.opening(choice)) is not None:
                yield _event(opening)
        try:
            addition: Addition | None = first
            while addition is not None:
                if addition.text or addition.logprobs or addition.finished is not None:
                    yield _event(form.piece(choices[addition.request], addition))
                tokens += 0 if addition.finished is None else addition.finished.tokens
                addition = await anext(additions, None)
        except EngineStopped as error:
            yield _event(_unavailable(error).body())
            return
        if prompt_tokens is not None:
            yield _event(form.last(usage(prompt_tokens, tokens)))
        yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _unavailable(error: MindrailError) -> ApiError:
    status = 429 if isinstance(error, QueueFull) else 503
    return ApiError(status, str(error), headers={"Retry-After": str(_RETRY_AFTER)})
