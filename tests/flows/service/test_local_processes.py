"""Processes that outlive a command: found again, ended with all they started, and nothing else ever ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.service.local_processes import LocalProcesses

FAMILY = "import subprocess, time; subprocess.Popen(['sleep', '61']); time.sleep(60)"


def start(directory: Path) -> psutil.Process:
    processes = LocalProcesses(directory)
    processes.start("one", [sys.executable, "-c", FAMILY], os.environ, directory, "as it is")
    return psutil.Process(json.loads((directory / "processes.json").read_text())["one"]["pid"])


def test_a_process_is_found_again_and_ended_with_what_it_started(tmp_path: Path) -> None:
    process = start(tmp_path)
    again = LocalProcesses(tmp_path)
    assert again.is_running("one") and again.settings("one") == "as it is"
    deadline = time.monotonic() + 20
    while not (children := process.children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert again.end("one")
    gone, alive = psutil.wait_procs([process, *children], timeout=10)
    assert len(gone) == 2 and not alive
    assert not again.is_running("one") and again.settings("one") == ""
    assert not again.end("one")


def test_another_process_with_its_number_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        started = {"one": {"pid": other.pid, "created": 1.0, "settings": ""}}
        (tmp_path / "processes.json").write_text(json.dumps(started))
        processes = LocalProcesses(tmp_path)
        assert not processes.is_running("one")
        assert not processes.end("one")
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("name", ["one", "two"])
def test_what_was_never_started_does_not_run(name: str, tmp_path: Path) -> None:
    assert not LocalProcesses(tmp_path).is_running(name)
    assert not LocalProcesses(tmp_path).end(name)
