"""Every fault by itself: the job ends with an undisturbed run's bytes, or names host and cause."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.cluster.records import Started
from modelcore.training.plan import TrainPlan
from tests.modelcore.cluster.conftest import Cluster
from tests.modelcore.cluster.faults import FAULTS, HANG_TIMEOUT_S, Fault
from tests.modelcore.cluster.observe import host_to_strike, observe, wait_until_running
from tests.modelcore.launching.survivors import wait_until

MakeJob = Callable[[str], TrainPlan]

AN_HOUR_AHEAD = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = next(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += 3600;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec, now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *also) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    return also ? *also = exact.tv_sec : exact.tv_sec;
}
"""

pytestmark = [pytest.mark.ranks, pytest.mark.long]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_costs_no_more_than_the_steps_since_the_last_checkpoint(
    cluster: Cluster,
    long_job: Callable[[str], TrainPlan],
    undisturbed_long_job: TrainPlan,
    helpers: Any,
    fault: Fault,
) -> None:
    plan = long_job(fault.name.replace(" ", "_"))
    job = cluster.train(plan, hang_timeout=HANG_TIMEOUT_S if "hang" in fault.kinds else 900)
    wait_until_running(job)
    observed = observe(cluster, job, fault, host_to_strike(cluster))
    print(observed)
    assert job.wait() == 0, job.said
    assert [failed.failure.kind for failed in job.failed if failed.failure] == list(fault.kinds)
    assert observed.lost <= plan.checkpoint_every
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed_long_job)
    assert cluster.held() == []


def test_a_full_disk_is_named_with_its_host_and_the_job_resumes_when_there_is_room(
    cluster: Cluster, long_job: MakeJob, undisturbed_long_job: TrainPlan, helpers: Any
) -> None:
    plan = long_job("full_disk")
    disk = Path(plan.output) / "checkpoints"
    disk.mkdir(parents=True)
    cluster.second.kill()
    cluster.second.start_ray(cluster.first.address, small_disk=disk)
    job = cluster.train(plan, retries=0)
    wait_until_running(job)
    filler = cluster.second.seen_by("raylet/raylet", disk) / "filler"
    with filler.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        while True:
            stream.write(bytes(4096))
    assert job.wait() == 1
    last = job.said.splitlines()[-1]
    assert last.startswith(f"host {cluster.second.address}: rank 1 died") and "the disk is full" in last
    filler.unlink()
    again = cluster.train(plan)
    assert again.wait() == 0, again.said
    assert "resumed from the checkpoint of step" in (job.logs / "attempt_2" / "worker_1.log").read_text()
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed_long_job)
    cluster.restart(cluster.second)


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="a clock is changed by a library, which needs a compiler"
)
def test_a_host_whose_clock_is_an_hour_ahead_works_and_is_watched_as_any_other(
    cluster: Cluster, long_job: MakeJob, undisturbed_long_job: TrainPlan, helpers: Any, tmp_path: Path
) -> None:
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(AN_HOUR_AHEAD)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    cluster.second.kill()
    cluster.second.start_ray(cluster.first.address, environment={"LD_PRELOAD": str(library)})
    plan = long_job("clock_ahead")
    job = cluster.train(plan)
    wait_until_running(job)
    observe(cluster, job, FAULTS[0], host_to_strike(cluster))
    assert job.wait() == 0, job.said
    assert [failed.failure.kind for failed in job.failed if failed.failure] == ["signal"]
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed_long_job)
    cluster.restart(cluster.second)


def test_a_job_whose_head_is_lost_is_finished_when_the_cluster_is_back(
    cluster: Cluster, long_job: MakeJob, undisturbed_long_job: TrainPlan, helpers: Any
) -> None:
    plan = long_job("head_lost")
    job = cluster.train(plan)
    wait_until_running(job)
    ranks = cluster.ranks()
    cluster.lose_head()
    wait_until(lambda: not set(ranks) & set(cluster.ranks()), within_s=120)
    cluster.lose_head()
    cluster.start_head()
    cluster.restart(cluster.second)
    assert job.wait() == 0, job.said
    assert "connecting to the cluster again" in job.said
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed_long_job)


def test_a_host_whose_link_is_cut_for_good_is_replaced_by_a_spare(
    cluster: Cluster, long_job: MakeJob, undisturbed_long_job: TrainPlan, helpers: Any
) -> None:
    plan = long_job("cut_for_good")
    cluster.start_third()
    job = cluster.train(plan)
    wait_until_running(job)
    lost = host_to_strike(cluster)
    assert lost is not None
    lost.cut()
    code = job.wait()
    ranks = lost.pids("modelcore.training.rank")
    cluster.join(lost)
    cluster.third.kill()
    cluster.restart(cluster.second)
    assert code == 0, job.said
    assert ranks == [], "the cut-off side lives on"
    (first, second) = [event.hosts for event in job.events if isinstance(event, Started)]
    assert lost.address in first and lost.address not in second
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed_long_job)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_job_whose_launcher_is_ended(
    cluster: Cluster, long_job: MakeJob, how: signal.Signals
) -> None:
    job = cluster.train(long_job(f"ended_by_{how.name}"))
    wait_until_running(job)
    assert cluster.first.kill("launching_program.py", how)
    job.wait()
    wait_until(lambda: cluster.leftovers() == [])
    assert cluster.held() == []
