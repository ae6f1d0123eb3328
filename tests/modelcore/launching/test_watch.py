from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.heartbeat import Heartbeat
from modelcore.launching.process import LeashedProcess
from modelcore.launching.watch import DidNotStart, ProcessFailed, Watch
from modelcore.progress import silent
from tests.modelcore.launching.survivors import FAMILY, SLEEP, family_pids, still_alive, wait_until

REPORT = """
import os, pathlib, sys, time
from modelcore.progress import FileProgress
report = FileProgress(pathlib.Path(os.environ["MINDRAIL_PROGRESS"]))
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


class Group:
    """Workers and helpers that are plain Python programs."""

    def __init__(self, tmp_path: Path, workers: Sequence[str], helpers: Sequence[str] = ()) -> None:
        self._tmp_path = tmp_path
        self.progress_files = [tmp_path / f"progress_{index}.json" for index in range(len(workers))]
        self.workers = [self._start(f"rank {index}", code, index) for index, code in enumerate(workers)]
        self.helpers = [self._start("the scheduler", code, 0) for code in helpers]
        self.calls: list[tuple[float, float | None, str, str]] = []

    def _start(self, name: str, code: str, index: int) -> LeashedProcess:
        return LeashedProcess(
            name,
            [sys.executable, "-c", code, str(self._tmp_path / "notes")],
            environment={
                **os.environ,
                "MINDRAIL_PROGRESS": str(self.progress_files[index]),
                "PYTHONFAULTHANDLER": "1",
            },
            log=self._tmp_path / f"{name}.log",
        )

    def wait(self, *, start_timeout: float = 20, hang_timeout: float = 20) -> None:
        heartbeat = Heartbeat(self.progress_files, lambda *call: self.calls.append(call))
        Watch(self.workers, self.helpers, heartbeat, start_timeout, hang_timeout).wait()


def test_it_returns_when_all_workers_have_ended_well_and_ends_the_helpers(tmp_path: Path) -> None:
    group = Group(tmp_path, ["", ""], [SLEEP])
    group.wait()
    assert group.helpers[0].returncode == -signal.SIGTERM


def test_a_dead_worker_ends_all_at_once_and_is_named_with_its_reason(tmp_path: Path, notes: Path) -> None:
    group = Group(tmp_path, [FAMILY + SLEEP, "print('step 7', flush=True)\n" + SLEEP], [SLEEP])
    pids = family_pids(notes)
    wait_until(lambda: "step 7" in group.workers[1].log.read_text())
    threading.Timer(0.3, os.kill, (_command_of(group.workers[1]), signal.SIGKILL)).start()
    with pytest.raises(
        StepFailed, match=r"^rank 1 died \(killed by SIGKILL.*\) after \d+ s: step 7; its log is .*rank 1.log"
    ):
        group.wait()
    assert still_alive(pids) == []


def test_a_crash_is_reported_with_its_exception(tmp_path: Path) -> None:
    group = Group(tmp_path, [SLEEP, "raise RuntimeError('no memory left')"])
    with pytest.raises(StepFailed, match=r"rank 1 died \(exit code 1\).*: RuntimeError: no memory left"):
        group.wait()


def test_a_refusal_of_the_input_is_passed_on_as_such(tmp_path: Path) -> None:
    refusal = "import sys; print('loading'); print('config.json: no key', file=sys.stderr); sys.exit(2)"
    group = Group(tmp_path, [SLEEP, refusal])
    with pytest.raises(MindrailError, match=r"^config.json: no key$") as raised:
        group.wait()
    assert raised.value.exit_code == 2


def test_of_workers_that_died_together_the_one_that_refused_the_input_is_reported(tmp_path: Path) -> None:
    group = Group(
        tmp_path, ["raise SystemExit(1)", "print('bad plan'); raise SystemExit(2)"], ["raise ValueError"]
    )
    processes = [*group.workers, *group.helpers]
    wait_until(lambda: still_alive(process.pid for process in processes) == [])
    with pytest.raises(MindrailError, match="^bad plan$"):
        group.wait()


def test_the_progress_of_the_first_worker_is_passed_on(tmp_path: Path) -> None:
    report = REPORT + "for step in range(3): report(step, 2, 'steps', 'loss 1.5'); time.sleep(0.3)"
    group = Group(tmp_path, [report, REPORT + "report(99, None, 'steps')"])
    group.wait()
    assert group.calls == [(step, 2, "steps", "loss 1.5") for step in range(3)]


def test_a_group_that_stops_moving_is_killed_and_each_member_says_where_it_hangs(
    tmp_path: Path, notes: Path
) -> None:
    hang = REPORT + "def all_reduce():\n    time.sleep(1000)\nreport(3, 10, 'steps')\nall_reduce()"
    group = Group(tmp_path, [hang, REPORT + FAMILY + SLEEP])
    pids = family_pids(notes)
    with pytest.raises(StepFailed) as raised:
        group.wait(hang_timeout=1)
    message = str(raised.value)
    assert message.startswith("no progress for 1 s after 3 of 10 steps; rank 0: ")
    assert "in all_reduce at <string>:6" in message
    assert "rank 1: " in message
    assert not isinstance(raised.value, DidNotStart)
    assert still_alive(pids) == []


def test_progress_of_any_worker_keeps_the_group_alive(tmp_path: Path) -> None:
    busy = REPORT + "for step in range(24): report(step, 24, 'steps'); time.sleep(0.25)"
    Group(tmp_path, ["import time; time.sleep(6)", busy]).wait(hang_timeout=4)


def test_a_worker_that_does_not_end_after_the_others_is_found(tmp_path: Path) -> None:
    done = REPORT + "report(10, 10, 'steps')"
    with pytest.raises(StepFailed, match="after 10 of 10 steps, though rank 0 had finished; rank 1: "):
        Group(tmp_path, [done, SLEEP]).wait(hang_timeout=3)


def test_a_group_that_never_reports_did_not_start(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match="no progress for 0.5 s after the start; rank 0: .*; rank 1: "):
        Group(tmp_path, [SLEEP] * 2).wait(start_timeout=0.5)


def test_without_its_helper_a_group_did_not_start(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match=r"the scheduler died \(exit code 1\).*: OSError: port taken"):
        Group(tmp_path, [SLEEP], ["raise OSError('port taken')"]).wait()


def test_the_helpers_death_after_the_start_is_a_failure(tmp_path: Path) -> None:
    reported = (
        "import os, time\nwhile not os.path.exists(os.environ['MINDRAIL_PROGRESS']): time.sleep(0.01)\n"
    )
    group = Group(tmp_path, [REPORT + f"report(1, 2, 'steps'); {SLEEP}"], [reported + "time.sleep(1); 1 / 0"])
    with pytest.raises(StepFailed, match="the scheduler died") as raised:
        group.wait()
    assert raised.type is ProcessFailed


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_is_raised_meanwhile_leaves_nothing_behind(
    tmp_path: Path, notes: Path, raised: type[BaseException]
) -> None:
    group = Group(tmp_path, [REPORT + FAMILY + "report(1, 1, 'steps');" + SLEEP, FAMILY + SLEEP])
    pids = family_pids(notes, families=2)

    def interrupt(done: float, total: float | None, unit: str, note: str = "") -> None:
        raise raised

    heartbeat = Heartbeat(group.progress_files, interrupt)
    with pytest.raises(raised):
        Watch(group.workers, [], heartbeat, 20, 20).wait()
    assert still_alive(pids) == []


def test_how_far_it_is_reads_well(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    assert Heartbeat([file], silent).describe() == "the start"
    file.write_text('{"done": 12, "total": null, "unit": "records", "note": ""}')
    assert Heartbeat([file], silent).describe() == "12 records"
    file.write_text('{"done": 12, "total": 40, "unit": "steps", "note": "saving"}')
    assert Heartbeat([file], silent).describe() == "12 of 40 steps (saving)"


def _command_of(process: LeashedProcess) -> int:
    """The command's own process id: the only child of its leash."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(
            process.pid
        ):
            return int(entry.name)
    raise AssertionError(f"{process.name} has no command")


