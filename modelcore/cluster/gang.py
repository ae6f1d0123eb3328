"""One attempt on several hosts: all ranks end well, or all are ended and the first failure is named.

The driver's side. It starts an agent on every host, compares what the hosts say of themselves, starts all
shares at once and renews the agents' leases until they return. What failed is decided by evidence: a host
that is gone explains the exceptions of the ranks that were waiting for it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from modelcore.cluster.agent import STOPPED, Agent, HostFacts, Share, Status
from modelcore.cluster.host_versions import differing
from modelcore.cluster.lease import Lease
from modelcore.cluster.records import KINDS, Failure
from modelcore.errors import MindrailError, one_line

__all__ = ["AttemptFailed", "HostAgent", "end", "enlist", "supervise"]

_ANSWER_TIMEOUT_S = 60.0  # a worker process starts, and imports us from a disk that may be slow
_RENEWALS_PER_LEASE = 5
_POLL_INTERVAL_S = 0.2
_STOP_TIMEOUT_S = 5.0
# How long to wait for a better explanation: the exception of a rank may follow from a host that is gone.
_GRACE_S = {"exception": 3.0, "hang": 3.0}
_SOON_S = 0.3


class AttemptFailed(Exception):
    """Why an attempt ended, and the nodes that are not to be used until they answer."""

    def __init__(self, failure: Failure, suspects: Sequence[str] = ()) -> None:
        super().__init__(str(failure))
        self.failure, self.suspects = failure, list(suspects)


@dataclass
class HostAgent:
    """The agent of one host, as the driver holds it.

    Attributes:
        node: Ray's id of the host.
        address: the host's.
        handle: of the actor.
        lease: the driver's side: renewed by the agent's answers.
        resumed_from: steps that its first rank found done, as soon as it has said so.
        status: progress of its first rank.
        work: what its `run` will return.
    """

    node: str
    address: str
    handle: Any
    lease: Lease
    resumed_from: float | None = None
    status: Status | None = None
    work: Any = None
    _asked: float = field(default=0.0)
    _answers: list[Any] = field(default_factory=list)

    def renew(self, interval: float) -> None:
        """Take the answers that have come, and ask again once every `interval` seconds."""
        ready, self._answers = (
            ray.wait(self._answers, num_returns=len(self._answers), timeout=0) if self._answers else ([], [])
        )
        for answer in ready:
            with contextlib.suppress(RayActorError):  # its `run` says so, too
                self.resumed_from, self.status = ray.get(answer)
                self.lease.renew()
        if time.monotonic() - self._asked >= interval:
            self._asked = time.monotonic()
            self._answers.append(self.handle.renew.remote())


def enlist(group: PlacementGroup, bundle: dict[str, float], lease: float) -> list[HostAgent]:
    """Start an agent in each bundle; return them in the order of their hosts' addresses.

    Raises:
        AttemptFailed: a host did not start its agent in time.
    """
    handles = [_agent(group, index, bundle, lease) for index in range(group.bundle_count)]
    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
    nodes = _nodes_of(group)
    agents = [
        HostAgent(node, addresses[node], handle, Lease(lease))
        for node, handle in zip(nodes, handles, strict=True)
    ]
    return sorted(agents, key=lambda agent: _by_number(agent.address))


def check(agents: Sequence[HostAgent], logs: Path, *, must_share: bool) -> list[HostAgent]:
    """Compare what the hosts say of themselves; return those that do not see the job's directory.

    Args:
        agents: one per host.
        logs: in the job's directory; a file with a new token is written there.
        must_share: refuse a host that does not see it.

    Raises:
        AttemptFailed: a host does not answer.
        MindrailError: versions differ, or a host does not see the job's directory and must.
    """
    token_file, token, apart = logs / "token", secrets.token_hex(16), []
    token_file.write_text(token)
    facts = _ask_all(agents, lambda agent: agent.handle.describe.remote(str(token_file)))
    for agent, found in zip(agents, facts, strict=True):
        assert isinstance(found, HostFacts)
        if found.token != token:
            apart.append(agent)
            if must_share:
                raise MindrailError(
                    f"does not see {token_file} as the driver wrote it",
                    where=f"host {agent.address} ({found.name})",
                    fix="put the store on a disk that all hosts share, or set launch.cluster.shared to auto",
                )
        for name, version, other in differing(found.versions, facts[0].versions):
            raise MindrailError(
                f"has {name} {version}, host {agents[0].address} has {other}",
                where=f"host {agent.address} ({found.name})",
                fix="install the same versions on all hosts",
            )
    return apart


def scheduler_port(agents: Sequence[HostAgent]) -> int:
    """Return a free port of the first host."""
    first = agents[0]
    (port,) = _ask_all([first], lambda agent: agent.handle.free_port.remote(agent.address))
    return int(port)


def supervise(
    agents: Sequence[HostAgent],
    shares: Sequence[Share],
    lease: float,
    tick: Callable[[HostAgent], None],
) -> None:
    """Run all shares, one per agent; return when all have ended well.

    Args:
        agents: one per host.
        shares: theirs, in the same order.
        lease: seconds.
        tick: called several times a second with the agent that has rank 0.

    Raises:
        AttemptFailed: what failed first. The other ranks still run: call `end`.
    """
    for agent, share in zip(agents, shares, strict=True):
        agent.lease, agent.work = Lease(lease), agent.handle.run.remote(share)
    running = {agent.work: agent for agent in agents}
    found: list[AttemptFailed] = []
    deadline = float("inf")
    while running and time.monotonic() < deadline:
        ended, _ = ray.wait(list(running), num_returns=1, timeout=_POLL_INTERVAL_S)
        for reference in ended:
            failed = _outcome(reference, running.pop(reference))
            if failed is not None:
                found.append(failed)
        for agent in list(running.values()):
            agent.renew(lease / _RENEWALS_PER_LEASE)
        for reference in [r for r, agent in running.items() if agent.lease.expired]:
            found.append(_silent(running.pop(reference)))
        tick(agents[0])
        if found:
            deadline = min(deadline, time.monotonic() + _grace(found))
    if found:
        raise min(found, key=_weight)


def end(agents: Sequence[HostAgent], group: PlacementGroup) -> None:
    """End all agents and what they run, and give the hosts back; hosts that do not answer end their own."""
    working = [agent for agent in agents if agent.work is not None and not agent.lease.expired]
    for agent in working:
        agent.handle.stop.remote()
    if working:
        ray.wait([agent.work for agent in working], num_returns=len(working), timeout=_STOP_TIMEOUT_S)
    for agent in agents:
        ray.kill(agent.handle, no_restart=True)
    remove_placement_group(group)


def _weight(failed: AttemptFailed) -> tuple[int, bool]:
    failure = failed.failure
    return KINDS.index(failure.kind), failure.exit != STOPPED


def _agent(group: PlacementGroup, index: int, bundle: dict[str, float], lease: float) -> Any:
    resources = dict(bundle)
    cpus, gpus = resources.pop("CPU", 0), resources.pop("GPU", 0)
    actor = ray.remote(
        num_cpus=cpus,
        num_gpus=gpus,
        resources=resources,
        max_restarts=0,
        max_concurrency=8,
        scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index),
    )(Agent)
    return actor.remote(lease)


def _nodes_of(group: PlacementGroup) -> list[str]:
    from ray.util import placement_group_table

    nodes = placement_group_table(group)["bundles_to_node_id"]
    return [nodes[index] for index in range(group.bundle_count)]


def _ask_all(agents: Sequence[HostAgent], ask: Callable[[HostAgent], Any]) -> list[Any]:
    """Return every agent's answer.

    Raises:
        AttemptFailed: one of them did not give one.
    """
    asked = [ask(agent) for agent in agents]
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    answers = []
    for agent, reference in zip(agents, asked, strict=True):
        try:
            answers.append(ray.get(reference, timeout=max(0.1, deadline - time.monotonic())))
        except GetTimeoutError:
            what = f"its agent did not answer within {_ANSWER_TIMEOUT_S:g} s"
            raise AttemptFailed(Failure("host silent", what, agent.address), [agent.node]) from None
        except RayActorError as error:
            raise _died(agent, error) from error
    return answers


def _outcome(reference: Any, agent: HostAgent) -> AttemptFailed | None:
    try:
        failure: Failure | None = ray.get(reference)
    except RayActorError as error:
        return _died(agent, error)
    if failure is None:
        return None
    return AttemptFailed(failure, [agent.node] if failure.is_of_host else [])


def _died(agent: HostAgent, error: RayActorError) -> AttemptFailed:
    """Explain the death of an agent by that of its host, if Ray knows of it."""
    if isinstance(error, ActorUnavailableError):
        what = "its agent cannot be reached any more"
        return AttemptFailed(Failure("host lost", what, agent.address), [agent.node])
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    if agent.node not in alive or "node has died" in str(error) or "node was terminated" in str(error):
        return AttemptFailed(Failure("host lost", "Ray lost the host", agent.address), [agent.node])
    said = one_line(str(error)).split("\\n")  # Ray's own words, many lines of them
    failure = Failure("agent died", "its agent's process ended", agent.address, "the agent", tail=said)
    return AttemptFailed(failure, [agent.node])


def _silent(agent: HostAgent) -> AttemptFailed:
    what = f"silent for {agent.lease.age:.1f} s: the host is stopped, or its link is cut"
    return AttemptFailed(Failure("host silent", what, agent.address), [agent.node])


def _grace(found: Sequence[AttemptFailed]) -> float:
    return min(_GRACE_S.get(one.failure.kind, _SOON_S) for one in found)


def _by_number(address: str) -> list[str | int]:
    pieces: Iterator[str] = iter(re.split(r"(\d+)", address))
    return [int(piece) if piece.isdecimal() else piece for piece in pieces]
