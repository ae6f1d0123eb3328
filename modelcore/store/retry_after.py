"""Waits as long as a busy server asks for (Retry-After) and tries again. Other failures are the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from modelcore.store.download_http import ServerBusy

__all__ = ["with_retry_after"]

Result = TypeVar("Result")

_LONGEST_WAIT = 600.0  # seconds; a server that asks for more is left to the user
_ATTEMPTS = 5


def with_retry_after(work: Callable[[], Result], on_wait: Callable[[float], None]) -> Result:
    """Return what `work` returns, calling it again after each wait that a server asks for.

    Args:
        work: called again after each wait; resumes where it was.
        on_wait: called with the seconds of each wait before it begins.

    Raises:
        ServerBusy: the server does not say how long, asks for more than ten minutes, or has asked five times.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except ServerBusy as busy:
            if busy.retry_after is None or busy.retry_after > _LONGEST_WAIT:
                raise
            on_wait(busy.retry_after)
            time.sleep(busy.retry_after)
    return work()