def test_what_the_callers_condition_raises_ends_the_group(tmp_path: Path, notes: Path) -> None:
    group = Group(tmp_path, [FAMILY + SLEEP])
    pids = family_pids(notes)

    class LeaseExpired(Exception):
        pass

    def guard() -> None:
        raise LeaseExpired

    with pytest.raises(LeaseExpired):
        Watch(group.workers, [], Heartbeat(group.progress_files, silent), 20, 20, guard=guard).wait()
    assert still_alive(pids) == []


def test_of_a_group_that_hangs_the_stopped_process_is_named(tmp_path: Path) -> None:
    group = Group(tmp_path, [SLEEP, "print('running', flush=True)\n" + SLEEP])
    wait_until(lambda: "running" in group.workers[1].log.read_text())
    os.kill(_command_of(group.workers[1]), signal.SIGSTOP)
    with pytest.raises(ProcessFailed) as raised:
        group.wait(start_timeout=0.5)
    assert raised.value.hung and raised.value.process is group.workers[1]


def test_a_stopped_process_is_named_before_the_others_fail_for_want_of_it(tmp_path: Path) -> None:
    group = Group(tmp_path, [SLEEP, "print('running', flush=True)\n" + SLEEP])
    wait_until(lambda: "running" in group.workers[1].log.read_text())
    os.kill(_command_of(group.workers[1]), signal.SIGSTOP)
    watch = Watch(group.workers, [], Heartbeat(group.progress_files, silent), 900, 900, stopped_timeout=0.5)
    with pytest.raises(ProcessFailed, match=r"rank 1 has been stopped \(SIGSTOP\) for") as raised:
        watch.wait()
    assert raised.value.hung and raised.value.process is group.workers[1]
