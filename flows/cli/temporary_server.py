"""A Prefect server for one command, where none is configured.

With `PREFECT_API_URL` set, flows talk to that server. Without it, the command starts one of its own
on a free loopback port, with its database under the store so that the history stays, and ends it.
Prefect's own ephemeral server would survive a `kill -9` of the command; this one is on a leash. All
settings travel by environment, so this module must run before Prefect is imported.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from flows.cli.configured_server import check_configured_server, one_line_outages
from flows.cli.server_database import copy_prepared_database, keep_prepared_database
from modelcore.errors import StepFailed
from modelcore.launching.leash import leash_command

__all__ = ["prefect_server", "without_heartbeats"]

_SLOW = 30.0  # seconds after which the person who waits learns for what
_STOP_TIMEOUT = 5.0
_LONG_LOG = 4 << 20  # bytes

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""No telemetry, wherever mindrail starts Prefect."""


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[Callable[[], None]]:
    """Make a Prefect API reachable through the environment while the context lasts.

    Args:
        home: where the temporary server keeps its database.

    Yields:
        What to call before the first flow run: it waits until the server answers, however long that takes a
        busy machine. Starting takes seconds that the caller may use for its imports.

    Raises:
        StepFailed: the server ended before it answered; its log is named. Or the configured one is away.
        MindrailError: the configured server refuses the password.
    """
    os.environ.update(QUIET)
    if os.environ.get("PREFECT_API_URL"):
        with one_line_outages():
            yield check_configured_server
        return
    home.mkdir(parents=True, exist_ok=True)
    new, port = not (home / "prefect.db").exists(), _free_port()
    new = new and not copy_prepared_database(home)
    os.environ.update(_settings(home, port))

    def wait() -> None:
        _wait_until_up(server, port, home / "server.log")
        if new:
            keep_prepared_database(home)

    _rotate(home / "server.log")
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(
            leash_command(_command(port)), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            yield wait
        finally:
            _stop(server)


def _rotate(log: Path) -> None:
    """Put a long log aside; one that was put aside before is lost."""
    if log.exists() and log.stat().st_size > _LONG_LOG:
        log.replace(log.with_name("server.1.log"))


@contextlib.contextmanager
def without_heartbeats() -> Iterator[None]:
    """Send no heartbeats while flows run beside a temporary server; nobody watches them there.

    Prefect joins their thread at the end of each flow run, which takes a second. The environment cannot
    switch them off: the setting is a number there.
    """
    if "MINDRAIL_TEMPORARY_SERVER" not in os.environ:
        yield
        return
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def _settings(home: Path, port: int) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "CRITICAL"),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "MINDRAIL_TEMPORARY_SERVER": "1",
    }


def _command(port: int) -> list[str]:
    spec = find_spec("prefect")
    assert spec is not None and spec.origin is not None
    return [
        *(sys.executable, "-m", "uvicorn", "--app-dir", str(Path(spec.origin).parent)),
        *("--factory", "prefect.server.api.server:create_app", "--lifespan", "on"),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "error"),
    ]


def _wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server answers; as long as it lives, it is on its way."""
    slow = time.monotonic() + _SLOW
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).close()
            return
        if time.monotonic() > slow:
            print(f"waiting for Prefect's server to start; its log is {log}", file=sys.stderr)
            slow = math.inf
        time.sleep(0.05)
    raise StepFailed(f"Prefect's server ended with exit code {server.returncode}", where=log)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
