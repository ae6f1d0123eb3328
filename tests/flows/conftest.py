"""The demo at a reduced size, run once for every test that looks at it: nothing in it is faked."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli.temporary_server import QUIET
from modelcore.launching.leash import leash_command
from tests.flows.reduced_demo import Demo, run_demo


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Prefect server for the whole session, as a team would start it, with all its services."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        **QUIET,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",  # it looks at schedules once a minute
    }
    before = dict(os.environ)
    os.environ.update(settings)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(leash_command(command), stdout=log, stderr=log) as running,
    ):
        wait_until_up(running, f"http://127.0.0.1:{port}/api/health", home / "server.log")
        with temporary_settings({PREFECT_API_URL: settings["PREFECT_API_URL"]}):  # flows called in here
            yield
        running.terminate()
    os.environ.clear()
    os.environ.update(before)


def wait_until_up(running: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and running.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def finished_demo(shared_tmp: Path, server: None) -> Demo:
    """The reduced demo, run from nothing, once for all workers; nobody changes its store."""
    place = shared_tmp / "demo"
    with FileLock(shared_tmp / "demo.lock"):
        if not (place / "result.json").exists():
            ran = run_demo(place / "store")
            (place / "result.json").write_text(json.dumps(ran.result))
    return Demo(place / "store", json.loads((place / "result.json").read_text()))


@pytest.fixture(scope="module")
def demo(finished_demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The finished demo in a store that the tests of this file may change."""
    return finished_demo.copy(tmp_path_factory.mktemp("demo") / "store")


@pytest.fixture
def untrained_store(finished_demo: Demo, tmp_path: Path) -> Path:
    """The demo's store without the trained shards; what follows from them is there."""
    store = finished_demo.copy(tmp_path / "store").store
    shutil.rmtree(store / "launch")
    return store
