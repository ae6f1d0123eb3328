"""What is done when a driver ends without a reason of its own: the cluster is gone, or somebody killed it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelcore.cluster import launch
from modelcore.cluster.launch import run_on_cluster
from modelcore.cluster.records import Ended, Started, as_record, open_journal
from modelcore.config.training import Cluster
from modelcore.errors import MindrailError, StepFailed
from modelcore.launching.gang import run_program
from modelcore.launching.watch import ProcessFailed

TWO = Cluster(hosts=2, ranks_per_host=1, host_retries=2, spare_wait=30, retry_delay=0)


class Drivers:
    """Takes the place of drivers: each leaves records, none if it finds no cluster, and is then killed."""

    def __init__(self, logs: Path, *finishing: bool | None) -> None:
        self._logs, self._finishing, self.started = logs, finishing, 0

    def __call__(self, *_: object) -> None:
        number, finishes = self.started + 1, self._finishing[self.started]
        self.started = number
        if finishes is None:
            raise launch._ClusterLost("the cluster's driver ended (exit code 1)")
        with open_journal(self._logs) as journal:
            journal.append(as_record(Started(number, ["10.0.0.1"], "now", 0.0)))
            if finishes:
                journal.append(as_record(Ended(number, 9.0, 20, None, 0.0)))
        raise launch._ClusterLost("the cluster's driver ended (killed by SIGKILL)")


@pytest.fixture(autouse=True)
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "check_ray", lambda address: None)


def test_a_driver_that_is_killed_is_started_again_until_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers, lines = Drivers(tmp_path, False, False, False), list[str]()
    monkeypatch.setattr(launch, "_drive", drivers)
    with pytest.raises(StepFailed, match="the cluster's driver ended"):
        run_on_cluster(["-c", ""], TWO, log_dir=tmp_path, log=lines.append)
    assert drivers.started == 3
    assert lines[0].endswith("connecting to the cluster again") and "attempt 3 starts on 10.0.0.1" in lines


def test_drivers_that_find_no_cluster_are_not_counted_but_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers, lines = Drivers(tmp_path, False, *[None] * 9, True), list[str]()
    monkeypatch.setattr(launch, "_drive", drivers)
    run_on_cluster(["-c", ""], TWO, log_dir=tmp_path, log=lines.append)
    assert drivers.started == 11 and sum("connecting" in line for line in lines) == 1
    monkeypatch.setattr(launch, "_drive", Drivers(tmp_path, None, None))
    impatient = TWO.model_copy(update={"spare_wait": 0.0})
    with pytest.raises(StepFailed, match="the cluster's driver ended"):
        run_on_cluster(["-c", ""], impatient, log_dir=tmp_path, log=lines.append)


def test_a_driver_that_is_lost_after_the_job_was_finished_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drivers, lines = Drivers(tmp_path, False, True), list[str]()
    monkeypatch.setattr(launch, "_drive", drivers)
    run_on_cluster(["-c", ""], TWO, log_dir=tmp_path, log=lines.append)
    assert drivers.started == 2
    assert lines[-1] == "attempt 2 finished the job after 9 s"


def test_an_earlier_runs_end_is_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_drive", Drivers(tmp_path, True))
    run_on_cluster(["-c", ""], TWO, log_dir=tmp_path, log=lambda line: None)
    again = Drivers(tmp_path, False, False, True)
    monkeypatch.setattr(launch, "_drive", again)
    run_on_cluster(["-c", ""], TWO, log_dir=tmp_path, log=lambda line: None)
    assert again.started == 3


def test_without_ray_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(
        MindrailError, match=r"launch.cluster: Ray is not installed; pip install 'mindrail\[cluster\]'"
    ):
        run_on_cluster(["-c", ""], TWO, log_dir=tmp_path)


def test_without_rays_client_an_address_outside_the_cluster_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(launch, "find_spec", lambda name: None if name == "grpc" else name)
    with pytest.raises(
        MindrailError, match=r"launch.cluster.address: ray://10.0.0.1:10001 needs Ray's client"
    ):
        launch.check_ray("ray://10.0.0.1:10001")
    launch.check_ray("auto")


@pytest.mark.parametrize(
    ("code", "raised", "message"),
    [
        (2, MindrailError, "^why$"),
        (75, StepFailed, "^why$"),
        (70, ProcessFailed, r"the program died \(exit code 70\)"),
        (1, launch._ClusterLost, r"the cluster's driver ended \(exit code 1\)"),
    ],
)
def test_a_drivers_exit_code_says_who_ended_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raised: type[MindrailError], message: str
) -> None:
    program = [sys.executable, "-c", f"import sys; print('why', file=sys.stderr); sys.exit({code})"]
    monkeypatch.setattr(launch, "run_program", lambda command, **options: run_program(program, **options))
    with pytest.raises(raised, match=message):
        run_on_cluster(["-c", ""], TWO.model_copy(update={"spare_wait": 0.0}), log_dir=tmp_path)
