"""What a step logs is in its run's log on the server, and on stderr once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import flow

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.store import Store
from tasks.log import log
from tasks.step import Step
from tasks.step_task import Outcome, build_step, finished, step_task
from tests.paths import ROOT

FLOW = """
from prefect import flow
from tasks.log import log, warn
from tasks.step_task import step_task

@step_task("speak")
def speak() -> None:
    log("a line of the task")
    warn("a line of caution")

@flow(name="speak")
def run() -> None:
    log("a line of the flow")
    speak()

if __name__ == "__main__":
    run()
    log("a line of no run")
"""


def logged(message: str) -> list[dict[str, Any]]:
    """Return the server's log lines that contain `message`; they arrive up to a few seconds later."""
    deadline = time.monotonic() + 30
    while True:
        rows = httpx.post(f"{os.environ['PREFECT_API_URL']}/logs/filter", json={"sort": "TIMESTAMP_DESC"})
        found = [row for row in rows.raise_for_status().json() if message in row["message"]]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def stderr_of(program: Path, **environment: str) -> list[str]:
    """Run the program and return the lines of its stderr that contain one of ours."""
    done = subprocess.run(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "a line of" in line]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "speak.py"
    path.write_text(FLOW)
    return path


@pytest.mark.server
def test_lines_of_flows_and_tasks_are_on_the_server_and_once_on_stderr(server: None, program: Path) -> None:
    lines = stderr_of(program)
    ends = [line.partition("a line of")[2] for line in lines]
    assert ends == [" the flow", " the task", " caution", " no run"]
    (warning,) = logged("a line of caution")
    assert warning["level"] == logging.WARNING and warning["task_run_id"]
    (task,) = logged("a line of the task")
    (run,) = logged("a line of the flow")
    assert task["task_run_id"] and task["flow_run_id"] == run["flow_run_id"]
    assert run["task_run_id"] is None
    assert not any("no run" in row["message"] for row in logged("a line of"))


@pytest.mark.server
def test_where_prefect_is_quiet_the_lines_are_on_stderr_all_the_same(server: None, program: Path) -> None:
    lines = stderr_of(program, PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_LOGGING_TO_API_ENABLED="false")
    expected = ["a line of the flow", "a line of the task", "warning: a line of caution", "a line of no run"]
    assert lines == expected


@pytest.mark.server
def test_a_failed_attempt_and_its_reason_are_in_the_tasks_log(server: None) -> None:
    attempts = []

    @step_task("falter", retries=1, delays=(0.0,))
    def falter() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise StepFailed("rank 1 died", fix="look at its log")
        return "done"

    @flow(name="falter")
    def run() -> str:
        return falter()

    assert run() == "done"
    (row,) = logged("falter: attempt 1 failed: rank 1 died")
    assert row["task_run_id"]


@pytest.mark.server
def test_bad_input_is_not_retried(server: None) -> None:
    attempts = []

    @step_task("refuse", retries=2, delays=(0.0,))
    def refuse() -> None:
        attempts.append(1)
        raise MindrailError("no such file", where="preprocess.input")

    @flow(name="refuse")
    def run() -> None:
        refuse()

    with pytest.raises(MindrailError):
        run()
    assert len(attempts) == 1


@pytest.mark.server
def test_a_run_that_waits_for_another_says_so_in_its_log(server: None, tmp_path: Path) -> None:
    store, waiting, started = Store(tmp_path), threading.Event(), threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "another run is building" in record.getMessage():
                waiting.set()

    def build(directory: Path) -> None:
        started.set()
        assert waiting.wait(60)
        (directory / "word").write_text("x")

    @step_task("word")
    def word() -> Outcome:
        return build_step(store, "word", lambda _, __: None, version=1, inputs={}, parameters={})

    @flow(name="word")
    def run() -> Step:
        return finished(word())

    other = threading.Thread(target=lambda: store.build("word", build, version=1, inputs={}, parameters={}))
    listener, logger = Listener(), logging.getLogger("prefect.task_runs")
    logger.addHandler(listener)
    other.start()
    try:
        assert started.wait(60)
        assert run().cached
    finally:
        waiting.set()
        other.join()
        logger.removeHandler(listener)
    assert logged("word: another run is building the same thing; waiting for it")[0]["task_run_id"]


def test_without_a_run_nothing_of_prefect_is_imported(capsys: pytest.CaptureFixture[str]) -> None:
    program = "import sys; from tasks.log import log; log('[a] line'); print('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "[a] line\n")
    log("outside")
    assert capsys.readouterr().err == "outside\n"
