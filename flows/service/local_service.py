"""Everything that runs mindrail on this machine for good: Prefect's server, a worker, the reports.

`start` makes it so and changes nothing where it is so already; `stop` ends what was started here. Importing
this does not import Prefect, which reads its settings when it is imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from flows.cli.deploy import deploy_all
from flows.cli.temporary_server import QUIET
from flows.service.deployments import POOL
from flows.service.local_processes import LocalProcesses
from modelcore.errors import MindrailError, StepFailed
from tasks.run_directory import REPORTS_URL

__all__ = ["NAMES", "LocalService", "Options"]

NAMES = ("server", "worker", "reports")
"""In the order in which they are started."""

_START_TIMEOUT = 180.0  # seconds; migrations of a new PostgreSQL take 20


@dataclass(frozen=True)
class Options:
    """How the service runs.

    Attributes:
        store: the artifacts; the service's own files are below it.
        host: address to listen on.
        port: of Prefect's server; reports are on the next one.
        database: a PostgreSQL URL; SQLite below the store if empty.
        auth: `user:password` that clients must send; none if empty.
        limit: runs that the worker does side by side.
    """

    store: Path
    host: str = "127.0.0.1"
    port: int = 4200
    database: str = ""
    auth: str = ""
    limit: int = 1

    @property
    def reachable(self) -> str:
        """The host's name for clients on this machine."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://{self.reachable}:{self.port}/api"

    @property
    def reports(self) -> str:
        """The address of the reports."""
        return f"http://{self.reachable}:{self.port + 1}/runs"

    @property
    def summary(self) -> str:
        """A text that differs for other options; secrets are in it as a digest only."""
        secret = hashlib.sha256(f"{self.database}\0{self.auth}".encode()).hexdigest()[:16]
        return f"{self.host}:{self.port} limit {self.limit} {secret}"


class LocalService:
    """The processes of one store.

    Args:
        store: the artifacts.
    """

    def __init__(self, store: Path) -> None:
        self.directory = store.absolute() / ".server"
        self.processes = LocalProcesses(self.directory)

    def start(self, options: Options) -> list[str]:
        """Start what does not run, wait until all of it answers, and return what was done, one line each.

        Raises:
            MindrailError: it runs with other options.
            StepFailed: something did not start; its log is named.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._check_options(options)
        environment = self._environment(options)
        os.environ.update(environment)  # before Prefect is imported
        done = [self._start_server(options, environment)]
        done += self._set_up(options)
        done += [self._start_worker(options, environment), self._start_reports(options, environment)]
        _wait_for(f"http://{options.reachable}:{options.port + 1}/", self, "reports")
        return [line for line in done if line]

    def stop(self) -> list[str]:
        """End what runs, and return its names."""
        return [name for name in reversed(NAMES) if self.processes.end(name)]

    def _check_options(self, options: Options) -> None:
        for name in NAMES:
            if self.processes.is_running(name) and self.processes.settings(name) != options.summary:
                raise MindrailError(
                    f"the {name} runs with other options ({self.processes.settings(name)})",
                    where=self.directory,
                    fix="give the same options, or first run `mindrail down`",
                )

    def _environment(self, options: Options) -> dict[str, str]:
        url = options.database
        return {
            **os.environ,
            **QUIET,
            "PREFECT_HOME": str(self.directory),
            "PREFECT_API_URL": options.api,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "MINDRAIL_HOME": str(Path.cwd()),
            "MINDRAIL_STORE": str(self.directory.parent),
            REPORTS_URL: options.reports,
            **({"PREFECT_API_DATABASE_CONNECTION_URL": url} if url else {}),
            **(
                {"PREFECT_SERVER_API_AUTH_STRING": options.auth, "PREFECT_API_AUTH_STRING": options.auth}
                if options.auth
                else {}
            ),
        }

    def _start_server(self, options: Options, environment: dict[str, str]) -> str:
        health = f"{options.api}/health"
        if self.processes.is_running("server"):
            _wait_for(health, self, "server")
            return ""
        if _answers(health):
            raise MindrailError(
                "another server answers there", where=options.api, fix="give another --port, or stop it"
            )
        command = [sys.executable, "-m", "prefect", "server", "start"]
        command += ["--host", options.host, "--port", str(options.port)]
        self.processes.start("server", command, environment, Path.cwd(), options.summary)
        _wait_for(health, self, "server")
        return f"Prefect's server started: {options.api}"

    def _set_up(self, options: Options) -> list[str]:
        """Create pool, deployments, schedules and automations that are missing."""
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.actions import WorkPoolUpdate

        from flows.service.automations import create_automations

        schedules = deploy_all()
        with get_client(sync_client=True) as client:
            if client.read_work_pool(POOL).concurrency_limit is None:
                client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=options.limit))
            automations = create_automations(client)
        done = [f"automation: {name}" for name in automations]
        return [*done, f"{len(schedules)} schedules, switched off"] if schedules else done

    def _start_worker(self, options: Options, environment: dict[str, str]) -> str:
        if self.processes.is_running("worker"):
            return ""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        # A client needs no database, and what the runs start should not see its password.
        hidden = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING")
        plain = {key: value for key, value in environment.items() if key not in hidden}
        self.processes.start(
            "worker", [*command, "--limit", str(options.limit)], plain, Path.cwd(), options.summary
        )
        return f"a worker started: {options.limit} at a time, pool {POOL}"

    def _start_reports(self, options: Options, environment: dict[str, str]) -> str:
        if self.processes.is_running("reports"):
            return ""
        command = [sys.executable, "-m", "flows.service.report_server", str(self.directory.parent)]
        command += ["--host", options.host, "--port", str(options.port + 1)]
        self.processes.start("reports", command, environment, Path.cwd(), options.summary)
        return f"reports are served: {options.reports}"


def _wait_for(address: str, service: LocalService, name: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        if _answers(address):
            return
        if not service.processes.is_running(name):
            raise StepFailed(f"the {name} ended as it started", where=service.processes.log(name))
        time.sleep(0.2)
    raise StepFailed(f"no answer within {_START_TIMEOUT:.0f} s", where=service.processes.log(name))


def _answers(address: str) -> bool:
    """Return whether something answers there, be it that it wants a password."""
    with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code in (401, 403)
        return True
    return False
