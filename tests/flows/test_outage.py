"""The server is away, a run is cancelled, its worker is killed: no work is hurt, and a cancel is obeyed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.paths import ROOT
from tests.proxy import Proxy, proxied

pytestmark = pytest.mark.server

# A step that works for some seconds in a supervised child process, as a training does.
PROGRAM = """
import sys, time
from pathlib import Path
from flows.run_flow import run_flow
from modelcore.launching.gang import run_program
from modelcore.store.store import Store
from tasks.log import log
from tasks.step_task import build_step, finished, step_task

store, seconds = Store(Path(sys.argv[1])), float(sys.argv[2])
WORK = '''
import os, sys, time
from pathlib import Path
from modelcore.progress import FileProgress
progress = FileProgress(Path(os.environ["MINDRAIL_PROGRESS"]))
rounds = int(float(sys.argv[1]) * 5)
for number in range(1, rounds + 1):
    progress(number, rounds, "steps")
    time.sleep(0.2)
'''

@step_task("work")
def work():
    def build(directory, progress):
        logs = directory / "logs"
        logs.mkdir(exist_ok=True)
        log("work: a line before")
        run_program([sys.executable, "-c", WORK, str(seconds)], log_dir=logs, progress=progress)
        log("work: a line after")
        (directory / "done").write_text("x")
    return build_step(store, "work", build, version=1, inputs={}, parameters={})

@step_task("next")
def after():
    def build(directory, progress):
        (directory / "x").write_text("x")
    return build_step(store, "next", build, version=1, inputs={}, parameters={})

@run_flow("outage", run_name="an outage")
def outage():
    finished(work())
    finished(after())

outage()
"""


class Running:
    """The program at work, behind a proxy that can be cut."""

    def __init__(self, directory: Path, proxy: Proxy, seconds: float) -> None:
        self.store = directory / "store"
        (directory / "program.py").write_text(PROGRAM)
        self.process = subprocess.Popen(
            [sys.executable, str(directory / "program.py"), str(self.store), str(seconds)],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PREFECT_API_URL": f"http://127.0.0.1:{proxy.port}/api",
                "PREFECT_CLIENT_MAX_RETRIES": "0",  # what fails for good fails at once
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_the_child(self) -> psutil.Process:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if "FileProgress" in " ".join(child.cmdline()) and "--" not in child.cmdline():
                    return child
            time.sleep(0.1)
        raise AssertionError(f"no work was started: {self.process.communicate(timeout=5)}")

    def run(self) -> dict[str, Any]:
        """Return the newest flow run of the program."""
        found = api("flow_runs/filter", {"flows": {"name": {"any_": ["outage"]}}, "sort": "START_TIME_DESC"})
        return found[0]


@pytest.fixture
def proxy(server: None) -> Iterator[Proxy]:
    with proxied(urlsplit(os.environ["PREFECT_API_URL"]).port or 0) as running:
        yield running


def api(path: str, body: dict[str, Any]) -> Any:
    return httpx.post(f"{os.environ['PREFECT_API_URL']}/{path}", json=body).raise_for_status().json()


def test_an_outage_does_not_hurt_the_work_and_its_reports_are_caught_up(proxy: Proxy, tmp_path: Path) -> None:
    running = Running(tmp_path, proxy, seconds=12)
    running.wait_for_the_child()
    time.sleep(7)  # progress is on the dashboard
    proxy.cut()
    next_step = running.store / "next"
    deadline = time.monotonic() + 60
    while not next_step.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)  # now everything is done, and waits to be reported
    assert running.process.poll() is None
    proxy.restore()
    _, stderr = running.process.communicate(timeout=60)
    assert running.process.returncode == 0, stderr
    run = running.run()
    assert (run["name"], run["state"]["type"]) == ("an outage", "COMPLETED")
    mine = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    (progress,) = api("artifacts/filter", mine)
    assert progress["data"] == 100 and re.fullmatch(r"work: done in \d+ s", progress["description"])
    lines = [line["message"] for line in api("logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})]
    assert {"work: started", "work: a line before", "work: a line after", "next: started"} <= {*lines}
    assert any(line.startswith("next: built in") for line in lines)


def test_a_cancel_after_an_outage_ends_the_run_and_its_processes(proxy: Proxy, tmp_path: Path) -> None:
    running = Running(tmp_path, proxy, seconds=300)
    child = running.wait_for_the_child()
    proxy.cut()
    identity = running.run()["id"]
    state = {"type": "CANCELLING", "name": "Cancelling"}
    api(f"flow_runs/{identity}/set_state", {"state": state})
    time.sleep(3)
    assert child.is_running()
    proxy.restore()
    _, stderr = running.process.communicate(timeout=60)
    assert "mindrail: the run was cancelled" in stderr
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
    assert running.run()["state"]["type"] == "CANCELLED"


def test_a_run_whose_output_nobody_reads_any_more_continues(proxy: Proxy, tmp_path: Path) -> None:
    running = Running(tmp_path, proxy, seconds=4)
    running.wait_for_the_child()
    assert running.process.stderr is not None
    running.process.stderr.close()  # as when the worker that reads it is killed
    assert running.process.wait(60) == 0
    assert running.run()["state"]["type"] == "COMPLETED"


def test_ctrl_c_does_not_wait_for_a_server_that_is_away(proxy: Proxy, tmp_path: Path) -> None:
    running = Running(tmp_path, proxy, seconds=300)
    child = running.wait_for_the_child()
    proxy.cut()
    running.process.send_signal(signal.SIGINT)
    running.process.communicate(timeout=30)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
