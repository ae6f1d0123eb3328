"""Everything that runs mindrail on this machine for good: Prefect's server, a worker, the reports, Ray.

`start` makes it so and changes nothing where it is so already; `stop` ends what was started here. Importing
this does not import Prefect, which reads its settings when it is imported.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from flows.cli.temporary_server import QUIET
from flows.service.deployments import POOL
from flows.service.health import Health, answers, health_of, worker_heartbeat
from flows.service.local_processes import LocalProcesses
from flows.service.options import Options
from flows.service.ray_head import check_installed, ray_answers, ray_command, ray_environment
from modelcore.errors import MindrailError, StepFailed
from tasks.run_directory import REPORTS_URL

__all__ = ["LocalService"]

_NAMES = ("server", "ray", "worker", "reports")
_START_TIMEOUT = 180.0  # seconds; migrations of a new PostgreSQL take 20
_PYTHON = (sys.executable, "-m")


class LocalService:
    """The processes of one store.

    Args:
        store: the artifacts.
    """

    def __init__(self, store: Path) -> None:
        self.store = store.absolute()
        self.directory = self.store / ".server"
        self.processes = LocalProcesses(self.directory)

    def start(self, options: Options) -> list[str]:
        """Start what does not run, wait until all of it answers, and return what was done, one line each.

        Raises:
            MindrailError: it runs with other options; its address is taken; Ray is not installed.
            StepFailed: something did not start; its log is named.
        """
        if options.ray:
            check_installed()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._check_options(options)
        environment = self._environment(options)
        os.environ.update(environment)  # before Prefect is imported
        options.write(self.directory)
        started = self._start_first(options, environment)
        self._wait("server", lambda: answers(f"{options.api}/health"))
        started += self._set_up_and_start_worker(options, environment)
        self._wait("reports", lambda: answers(options.reports))
        if options.ray:
            self._wait("ray", lambda: ray_answers(environment))
        return [line for line in started if line]

    def stop(self) -> list[str]:
        """End what runs, and return its names."""
        return [name for name in reversed(_NAMES) if self.processes.end(name)]

    def health(self, auth: str) -> dict[str, Health]:
        """Return what each part says, by its name.

        Args:
            auth: `user:password` for the server, "" for none.
        """
        options = replace(Options.read(self.store, self.directory), auth=auth)
        ray = ray_environment(self.directory, options.ray_port) if options.ray else {}
        return {
            name: health_of(name, options, ray)
            if self.processes.is_running(name)
            else Health(False, "does not run")
            for name in _NAMES
            if name != "ray" or options.ray
        }

    def _check_options(self, options: Options) -> None:
        for name in _NAMES:
            if self.processes.is_running(name) and self.processes.settings(name) != options.summary:
                raise MindrailError(
                    f"the {name} runs with other options ({self.processes.settings(name)})",
                    where=self.directory,
                    fix="give the same options, or first run `mindrail down`",
                )

    def _environment(self, options: Options) -> dict[str, str]:
        url = options.database
        auth = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
        return {
            **os.environ,
            **QUIET,
            "PREFECT_HOME": str(self.directory),
            "PREFECT_API_URL": options.api,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "MINDRAIL_HOME": str(Path.cwd()),
            "MINDRAIL_STORE": str(self.store),
            REPORTS_URL: options.reports,
            **(ray_environment(self.directory, options.ray_port) if options.ray else {}),
            **({"PREFECT_API_DATABASE_CONNECTION_URL": url} if url else {}),
            **(dict.fromkeys(auth, options.auth) if options.auth else {}),
        }

    def _start_first(self, options: Options, environment: dict[str, str]) -> list[str]:
        """Start what waits for nothing else; they start side by side."""
        if not self.processes.is_running("server") and answers(f"{options.api}/health"):
            raise MindrailError(
                "another server answers there", where=options.api, fix="give another --port, or stop it"
            )
        listen = ["--host", options.host, "--port"]
        server = [*_PYTHON, "prefect", "server", "start", *listen, str(options.port)]
        reports = [*_PYTHON, "flows.service.report_server", str(self.store), *listen, str(options.port + 1)]
        ray = ray_command(options.host, options.ray_port)
        started = [
            self._start("server", server, environment, options, f"Prefect's server started: {options.api}"),
            self._start("reports", reports, environment, options, f"reports are served: {options.reports}"),
        ]
        if options.ray:
            address = environment["RAY_ADDRESS"]
            started.append(
                self._start(
                    "ray", ray, _of_client(environment), options, f"the head of Ray started: {address}"
                )
            )
        return started

    def _set_up_and_start_worker(self, options: Options, environment: dict[str, str]) -> list[str]:
        """Create what is missing on the server; the worker starts meanwhile."""
        from flows.service.deploying import create_pool, deploy_all
        from flows.service.server_objects import create_limits_and_automations

        create_pool()
        heard = worker_heartbeat(options)
        command = [*_PYTHON, "prefect", "worker", "start", "--pool", POOL, "--name", options.worker]
        worker = self._start(
            "worker",
            [*command, "--limit", str(options.limit)],
            _of_client(environment),
            options,
            f"a worker started: {options.limit} at a time, pool {POOL}",
        )
        schedules = deploy_all()
        created = create_limits_and_automations(options)
        if worker:
            self._wait("worker", lambda: worker_heartbeat(options) != heard)
        return [worker, *created, *([f"{len(schedules)} schedules, switched off"] if schedules else [])]

    def _start(
        self, name: str, command: Sequence[str], environment: dict[str, str], options: Options, done: str
    ) -> str:
        """Start a part that does not run, and return the line that says so; "" if it runs."""
        if self.processes.is_running(name):
            return ""
        self.processes.start(name, command, environment, Path.cwd(), options.summary)
        return done

    def _wait(self, name: str, works: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            if works():
                return
            if not self.processes.is_running(name):
                raise StepFailed(f"the {name} ended as it started", where=self.processes.log(name))
            time.sleep(0.2)
        raise StepFailed(f"no answer within {_START_TIMEOUT:.0f} s", where=self.processes.log(name))


def _of_client(environment: dict[str, str]) -> dict[str, str]:
    """Leave out what only the server needs: what the runs start should not see the database's password."""
    hidden = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING")
    return {key: value for key, value in environment.items() if key not in hidden}
