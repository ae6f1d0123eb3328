"""A lock between hosts that share nothing but a bucket: an object that its holder renews.

The service must refuse a write whose condition does not hold (`If-None-Match: *` for a new object,
`If-Match` for one that exists): then of two processes that want the lock one gets it. A holder that has not
renewed for a lease is taken to be dead; that is counted by the clock of the one who waits, so clocks are not
compared. The lock saves doing work twice: what is committed is whole without it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modelcore.errors import StepFailed
from modelcore.store.remote import Remote

__all__ = ["LEASE_S", "remotely_locked"]

LEASE_S = 60.0
"""Seconds without a renewal after which a lock is free."""

_RENEWALS_PER_LEASE = 6
_POLL_INTERVAL_S = 1.0
_FREE = b"free\n"


@contextmanager
def remotely_locked(
    remote: Remote, name: str, *, on_busy: Callable[[], None] = lambda: None, lease: float = LEASE_S
) -> Iterator[None]:
    """Hold the lock of a name while the block runs.

    Args:
        remote: where the lock is.
        name: of its object, which stays there.
        on_busy: called once, before waiting, if another process holds it.
        lease: seconds; the same for everyone who uses the lock.

    Raises:
        StepFailed, MindrailError: the service does not answer, or refuses.
    """
    version = _acquire(remote, name, on_busy, lease)
    ended = threading.Event()
    held = [version]
    renewing = threading.Thread(target=_renew, args=(remote, name, held, ended, lease), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        remote.write_if(name, _FREE, held[0])  # refused if somebody has taken it over


def _acquire(remote: Remote, name: str, on_busy: Callable[[], None], lease: float) -> str:
    notified = False
    seen, since = remote.version(name), time.monotonic()
    while True:
        is_free = seen is None or remote.read(name) == _FREE
        if is_free or time.monotonic() - since > lease:
            version = remote.write_if(name, _holder(), seen)
            if version is not None:
                return version
        elif not notified:
            notified = True
            on_busy()
        if not is_free:
            time.sleep(min(_POLL_INTERVAL_S, lease / _RENEWALS_PER_LEASE))
        now = remote.version(name)
        if now != seen:
            seen, since = now, time.monotonic()


def _renew(remote: Remote, name: str, held: list[str], ended: threading.Event, lease: float) -> None:
    """Write the lock anew until it is given back, or somebody else has it."""
    while not ended.wait(lease / _RENEWALS_PER_LEASE):
        try:
            version = remote.write_if(name, _holder(), held[0])
        except StepFailed:
            continue  # no answer now; the next renewal may come in time
        if version is None:
            return
        held[0] = version


def _holder() -> bytes:
    """Return what the object says of its holder, different each time."""
    who = {"host": socket.gethostname(), "pid": os.getpid(), "renewal": secrets.token_hex(8)}
    return json.dumps(who).encode() + b"\n"
