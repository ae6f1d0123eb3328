from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.launching import gang
from modelcore.launching.gang import run_gang, run_program
from tests.modelcore.launching.survivors import (
    FAMILY,
    SLEEP,
    TIMEOUT_S,
    family_pids,
    still_alive,
    wait_until,
    wait_until_gone,
)

ALL_REDUCE = """
import os, pathlib, sys, time
import numpy as np
import mindspore
from mindspore import ops
from mindspore.communication import get_rank, init
from modelcore.progress import FileProgress

init()
report = FileProgress(pathlib.Path(os.environ["MINDRAIL_PROGRESS"]))
report(0, 2, "steps")
total = ops.AllReduce()(mindspore.Tensor(np.array([get_rank() + 1.0], np.float32)))
pathlib.Path(sys.argv[1], f"sum_{get_rank()}").write_text(str(total.asnumpy()[0]))
report(1, 2, "steps")
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.mark.ranks
def test_two_real_ranks_sum_over_both_and_end_well(tmp_path: Path) -> None:
    calls: list[tuple[float, float | None]] = []
    run_gang(
        python(ALL_REDUCE, tmp_path),
        world_size=2,
        log_dir=tmp_path / "log",
        progress=lambda done, total, unit, note="": calls.append((done, total)),
    )
    assert [(tmp_path / f"sum_{rank}").read_text() for rank in range(2)] == ["3.0", "3.0"]
    assert calls[-1] == (1, 2)
    assert {"scheduler.log", "worker_0.log", "worker_1.log"} <= {
        file.name for file in (tmp_path / "log").iterdir()
    }


@pytest.mark.ranks
def test_a_real_rank_killed_in_the_middle_is_named_while_the_other_waits_for_it(tmp_path: Path) -> None:
    dying = ALL_REDUCE.replace(
        "total =", "if get_rank() == 1: print('at step 1', flush=True); os.kill(os.getpid(), 9)\ntotal ="
    )
    with pytest.raises(StepFailed, match=r"^rank 1 died \(killed by SIGKILL.*\) after \d+ s: at step 1; "):
        run_gang(python(dying, tmp_path), world_size=2, log_dir=tmp_path / "log")


@pytest.mark.ranks
@pytest.mark.long
def test_a_real_rank_that_hangs_is_shown_with_the_line_it_hangs_at(tmp_path: Path) -> None:
    hanging = ALL_REDUCE.replace("total =", "if get_rank() == 1: time.sleep(1000)\ntotal =")
    with pytest.raises(
        StepFailed, match=r"no progress for 5 s after 0 of 2 steps; .*rank 1: .*<module> at <string>:12"
    ):
        run_gang(python(hanging, tmp_path), world_size=2, log_dir=tmp_path / "log", hang_timeout=5)


def test_each_rank_has_its_number_and_its_share_of_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run_gang(python(_NOTE_ENVIRONMENT, tmp_path), world_size=2, log_dir=tmp_path / "log")
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [rank["MS_NODE_ID"] for rank in ranks] == ["0", "1"]
    assert [rank["RANK_SIZE"] for rank in ranks] == ["2", "2"]
    assert [rank["MS_ROLE"] for rank in ranks] == ["MS_WORKER"] * 2
    assert ranks[0]["MS_SCHED_PORT"] == ranks[1]["MS_SCHED_PORT"]
    assert ranks[0]["OMP_NUM_THREADS"] == str(max(1, len(os.sched_getaffinity(0)) // 2))
    assert ranks[1]["MINDRAIL_PROGRESS"] == str(tmp_path / "log" / "progress_1.json")


def test_what_the_caller_sets_wins(tmp_path: Path) -> None:
    run_program(
        python(_NOTE_ENVIRONMENT, tmp_path),
        log_dir=tmp_path / "log",
        environment={"OMP_NUM_THREADS": "7", "RANK_ID": "program"},
    )
    assert json.loads((tmp_path / "program.json").read_text())["OMP_NUM_THREADS"] == "7"


def test_a_gang_that_does_not_start_is_started_again_on_another_port(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run_gang(python(_HANGS_ONCE, tmp_path), world_size=2, log_dir=tmp_path / "log", start_timeout=4)
    ports = [(tmp_path / f"port_{attempt}").read_text() for attempt in range(2)]
    assert ports[0] != ports[1]
    assert "start 1 of 3 failed, starting again on another port" in caplog.text
    assert (tmp_path / "log" / "start_1" / "worker_0.log").exists()
    assert (tmp_path / "log" / "worker_0.log").exists()


def test_a_gang_that_never_starts_fails_after_three_starts(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="no progress for 0.8 s after the start"):
        run_gang(python(SLEEP), world_size=1, log_dir=tmp_path / "log", start_timeout=0.2)
    assert sorted(path.name for path in (tmp_path / "log").iterdir() if path.is_dir()) == [
        "start_1",
        "start_2",
    ]


def test_a_scheduler_that_cannot_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gang, "_SCHEDULER", python("raise OSError('the port is taken')"))
    with pytest.raises(StepFailed, match=r"the scheduler died \(exit code 1\).*OSError: the port is taken"):
        run_gang(python(SLEEP), world_size=1, log_dir=tmp_path / "log")


def test_progress_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"done": 9, "total": 9, "unit": "steps", "note": ""}')
    calls: list[float] = []
    run_program(python(""), log_dir=tmp_path, progress=lambda done, *_: calls.append(done))
    assert calls == []


def test_a_program_that_refuses_its_input_gives_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="^plan.json: no key 'steps'$") as raised:
        run_program(python("print(\"plan.json: no key 'steps'\"); raise SystemExit(2)"), log_dir=tmp_path)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("where", ["the main thread", "a worker thread"])
def test_nothing_is_left_of_a_gang_whose_supervisor_ends(
    tmp_path: Path, end: signal.Signals, where: str
) -> None:
    (notes := tmp_path / "notes").mkdir()
    supervisor = subprocess.Popen(
        python(_SUPERVISOR, where, FAMILY + SLEEP, notes, tmp_path / "log"),
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    pids = family_pids(notes, families=2)
    os.killpg(supervisor.pid, end)
    if end == signal.SIGINT and where == "a worker thread":
        os.killpg(supervisor.pid, signal.SIGTERM)  # as Prefect does when a cancelled run does not end
    supervisor.wait(TIMEOUT_S)
    wait_until_gone(pids)
    wait_until(lambda: _mentioning(tmp_path) == [])


def test_an_exception_put_into_the_waiting_thread_leaves_nothing(tmp_path: Path) -> None:
    (notes := tmp_path / "notes").mkdir()
    supervisor = subprocess.Popen(python(_CANCELLING_SUPERVISOR, FAMILY + SLEEP, notes, tmp_path / "log"))
    pids = family_pids(notes, families=2)
    assert supervisor.wait(TIMEOUT_S) == 0
    assert still_alive(pids) == []


_NOTE_ENVIRONMENT = """
import json, os, pathlib, sys
pathlib.Path(sys.argv[1], os.environ["RANK_ID"] + ".json").write_text(json.dumps(dict(os.environ)))
"""

_HANGS_ONCE = """
import os, pathlib, sys, time
if os.environ["RANK_ID"] == "0":
    attempt = len(list(pathlib.Path(sys.argv[1]).glob("port_*")))
    pathlib.Path(sys.argv[1], f"port_{attempt}").write_text(os.environ["MS_SCHED_PORT"])
    if attempt == 0:
        time.sleep(1000)
"""

_SUPERVISOR = """
import pathlib, sys, threading
from modelcore.launching.gang import run_gang
where, family, notes, log_dir = sys.argv[1:]
def run():
    run_gang([sys.executable, "-c", family, notes], world_size=2, log_dir=pathlib.Path(log_dir))
if where == "the main thread":
    run()
else:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""

_CANCELLING_SUPERVISOR = """
import ctypes, pathlib, sys, threading, time
from modelcore.launching.gang import run_gang
family, notes, log_dir = sys.argv[1:]
class Cancelled(BaseException): pass
def run():
    try:
        run_gang([sys.executable, "-c", family, notes], world_size=2, log_dir=pathlib.Path(log_dir))
    except Cancelled:
        pass
thread = threading.Thread(target=run)
thread.start()
while len(list(pathlib.Path(notes).iterdir())) < 6: time.sleep(0.01)
time.sleep(0.2)
ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Cancelled))
thread.join(60)
sys.exit(thread.is_alive())
"""


def _mentioning(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(directory).encode() in line:
                found.append(line.decode(errors="replace"))
    return found
