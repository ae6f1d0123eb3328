"""`mindrail up` on a real server with a real worker: what dies is noticed, and crashed runs run once more."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(1200)]

AUTH = "user:secret"

# A flow that works until its file is there; each process that runs it leaves its id.
FLOW = """
import os, time
from pathlib import Path
from flows.run_flow import run_flow

@run_flow("patient", run_name="patient")
def patient(directory: str) -> None:
    place = Path(directory)
    (place / f"started-{os.getpid()}").touch()
    while not (place / "go").exists():
        time.sleep(0.2)
"""


@dataclass
class Service:
    """What `mindrail up` started."""

    directory: Path
    port: int

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.api, auth=tuple(AUTH.split(":")), timeout=60)  # type: ignore[arg-type]

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli.main", name, "--store", str(self.directory / "store")]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PREFECT_SERVER_API_AUTH_STRING": AUTH,
            "PREFECT_API_AUTH_STRING": AUTH,
        }
        return subprocess.run(
            [*command, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600
        )

    def up(self) -> dict[str, Any]:
        done = self.command("up", "--port", str(self.port), "--limit", "3", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def process(self, name: str) -> int:
        return json.loads((self.directory / "store" / ".server" / "processes.json").read_text())[name]["pid"]

    def start_run(self, place: Path) -> str:
        """Start a run of the patient flow, and return its id when it works."""
        place.mkdir()
        with self.client as client:
            (deployed,) = [
                one for one in client.post("/deployments/filter", json={}).json() if one["name"] == "patient"
            ]
            started = client.post(
                f"/deployments/{deployed['id']}/create_flow_run",
                json={"parameters": {"directory": str(place)}},
            )
        wait_until(lambda: list(place.glob("started-*")), 120)
        return started.raise_for_status().json()["id"]

    def state(self, run: str) -> str:
        with self.client as client:
            return client.get(f"/flow_runs/{run}").json()["state"]["type"]


def wait_until(what: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.5)
    return found


def lives(pid: int) -> bool:
    try:
        return (
            psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        )  # a container's first process may not reap
    except psutil.NoSuchProcess:
        return False


def engines(place: Path) -> list[int]:
    """Return the ids of the processes that have worked on a run, in order."""
    return [
        int(path.name.partition("-")[2]) for path in sorted(place.glob("started-*"), key=os.path.getmtime)
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    running = Service(directory, port)
    try:
        running.up()
        deploy_patient(running)
        yield running
    finally:
        running.command("down")


def deploy_patient(service: Service) -> None:
    (service.directory / "patient.py").write_text(FLOW)
    with service.client as client:
        flow = client.post("/flows/", json={"name": "patient"}).json()
        client.post(
            "/deployments/",
            json={
                "name": "patient",
                "flow_id": flow["id"],
                "entrypoint": "patient.py:patient",
                "work_pool_name": "mindrail",
                "tags": ["mindrail"],
                "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}},
                "pull_steps": [
                    {"prefect.deployments.steps.set_working_directory": {"directory": str(service.directory)}}
                ],
                "parameter_openapi_schema": {
                    "type": "object",
                    "properties": {"directory": {"type": "string"}},
                },
            },
        ).raise_for_status()


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
