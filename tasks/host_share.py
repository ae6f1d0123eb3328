"""A step's share of this host: cores or devices that no other run uses meanwhile. Waiting is logged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from modelcore.launching.host_share import cores_needed, devices_of_host, host_share
from tasks.global_limit import global_limit
from tasks.log import log
from tasks.reporter import current_reporter

__all__ = ["share_of_cores", "share_of_devices"]


@contextmanager
def share_of_devices(title: str, processes: int) -> Iterator[dict[str, str]]:
    """Hold a device for each process, or their cores on a host without; yield the variables that say which.

    Args:
        title: the step's name.
        processes: how many it will run here.
    """
    devices = devices_of_host()
    if not devices:
        with share_of_cores(title, cores_needed(processes)):
            yield {}
        return
    with _share(title, "device", devices, processes) as environment:
        yield environment


@contextmanager
def share_of_cores(title: str, count: int) -> Iterator[None]:
    """Hold so many of the cores that this process may use."""
    with _share(title, "core", sorted(os.sched_getaffinity(0)), count):
        yield


@contextmanager
def _share(title: str, kind: str, among: list[int], count: int) -> Iterator[dict[str, str]]:
    with ExitStack() as held:
        if current_reporter() is not None:  # the run of a server that people look at
            held.enter_context(
                global_limit(kind, count, lambda name: log(f"{title}: waiting for the limit “{name}”"))
            )
        share = held.enter_context(
            host_share(
                kind,
                among,
                count,
                f"{title} of process {os.getpid()}",
                lambda holders: log(f"{title}: waiting for {count} {kind}s; in use by {holders}"),
            )
        )
        yield share.environment()
