"""A server that is away or wants a password is one line, without a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.cli.configured_server import check_configured_server
from modelcore.errors import MindrailError, StepFailed
from tests.paths import ROOT


class Refusing(BaseHTTPRequestHandler):
    """Answers as Prefect's server does to a wrong password, and to any other address with 404."""

    def do_GET(self) -> None:
        self.send_response(401 if self.path.startswith("/api/") else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def check(address: str, auth: str | None = None) -> None:
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: auth}):
        check_configured_server()


def test_a_password_that_is_missing_or_wrong_names_the_setting(refusing: int) -> None:
    address = f"http://127.0.0.1:{refusing}/api"
    with pytest.raises(MindrailError, match="wants a password; set PREFECT_API_AUTH_STRING"):
        check(address)
    with pytest.raises(MindrailError, match="refuses PREFECT_API_AUTH_STRING"):
        check(address, "user:wrong")


def test_an_address_without_api_is_no_server(refusing: int) -> None:
    with pytest.raises(MindrailError, match="status 404; PREFECT_API_URL ends with /api"):
        check(f"http://127.0.0.1:{refusing}")


def test_a_server_that_is_away_is_named_with_its_address() -> None:
    port = closed_port()
    with pytest.raises(StepFailed, match=rf"127\.0\.0\.1:{port}/api: no answer from the Prefect server"):
        check(f"http://127.0.0.1:{port}/api")


def test_a_command_prints_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "demo", "--store", str(tmp_path / "store")],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PREFECT_API_URL": f"http://127.0.0.1:{closed_port()}/api",
            "PREFECT_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "unset PREFECT_API_URL" in done.stderr
