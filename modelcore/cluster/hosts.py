"""Which hosts an attempt gets: as many as it needs, each with the resources it needs, all or none.

Ray reserves them as a placement group with one bundle per host, and queues while others use them. A host that
was silent may still count as alive for Ray; it is left out until it answers again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from modelcore.config.training import Cluster
from modelcore.errors import StepFailed

__all__ = ["Hosts", "NoHosts"]

_ID = "ray.io/node-id"
_STILL_TRYING_S = 10.0


class NoHosts(StepFailed):
    """Not enough hosts came in time."""


class Hosts:
    """The cluster's hosts as one job sees them.

    Args:
        cluster: how many are needed, with what, and how long to wait for them.
        waiting: called every second while it waits, with the reason in a few words.
    """

    def __init__(self, cluster: Cluster, waiting: Callable[[str], None]) -> None:
        self._cluster, self._waiting = cluster, waiting
        self._suspects: dict[str, _Probe | None] = {}

    @property
    def bundle(self) -> dict[str, float]:
        """What one host must have free."""
        return dict(self._cluster.resources) or {"CPU": 1.0}

    def suspect(self, node: str) -> None:
        """Leave a host out until it answers."""
        self._suspects.setdefault(node, None)

    def reserve(self) -> PlacementGroup:
        """Return the hosts of an attempt, in a placement group of one bundle per host.

        Raises:
            NoHosts: there were not enough for `spare_wait` seconds.
        """
        deadline = time.monotonic() + self._cluster.spare_wait
        while True:
            left_out = frozenset(self._suspects)
            group = self._group(left_out)
            while left_out == frozenset(self._suspects):
                if group.wait(1):
                    return group
                if time.monotonic() > deadline:
                    remove_placement_group(group)
                    raise NoHosts(self._missing(), where="launch.cluster.hosts", fix=_FIX)
                self._waiting("waiting for hosts")
                self._probe_suspects()
            remove_placement_group(group)

    def _group(self, left_out: frozenset[str]) -> PlacementGroup:
        count = self._cluster.hosts
        selector = {_ID: f"!in({','.join(sorted(left_out))})"} if left_out else {}
        return placement_group(
            [self.bundle] * count, strategy="STRICT_SPREAD", bundle_label_selector=[selector] * count
        )

    def _probe_suspects(self) -> None:
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        for node, probe in list(self._suspects.items()):
            if node not in alive or (probe is not None and probe.answered):
                del self._suspects[node]  # Ray gives nothing to a dead one; one that comes back has a new id
            elif probe is None or probe.age > _STILL_TRYING_S:
                self._suspects[node] = _Probe(node)

    def _missing(self) -> str:
        needed, bundle = self._cluster.hosts, _in_words(self.bundle)
        alive = [node for node in ray.nodes() if node["Alive"]]
        fit = sorted(node["NodeManagerAddress"] for node in alive if _fits(self.bundle, node["Resources"]))
        there = f"{len(fit)} ({', '.join(fit)})" if fit else "none"
        silent = [node["NodeManagerAddress"] for node in alive if node["NodeID"] in self._suspects]
        but = f", of which {', '.join(silent)} does not answer" if silent else ""
        busy = "" if len(fit) - len(silent) < needed else ", but others use them"
        waited = f"for {self._cluster.spare_wait:g} s"
        return f"needs {needed} hosts with {bundle} each; {there} in the cluster {waited}{but}{busy}"


_FIX = "start Ray on more hosts (ray start --address=…), or ask for fewer"


class _Probe:
    """A question to a host that was silent."""

    def __init__(self, node: str) -> None:
        self._asked = time.monotonic()
        where = NodeAffinitySchedulingStrategy(node, soft=False)
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=where)(_answer)
        self._answer = task.remote()

    @property
    def age(self) -> float:
        """Seconds since it was asked."""
        return time.monotonic() - self._asked

    @property
    def answered(self) -> bool:
        """Whether the host has answered."""
        ready, _ = ray.wait([self._answer], timeout=0)
        try:
            return bool(ready) and bool(ray.get(ready[0]))
        except RayError:
            return False


def _answer() -> bool:
    return True


def _fits(bundle: Mapping[str, float], resources: Mapping[str, Any]) -> bool:
    return all(resources.get(name, 0) >= amount for name, amount in bundle.items())


def _in_words(bundle: Mapping[str, float]) -> str:
    return ", ".join(f"{amount:g} {name}" for name, amount in bundle.items())
