"""Random faults in a row, one after the other: `python -m tests.modelcore.cluster.soak --faults 100`.

Jobs of some hundred steps run on two hosts with a spare; each fault comes a random time after steps are taken
again. Afterwards every job's weights must be those of an undisturbed run, to the byte, with no checkpoint
lost, no process, actor or placement group left. Prints what each fault did, at the end the times by fault,
and the steps that were done again beside what the model of `mindrail layout --simulate` expects. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelcore.cluster.goodput import lost_per_failure
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan
from tests.modelcore.cluster.conftest import Cluster, RunningJob
from tests.modelcore.cluster.faults import FAULTS, HANG_TIMEOUT_S, Fault
from tests.modelcore.cluster.hosts import Network
from tests.modelcore.cluster.observe import Observed, host_to_strike, observe, wait_until_running
from tests.modelcore.launching.survivors import wait_until
from tests.modelcore.training.conftest import Helpers, build_plan, write_rows

_EVERY = 5  # steps between two checkpoints
_SPREAD_S = 4.0  # mean time between a resumption and the next fault


@contextmanager
def _cluster() -> Iterator[tuple[Cluster, Path]]:
    temporary = Path(tempfile.mkdtemp(prefix="mr-"))
    network = Network(3, temporary)
    try:
        cluster = Cluster(network)
        cluster.start_third()
        yield cluster, temporary
    finally:
        network.close()


class Soak:
    """The jobs, and what the faults did to them."""

    def __init__(self, cluster: Cluster, directory: Path, steps: int, seed: int) -> None:
        self._cluster, self._directory, self._steps = cluster, directory, steps
        write_rows(directory / "rows.mindrecord")
        self._random = random.Random(seed)
        self._expected = self._plan("undisturbed")
        Helpers.run_ranks(self._expected)
        self.observed: list[Observed] = []
        self.jobs = 0

    def run(self, faults: Sequence[Fault]) -> None:
        """Let all of them happen, on as many jobs as that takes."""
        left = list(faults)
        while left:
            self.jobs += 1
            plan = self._plan(f"job_{self.jobs}")
            job = self._cluster.train(plan, hang_timeout=HANG_TIMEOUT_S, retries=1000, host_retries=1000)
            self._disturb(job, left)
            assert job.wait() == 0, job.said
            self._check(plan)

    def _disturb(self, job: RunningJob, left: list[Fault]) -> None:
        while left:
            wait_until_running(job)
            time.sleep(self._random.uniform(0, 2 * _SPREAD_S))
            if job.process.poll() is not None or (host := host_to_strike(self._cluster)) is None:
                return  # it is ending
            observed = observe(self._cluster, job, left[0], host)
            left.pop(0)
            self.observed.append(observed)
            load = os.getloadavg()[0]
            print(f"{len(self.observed):>3}  load {load:4.1f}  {_line(observed)}", flush=True)
            assert observed.lost <= _EVERY, "a checkpoint was lost"

    def _check(self, plan: TrainPlan) -> None:
        assert Helpers.result_bytes(plan) == Helpers.result_bytes(self._expected), plan.output
        wait_until(lambda: self._cluster.leftovers() == [])
        assert self._cluster.held() == []
        print(f"     job {self.jobs}: the weights of an undisturbed run; nothing is left", flush=True)

    def _plan(self, name: str) -> TrainPlan:
        data = self._directory / "rows.mindrecord"
        return build_plan(
            self._directory, data, name, Layout(data_parallel=2), steps=self._steps, checkpoint_every=_EVERY
        )


def _line(observed: Observed) -> str:
    noticed = "-" if observed.noticed is None else f"{observed.noticed:.1f}"
    return (
        f"{observed.fault}: {observed.kind or 'not noticed'}, noticed {noticed} s, "
        f"gone {observed.gone:.1f} s, running {observed.running:.1f} s, lost {observed.lost:g}"
    )


def _table(observed: Sequence[Observed]) -> Iterator[str]:
    for name in dict.fromkeys(one.fault for one in observed):
        mine = [one for one in observed if one.fault == name]
        columns = [
            [one.noticed for one in mine if one.noticed is not None],
            [one.gone for one in mine],
            [one.running for one in mine],
            [one.lost for one in mine],
        ]
        values = [f"{min(c):.1f} / {statistics.median(c):.1f} / {max(c):.1f}" if c else "-" for c in columns]
        yield f"| {name} | {len(mine)} | {' | '.join(values)} |"


def _losses(soak: Soak, steps: int) -> str:
    """Return the mean of the steps lost to a failure beside the model's, for jobs that have ended."""
    lost = [one.lost for one in soak.observed if one.kind or one.fault == "kill -9 of the driver"]
    between = steps * soak.jobs / max(1, len(lost))
    expected = lost_per_failure(_EVERY, between)
    return f"steps lost per failure: {statistics.mean(lost or [0]):.2f}, expected {expected:.2f}"


def _chosen(count: int, seed: int) -> list[Fault]:
    """Return each fault once, then random ones."""
    draw = random.Random(seed)
    return [*FAULTS, *draw.choices(FAULTS, k=max(0, count - len(FAULTS)))][:count]


def main() -> None:
    """Run the soak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--steps", type=int, default=400, help="of each job")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with _cluster() as (cluster, temporary):
        soak = Soak(cluster, temporary, options.steps, options.seed)
        try:
            soak.run(_chosen(options.faults, options.seed))
        finally:
            print(f"{len(soak.observed)} faults in {soak.jobs} jobs; {_losses(soak, options.steps)}")
            print("fault, how often, then least / median / most seconds: noticed, gone, running; steps lost")
            print("\n".join(_table(soak.observed)), flush=True)
            print(json.dumps([vars(one) for one in soak.observed]))


if __name__ == "__main__":
    main()
