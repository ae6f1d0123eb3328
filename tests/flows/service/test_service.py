"""`mindrail up` on a real server with a real worker: what dies is noticed, and crashed runs run once more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.service.running import Service, deploy_patient, engines, lives, postgresql, wait_until
from tests.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(1200)]

AUTH = "user:secret"


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a password."""
    directory = tmp_path_factory.mktemp("service")
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgresql()) if request.param == "PostgreSQL" else ""
        running = Service(directory, AUTH, database)
        stack.callback(running.command, "down")
        running.up()
        deploy_patient(running)
        yield running


def test_a_second_up_changes_nothing(service: Service) -> None:
    before = {name: service.process(name) for name in ("server", "worker", "reports")}
    assert service.up()["done"] == []
    assert {name: service.process(name) for name in before} == before
    status = service.command("status", "--json")
    health = {name: one["healthy"] for name, one in json.loads(status.stdout).items()}
    assert (status.returncode, health) == (0, {"server": True, "worker": True, "reports": True})


def test_other_options_are_refused_while_it_runs(service: Service) -> None:
    done = service.command("up", "--port", str(service.port), "--limit", "2")
    assert done.returncode == 2 and "runs with other options" in done.stderr


def test_without_the_password_there_is_one_line(service: Service) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": service.api}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", "deploy"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "set PREFECT_API_AUTH_STRING" in done.stderr and len(done.stderr.splitlines()) == 1


def test_reports_need_the_password_and_hide_the_servers_files(service: Service) -> None:
    (service.directory / "store" / "runs").mkdir(exist_ok=True)
    (service.directory / "store" / "runs" / "report.html").write_text("<p>92.5</p>")
    base = f"http://127.0.0.1:{service.port + 1}"
    assert httpx.get(f"{base}/runs/report.html").status_code == 401
    with httpx.Client(auth=("user", "secret")) as client:
        assert client.get(f"{base}/runs/report.html").text == "<p>92.5</p>"
        assert client.get(f"{base}/.server/processes.json").status_code == 404
        assert client.get(f"{base}/runs/%2e%2e/%2e%2e/patient.py").status_code == 404


def test_a_killed_run_runs_once_more_and_ends_well(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "killed"
    run = service.start_run(place)
    os.kill(engines(place)[0], signal.SIGKILL)
    wait_until(lambda: len(engines(place)) == 2, 180)
    (place / "go").touch()
    wait_until(lambda: service.state(run) == "COMPLETED", 60)
    time.sleep(40)  # longer than the delay of the automation
    assert len(engines(place)) == 2 and service.state(run) == "COMPLETED"


def test_a_run_that_crashes_twice_is_given_up(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "twice"
    run = service.start_run(place)
    os.kill(engines(place)[-1], signal.SIGKILL)
    wait_until(lambda: len(engines(place)) == 2, 180)
    os.kill(engines(place)[-1], signal.SIGKILL)
    wait_until(lambda: service.state(run) == "FAILED", 180)
    assert len(engines(place)) == 2


def test_a_run_that_lost_its_worker_lives_on(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "orphan"
    run = service.start_run(place)
    os.kill(service.process("worker"), signal.SIGKILL)
    time.sleep(20)
    assert lives(engines(place)[0]) and service.state(run) == "RUNNING"
    (place / "go").touch()
    wait_until(lambda: service.state(run) == "COMPLETED", 60)
    status = service.command("status", "--json")
    assert status.returncode == 1 and not json.loads(status.stdout)["worker"]["healthy"]
    assert any("worker" in line for line in service.up()["done"])
    assert service.command("status").returncode == 0


def test_a_run_whose_worker_was_stopped_is_noticed_and_run_again(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "stopped"
    run = service.start_run(place)
    os.kill(service.process("worker"), signal.SIGTERM)
    wait_until(lambda: not lives(engines(place)[0]), 60)
    service.up()
    (place / "go").touch()
    wait_until(lambda: service.state(run) == "COMPLETED", 300)
    assert len(engines(place)) == 2


def test_a_cancelled_run_is_cancelled(service: Service, tmp_path: Path) -> None:
    place = tmp_path / "cancelled"
    run = service.start_run(place)
    with service.client as client:
        client.post(
            f"/flow_runs/{run}/set_state", json={"state": {"type": "CANCELLING", "name": "Cancelling"}}
        )
    wait_until(lambda: service.state(run) == "CANCELLED", 60)
    wait_until(lambda: not lives(engines(place)[0]), 30)
    time.sleep(5)
    assert service.state(run) == "CANCELLED"


def test_down_leaves_nothing(service: Service) -> None:
    pids = [service.process(name) for name in ("server", "worker", "reports")]
    assert service.command("down").stdout == "ended: reports, worker, server\n"
    assert not any(lives(pid) for pid in pids)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"{service.api}/health", timeout=5)
    assert service.command("down").stdout == "ended: nothing ran\n"
