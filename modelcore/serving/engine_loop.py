"""The engine in one thread, between clients of other threads that come and go.

The thread calls the model as long as anything is requested, and what a step added is handed to those who wait
for it in one call. The queue is bounded: what does not fit is refused at once. The thread must be the
process's first: MindSpore compiles in no other (it waits for itself).

Knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from modelcore.errors import MindrailError, StepFailed
from modelcore.generation.engine import Addition, Engine
from modelcore.generation.request import Request

__all__ = ["EngineLoop", "EngineStopped", "QueueFull"]


class QueueFull(MindrailError):
    """As many answers wait as may: worth another try after those that run have ended."""


class EngineStopped(StepFailed):
    """There is no engine any more: it was stopped, or ended by a bug."""


class EngineLoop:
    """Answers requests of any number of clients. `run` is for one thread, all else for any.

    Args:
        engine: with the model in memory.
        capacity: answers that may run and wait together.
    """

    def __init__(self, engine: Engine, *, capacity: int) -> None:
        self.capacity = capacity
        self._engine = engine
        self._changed = threading.Condition()
        self._stopping = False
        self._unfinished = 0

    def run(self, deliver: Callable[[list[Addition]], None]) -> None:
        """Answer until `stop`; hand what each step added to `deliver`."""
        try:
            while self._wait_for_work():
                additions = self._engine.step()
                with self._changed:
                    self._unfinished -= sum(addition.finished is not None for addition in additions)
                deliver(additions)
        finally:
            self._stopping = True

    def _wait_for_work(self) -> bool:
        with self._changed:
            while not (self._engine.busy or self._stopping):
                self._changed.wait()
            return not self._stopping

    def stop(self) -> None:
        """Let `run` return after its step; what is unfinished gets nothing more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return not self._stopping

    @property
    def running(self) -> int:
        """How many answers are being generated."""
        return self._engine.running

    @property
    def waiting(self) -> int:
        """How many answers wait for a slot."""
        return self._engine.waiting

    def submit(self, requests: Sequence[Request]) -> None:
        """Let requests be answered, all of them or none.

        Raises:
            QueueFull: they do not fit into the queue now.
            EngineStopped: nothing is answered any more.
        """
        with self._changed:
            if self._stopping:
                raise EngineStopped("the server is ending", fix="ask again when it is back")
            if self._unfinished + len(requests) > self.capacity:
                message = f"{self._unfinished} answers are being generated or wait"
                raise QueueFull(message, fix="ask again later")
            self._unfinished += len(requests)
            for request in requests:
                self._engine.submit(request)
            self._changed.notify()

    def cancel(self, requests: Sequence[Request]) -> None:
        """End requests whose answers nobody waits for; finished ones are left as they are."""
        for request in requests:
            self._engine.cancel(request)
