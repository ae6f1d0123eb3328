"""A real `mindrail up` for tests, with a flow that works for as long as a test wants."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.paths import ROOT

__all__ = ["Service", "deploy_patient", "engines", "free_port", "lives", "postgresql", "wait_until"]


def free_port() -> int:
    """Return a port that is free together with the three above it."""
    for port in random.SystemRandom().sample(range(20000, 32000), 100):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for each in range(port, port + 4):
                held.enter_context(socket.create_server(("127.0.0.1", each)))
            return port
    raise AssertionError("no free ports")


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
    auth: str = ""
    database: str = ""
    port: int = field(default_factory=free_port)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def client(self) -> httpx.Client:
        auth = httpx.BasicAuth(*self.auth.split(":")) if self.auth else None
        return httpx.Client(base_url=self.api, auth=auth, timeout=60)

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli.main", name, "--store", str(self.directory / "store")]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PREFECT_SERVER_API_AUTH_STRING": self.auth,
            "PREFECT_API_AUTH_STRING": self.auth,
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database,
        }
        environment = {key: value for key, value in environment.items() if value}
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
        wait_until(lambda: list(place.glob("started-*")), 300)
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


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Yield the URL of an empty PostgreSQL database; skip the test where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    binaries = found[-1].parent
    root = os.geteuid() == 0  # PostgreSQL refuses to run as root
    user = ["runuser", "-u", "postgres", "--"] if root else []
    directory = Path(tempfile.mkdtemp(prefix="mindrail-postgresql-"))
    if root:
        shutil.chown(directory, "postgres")
    data, port = directory / "data", free_port()
    run = {"check": True, "capture_output": True, "cwd": "/"}
    try:
        create = [str(binaries / "initdb"), "-D", str(data), "-U", "prefect", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*user, *create], **run)  # type: ignore[call-overload]
        options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1"
        control = [*user, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(directory / "log")]
        subprocess.run([*control, "-o", options, "start"], **run)  # type: ignore[call-overload]
        try:
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
