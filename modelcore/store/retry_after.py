"""Waits as long as a busy server asks (Retry-After) and tries again; any other failure is the caller's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from modelcore.store.download_http import ServerBusy

__all__ = ["patiently"]

Result = TypeVar("Result")

_LONGEST_WAIT = 600.0  # seconds; whoever asks for more is better asked again by a person
_ATTEMPTS = 5


def patiently(work: Callable[[], Result], on_wait: Callable[[float], None]) -> Result:
    """Return what `work` returns, calling it again after each wait that a server asks for.

    Args:
        work: called anew after a wait; goes on from where it was.
        on_wait: told the seconds of each wait before it begins.

    Raises:
        ServerBusy: the server does not say for how long, asks for more than ten minutes, or again and again.
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
