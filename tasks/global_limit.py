"""Slots of a limit on Prefect's server, which a person sees and changes on the dashboard.

`mindrail up` creates a limit for the cores and one for the devices of its host. The host's own locks keep
jobs apart, with or without a server; this lets a person allow fewer. A server that is away, or has no such
limit, holds up nothing.
"""

from __future__ import annotations

import contextvars
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

__all__ = ["global_limit", "limit_name"]

_LEASE_S = 60.0  # the shortest that the server grants: so long a killed job's slots stay taken
_RENEW_S = 20.0
_ASK_S = 5.0
_LOCKED = 423


def limit_name(kind: str) -> str:
    """Return the name of the limit on this host's cores or devices."""
    return f"mindrail: {kind}s of {socket.gethostname()}"


@contextmanager
def global_limit(kind: str, slots: int, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold slots of the server's limit while the block runs.

    Args:
        kind: `core` or `device`.
        slots: how many; all of the limit if it has fewer.
        on_wait: called once if the slots are not free, with the limit's name.
    """
    with _client() as client:
        lease = _acquire(client, limit_name(kind), slots, on_wait)
    if lease is None:
        yield
        return
    done = threading.Event()
    context = contextvars.copy_context()  # has the settings: which server, which password
    thread = threading.Thread(target=context.run, args=(_renew, lease, done), name="limit", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        with suppress(httpx.HTTPError), _client() as client:
            client.release_concurrency_slots_with_lease(lease)


def _acquire(client: SyncPrefectClient, name: str, slots: int, on_wait: Callable[[str], None]) -> UUID | None:
    """Return the lease of the slots; None if the server is away or has no such limit in force."""
    waited = False
    while True:
        try:
            limit = client.read_global_concurrency_limit_by_name(name)
            if not limit.active:
                return None
            if limit.limit > 0:
                return _lease(client, name, min(slots, limit.limit))
        except ObjectNotFound:
            return None
        except httpx.HTTPStatusError as error:
            if error.response.status_code != _LOCKED:
                return None
        except httpx.HTTPError:
            return None
        if not waited:
            waited = True
            on_wait(name)
        time.sleep(_ASK_S)


def _lease(client: SyncPrefectClient, name: str, slots: int) -> UUID:
    granted = client.increment_concurrency_slots_with_lease([name], slots, "concurrency", _LEASE_S)
    return UUID(granted.json()["lease_id"])


def _renew(lease: UUID, done: threading.Event) -> None:
    while not done.wait(_RENEW_S):
        with suppress(httpx.HTTPError), _client() as client:
            client.renew_concurrency_lease(lease, _LEASE_S)


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    """Yield a client that does not try again by itself: a server that is away holds up nothing."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        yield client
