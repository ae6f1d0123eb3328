"""A Ray cluster of two hosts with a third beside it, and jobs on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelcore.cluster.records import Ended, Event, Resumed, read_attempts
from modelcore.parallel.mesh import Layout
from modelcore.training.plan import TrainPlan
from tasks.launch import inputs_of
from tests.modelcore.cluster.hosts import Host, Network, can_make_namespaces
from tests.modelcore.launching.survivors import wait_until
from tests.modelcore.training.conftest import compiled_steps, helpers, make_plan, shared_rows

__all__ = ["compiled_steps", "helpers", "make_plan", "shared_rows"]

PROGRAM = Path(__file__).with_name("launching_program.py")
OURS = ("modelcore", "mindspore", "leash.py", "ray::Agent")
"""What the command line of everything that a job starts contains."""
HELD = """
import json, ray
from ray._private.state import actors
from ray.util import placement_group_table
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
held = [actor["ActorClassName"] for actor in actors().values() if actor["State"] != "DEAD"]
held += [group["state"] for group in placement_group_table().values() if group["state"] != "REMOVED"]
print(json.dumps(held))
"""


@dataclass
class RunningJob:
    """A job that was started on the first host."""

    process: subprocess.Popen[bytes]
    logs: Path
    output: Path

    def wait(self, timeout: float = 400) -> int:
        """Return its exit code."""
        return self.process.wait(timeout)

    @property
    def said(self) -> str:
        """What it has printed."""
        return (self.logs / "said.log").read_text()

    @property
    def events(self) -> list[Event]:
        return read_attempts(self.logs)

    @property
    def failed(self) -> list[Ended]:
        """The attempts that failed."""
        return [event for event in self.events if isinstance(event, Ended) and event.failure is not None]

    @property
    def resumed(self) -> list[Resumed]:
        return [event for event in self.events if isinstance(event, Resumed)]

    def wait_for_step(self, step: int) -> None:
        """Return when rank 0 has done a step."""
        metrics = self.output / "metrics.jsonl"

        def is_done() -> bool:
            assert self.process.poll() is None, self.said
            return metrics.exists() and metrics.read_text().count("\n") >= step

        wait_until(is_done, within_s=200)


class Cluster:
    """Two hosts with Ray, the first one the head, and a third without."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.first, self.second, self.third = network.hosts
        self.start_head()
        self.start_second()

    @property
    def hosts(self) -> list[Host]:
        """All three."""
        return self._network.hosts

    def start_head(self) -> None:
        """Start Ray on the first host."""
        # For Ray, a host whose link is cut for half a minute is not dead yet: it comes back as it was.
        self.first.start_ray(environment={"RAY_health_check_failure_threshold": "30"})

    def lose_head(self) -> None:
        """Kill all of Ray on the first host, but not the job's launcher there."""
        for process in ("gcs_server", "raylet/raylet", "site-packages/ray/", "ray::"):
            self.first.kill(process)
        # With it `ray start --head` refuses to start, as long as any host of this machine has a raylet.
        (self._network.temporary / "ray" / "ray_current_cluster").unlink(missing_ok=True)

    def start_second(self) -> None:
        """Start Ray on the second host, as somebody would who mends it."""
        self.second.start_ray(self.first.address)

    def start_third(self) -> None:
        """Start Ray on the third host: a spare."""
        self.third.start_ray(self.first.address)

    def restart(self, host: Host) -> None:
        """End what is left on a host and start Ray there again."""
        host.kill()
        host.start_ray(self.first.address)

    def join(self, host: Host) -> None:
        """Plug a host's cable in again."""
        host.join(self._network.bridge)

    def ranks(self) -> list[int]:
        """Return the process ids of all ranks on all hosts."""
        return [pid for host in self.hosts for pid in host.pids("modelcore.training.rank")]

    def held(self) -> list[str]:
        """Return the actors that are alive and the placement groups that are not removed, as Ray has them."""
        log = self._network.temporary / "held.log"
        log.unlink(missing_ok=True)
        assert self.first.popen([sys.executable, "-c", HELD], log=log).wait(60) == 0, log.read_text()
        held: list[str] = json.loads(log.read_text().splitlines()[-1])
        return held

    def start(
        self,
        arguments: list[str],
        output: Path,
        *,
        retries: int = 2,
        hang_timeout: float = 900,
        **options: Any,
    ) -> RunningJob:
        """Start a job with one rank on each host."""
        logs = output / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        inputs = [one.model_dump() for one in options.pop("inputs", [])]
        cluster = {"hosts": 2, "ranks_per_host": 1, **options}
        job: dict[str, Any] = {"arguments": arguments, "cluster": cluster, "logs": str(logs)}
        job |= {"retries": retries, "hang_timeout": hang_timeout}
        job |= {"inputs": inputs, "output": str(output)}
        (logs / "test.json").write_text(json.dumps(job))
        process = self.first.popen(
            [sys.executable, str(PROGRAM), str(logs / "test.json")], log=logs / "said.log"
        )
        return RunningJob(process, logs, output)

    def train(self, plan: TrainPlan, **options: Any) -> RunningJob:
        """Start the training that a plan describes."""
        output = Path(plan.output)
        (output / "logs").mkdir(parents=True)
        plan.write(output / "logs" / "plan.json")
        options["inputs"] = inputs_of(plan, output / "logs" / "plan.json")
        rank = ["-m", "modelcore.training.rank", str(output / "logs" / "plan.json")]
        return self.start(rank, output, **options)

    def run(self, *arguments: str, log: Path) -> tuple[int, str]:
        """Run `mindrail` on the first host; return its exit code and what it printed."""
        command = [sys.executable, "-m", "flows.cli.main", *arguments]
        code = self.first.popen(command, log=log).wait(100)
        return code, log.read_text()

    def leftovers(self) -> list[str]:
        """Return what still runs of any job, on either host."""
        return [
            f"{host.name}: {command}"
            for host in self._network.hosts
            for command in host.commands()
            if any(word in command for word in OURS)
        ]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    pytest.importorskip("ray", reason="Ray is not installed (pip install mindrail[cluster])")
    if not can_make_namespaces():
        pytest.skip("hosts are network namespaces, which need root and the command ip")
    # The sockets' names in it must be short.
    temporary = Path(tempfile.mkdtemp(prefix="mr-"))
    network = Network(3, temporary)
    try:
        yield network
    finally:
        network.close()
        shutil.rmtree(temporary)


