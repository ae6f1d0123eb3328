"""Whether each part of the service does its work, not just whether its process runs. No Prefect here."""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.service.deployments import POOL
from flows.service.options import Options
from flows.service.ray_head import ray_answers

__all__ = ["Health", "answers", "health_of", "worker_heartbeat"]

_TIMEOUT = 20.0  # seconds; a busy server accepts at once and answers late


@dataclass(frozen=True)
class Health:
    """What one part says.

    Attributes:
        good: whether it does its work; None if that cannot be asked.
        text: the same in words.
    """

    good: bool | None
    text: str


def health_of(name: str, options: Options, ray: Mapping[str, str]) -> Health:
    """Ask a part whose process runs.

    Args:
        name: of the part.
        options: as it was started; `auth` is needed to ask the server for its workers.
        ray: the variables of Ray's head.
    """
    if name == "worker":
        return _worker(options)
    if name == "ray":
        return _plain(ray_answers(ray), ray["RAY_ADDRESS"])
    address = f"{options.api}/health" if name == "server" else options.reports
    return _plain(answers(address), address)


def answers(address: str) -> bool:
    """Return whether something answers there, be it that it wants a password or has nothing to show yet."""
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        try:
            urllib.request.urlopen(address, timeout=_TIMEOUT).close()
        except urllib.error.HTTPError as error:
            return error.code in (401, 403, 404)
        return True
    return False


def worker_heartbeat(options: Options) -> str:
    """Return when the worker of this machine was last heard of, as the server says; "" if it never was.

    Raises:
        OSError: the server does not answer, or refuses the password.
    """
    worker = _ask_for_worker(options)
    return "" if worker is None else str(worker["last_heartbeat_time"])


def _worker(options: Options) -> Health:
    try:
        worker = _ask_for_worker(options)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return Health(None, "runs; to ask for its heartbeat set PREFECT_API_AUTH_STRING")
        return Health(False, f"the server answers {error.code}")
    except OSError as error:
        return Health(False, f"the server cannot be asked: {error}")
    if worker is None:
        return Health(False, f"the server has not heard of it: {options.worker}")
    heard = f"last heard of at {str(worker['last_heartbeat_time'])[:19]}, pool {POOL}"
    return Health(worker["status"] == "ONLINE", f"{worker['status'].lower()}, {heard}")


def _ask_for_worker(options: Options) -> dict[str, Any] | None:
    request = urllib.request.Request(
        f"{options.api}/work_pools/{POOL}/workers/filter",
        data=b"{}",
        headers={"Content-Type": "application/json", **_authorization(options.auth)},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        workers: list[dict[str, Any]] = json.loads(answer.read())
    return next((one for one in workers if one["name"] == options.worker), None)


def _authorization(auth: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}


def _plain(good: bool, address: str) -> Health:
    return Health(good, f"{'answers' if good else 'does not answer'} at {address}")
