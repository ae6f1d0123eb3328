"""The reports are served read-only: nothing outside the store, nothing hidden, no script."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from flows.service.report_server import ReportHandler


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    for name in ("runs/one/report.html", ".server/prefect.db", "launch/key/.hidden", "launch/key/model"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    (store / "runs" / "link").symlink_to(tmp_path / "secret")
    return store


@pytest.fixture(params=["", "user:secret"])
def client(request: pytest.FixtureRequest, store: Path) -> Iterator[httpx.Client]:
    handler = partial(ReportHandler, root=store, auth=request.param)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        auth = tuple(request.param.split(":")) if request.param else None
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", auth=auth) as client:
            yield client
        server.shutdown()


def test_reports_and_artifacts_are_shown(client: httpx.Client) -> None:
    answer = client.get("/runs/one/report.html")
    assert (answer.status_code, answer.text) == (200, "runs/one/report.html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "model" in client.get("/launch/key/").text


@pytest.mark.parametrize(
    "path",
    [
        "/.server/prefect.db",
        "/launch/key/.hidden",
        "/runs/link",
        "/../secret",
        "/%2e%2e/secret",
        "/runs/..%2f..%2fsecret",
        "/runs/%00",
    ],
)
def test_nothing_else_is(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and answer.text != "secret"


def test_nothing_can_be_written(client: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/runs/one/report.html").status_code == 501


def test_without_the_password_nothing_is_shown(client: httpx.Client) -> None:
    if client.auth is None:
        pytest.skip("this one asks for none")
    for auth in (None, ("user", "wrong")):
        assert httpx.get(f"{client.base_url}/runs/one/report.html", auth=auth).status_code == 401