@pytest.fixture(scope="module")
def cluster(network: Network) -> Cluster:
    return Cluster(network)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each job, neither process nor actor of it is left on any host."""
    yield
    if "cluster" in request.fixturenames:
        running: Cluster = request.getfixturevalue("cluster")
        wait_until(lambda: running.leftovers() == [])


@pytest.fixture(scope="module")
def two_ranks(make_plan: Callable[..., TrainPlan]) -> Callable[[str], TrainPlan]:
    """Make a job of 40 steps for two ranks."""
    return lambda name: make_plan(name, Layout(data_parallel=2), steps=40)


def on_own_disk(cluster: Cluster, plan: TrainPlan) -> TrainPlan:
    """Move a job to the first host's own disk, where no other host sees it."""
    place = cluster.first.own / Path(plan.output).name
    shutil.copytree(plan.model, place / "shards")
    (place / "rows").mkdir()
    for file in Path(plan.data).parent.glob(f"{Path(plan.data).name}*"):
        shutil.copy(file, place / "rows")
    rows = place / "rows" / Path(plan.data).name
    return plan.model_copy(
        update={"model": str(place / "shards"), "data": str(rows), "output": str(place / "out")}
    )


@pytest.fixture(scope="module")
def undisturbed(two_ranks: Callable[[str], TrainPlan], helpers: Any) -> TrainPlan:
    """The job, done on this host without Ray."""
    plan = two_ranks("undisturbed")
    helpers.run_ranks(plan)
    return plan


@pytest.fixture(scope="module")
def long_job(make_plan: Callable[..., TrainPlan]) -> Callable[[str], TrainPlan]:
    """Make a job of 100 steps for two ranks, so that there is time for something to happen."""
    return lambda name: make_plan(name, Layout(data_parallel=2), steps=100)


@pytest.fixture(scope="module")
def undisturbed_long_job(long_job: Callable[[str], TrainPlan], helpers: Any) -> TrainPlan:
    """The long job, done on this host without Ray."""
    plan = long_job("undisturbed_long")
    helpers.run_ranks(plan)
    return plan
