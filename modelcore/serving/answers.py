"""Answers for clients of an event loop: from the engine's thread to the coroutine that waits for them.

A coroutine that ends early, because its client has left, cancels what it requested.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from modelcore.generation.engine import Addition
from modelcore.generation.request import Request
from modelcore.serving.engine_loop import EngineLoop, EngineStopped
from modelcore.serving.metrics import Metrics

__all__ = ["Answers"]


class Answers:
    """The engine as coroutines of the event loop see it in which this is made.

    Args:
        engine: runs in another thread, with `deliver`.
        slots: answers generated side by side.

    Attributes:
        engine: the same.
        metrics: what is counted.
    """

    def __init__(self, engine: EngineLoop, *, slots: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Request, asyncio.Queue[Addition | None]] = {}
        self.engine = engine
        self.metrics = Metrics(lambda: engine.running, lambda: engine.waiting, slots)

    @property
    def awaited(self) -> int:
        """How many answers clients wait for."""
        return len(self._waiting)

    async def generate(self, requests: Sequence[Request]) -> AsyncGenerator[Addition, None]:
        """Yield what is added to the answers until all are finished.

        Raises:
            QueueFull: they do not fit into the queue now; nothing was begun.
            EngineStopped: the engine ended before they were finished.
        """
        queue: asyncio.Queue[Addition | None] = asyncio.Queue()
        began, unfinished, started = time.monotonic(), set(requests), set[Request]()
        self._waiting.update((request, queue) for request in requests)
        try:
            self.engine.submit(requests)
            self.metrics.prompt_tokens.inc(sum(len(request.ids) for request in requests))
            while unfinished:
                addition = await queue.get()
                if addition is None:
                    raise EngineStopped("the engine has ended", fix="see the server's log")
                self._count(addition, time.monotonic() - began, started)
                if addition.finished is not None:
                    unfinished.discard(addition.request)
                yield addition
        finally:
            for request in requests:
                self._waiting.pop(request, None)
            self.engine.cancel([*unfinished])

    def _count(self, addition: Addition, seconds: float, started: set[Request]) -> None:
        if addition.ids and addition.request not in started:
            started.add(addition.request)
            self.metrics.first_token.observe(seconds)
        if addition.finished is not None:
            self.metrics.answer_seconds.observe(seconds)

    def deliver(self, additions: list[Addition]) -> None:
        """Hand on what a step added; for the engine's thread."""
        for addition in additions:
            self.metrics.generated_tokens.inc(len(addition.ids))
            if addition.finished is not None:
                self.metrics.answers.labels(addition.finished.finish).inc()
        self._in_loop(self._spread, additions)

    def end(self) -> None:
        """Say to all who wait that the engine has ended; for the engine's thread."""
        self._in_loop(self._end_all)

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

    def _spread(self, additions: list[Addition]) -> None:
        for addition in additions:
            if (queue := self._waiting.get(addition.request)) is not None:
                queue.put_nowait(addition)

    def _end_all(self) -> None:
        for queue in self._waiting.values():
            queue.put_nowait(None)
