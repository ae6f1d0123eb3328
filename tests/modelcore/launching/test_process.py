from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from modelcore.launching.process import LeashedProcess, stop_all
from tests.modelcore.launching.survivors import (
    FAMILY,
    SLEEP,
    family_pids,
    still_alive,
    wait_until,
    wait_until_gone,
)


def start(tmp_path: Path, code: str, *, name: str = "rank 0") -> LeashedProcess:
    notes = tmp_path / "notes"
    notes.mkdir(exist_ok=True)
    command = [sys.executable, "-c", code, str(notes)]
    return LeashedProcess(name, command, environment=os.environ, log=tmp_path / f"{name}.log")


def test_its_log_holds_both_streams_of_this_run_only(tmp_path: Path) -> None:
    (tmp_path / "rank 0.log").write_text("of an earlier run, and longer")
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    assert start(tmp_path, code).reap() == 0
    assert (tmp_path / "rank 0.log").read_text() == "out\nerr\n"


def test_it_reads_nothing_from_the_terminal(tmp_path: Path) -> None:
    assert start(tmp_path, "import sys; raise SystemExit(len(sys.stdin.read()))").reap() == 0


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    processes = [start(tmp_path, FAMILY + SLEEP, name=f"rank {index}") for index in range(3)]
    pids = family_pids(tmp_path / "notes", families=3)
    stop_all(processes)
    assert still_alive(pids) == []
    assert [process.returncode for process in processes] == [-signal.SIGTERM] * 3


def test_stopping_what_has_ended_does_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, "")
    process.reap()
    stop_all([process, start(tmp_path, "")])
    stop_all([process])
    assert process.returncode == 0


def test_stopping_kills_a_process_that_is_stopped(tmp_path: Path) -> None:
    process = start(tmp_path, FAMILY + SLEEP)
    pids = family_pids(tmp_path / "notes")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    stop_all([process])
    assert still_alive(pids) == []


def test_the_children_of_a_command_whose_leash_was_killed_go_with_the_group(tmp_path: Path) -> None:
    process = start(tmp_path, _WORKERS + SLEEP)
    notes = tmp_path / "notes"
    wait_until(lambda: len(list(notes.iterdir())) == 2)
    pids = [int(note.name) for note in notes.iterdir()]
    os.kill(process.pid, signal.SIGKILL)
    assert process.reap() == -signal.SIGKILL
    wait_until_gone(pids)


def test_a_process_can_be_made_to_write_its_stacks(tmp_path: Path) -> None:
    code = (
        "import faulthandler, time\nfaulthandler.enable()\ndef wait_for_the_others():\n"
        "    print('in', flush=True)\n    time.sleep(1000)\nwait_for_the_others()\n"
    )
    process = start(tmp_path, code)
    wait_until(lambda: "in" in process.log.read_text())
    process.dump_stacks()
    assert process.reap() == -signal.SIGABRT
    assert "in wait_for_the_others at <string>:5" in process.failure_reason()


_WORKERS = """
import os, pathlib, sys, time
os.fork()
(pathlib.Path(sys.argv[1]) / str(os.getpid())).touch()
"""
