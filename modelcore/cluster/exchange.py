"""Copies a job's files to hosts that do not share the driver's disk, and theirs back, through Ray.

Before an attempt each such host gets the inputs of its own ranks and their parts of the newest checkpoint
that is complete on the driver's host; what it has already with the same digest is not copied. While the ranks
run, every complete part of a checkpoint, and what was added to logs and metrics, is copied back, so that the
next attempt can start on other hosts. In the end their weights are. Files go in pieces of bounded size, and
count when their digest is right.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from modelcore.cluster.host_files import GROWING, HostFiles, JobFile, facts_of, is_inside, parts_of
from modelcore.cluster.job import JobInput
from modelcore.errors import StepFailed
from modelcore.store.digest_cache import DIGESTS, DigestCache
from modelcore.store.manifest import file_sha256
from modelcore.units import format_bytes

__all__ = ["Exchange", "RemoteHost", "Unreachable"]

PIECE = 32 << 20
"""Bytes of a file that are on the way to or from a host at once."""

_ANSWER_TIMEOUT_S = 600.0  # reading a file of many GB for its digest; Ray notices a lost host itself
_LAST_LOGS_S = 3.0
_POLL_INTERVAL_S = 1.0
_KEEP = 2


class Unreachable(Exception):
    """A host did not answer while files were copied."""

    def __init__(self, host: RemoteHost, reason: str) -> None:
        super().__init__(reason)
        self.host, self.reason = host, reason


@dataclass
class RemoteHost:
    """A host that has its own disk.

    Attributes:
        node: Ray's id of it.
        address: of the host.
        ranks: that run there.
    """

    node: str
    address: str
    ranks: list[int]
    handle: Any = field(default=None, repr=False)

    def call(self, method: str, *arguments: object, timeout: float = _ANSWER_TIMEOUT_S) -> Any:
        """Return what the host's `HostFiles` answers.

        Raises:
            Unreachable: it does not, within `timeout` seconds.
            StepFailed: as raised there.
        """
        try:
            return ray.get(getattr(self.handle, method).remote(*arguments), timeout=timeout)
        except GetTimeoutError:
            raise Unreachable(self, f"no answer within {timeout:g} s while files are copied") from None
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, StepFailed):
                raise StepFailed(f"host {self.address}: {error.cause}") from error
            raise
        except RayActorError as error:
            raise Unreachable(self, "lost while files were copied") from error


class Exchange:
    """The copies of one attempt.

    Args:
        hosts: those that do not see the driver's disk.
        inputs: files that the ranks read.
        output: the job's directory.
        world_size: ranks in all.
    """

    def __init__(
        self,
        hosts: Sequence[RemoteHost],
        inputs: Sequence[JobInput],
        output: Path,
        world_size: int,
    ) -> None:
        self._hosts, self._inputs, self._output, self._world = list(hosts), inputs, output, world_size
        self._digests = DigestCache(output / "logs" / DIGESTS)
        self._known: dict[str, int] = {}
        self._copied = 0
        self._ended = threading.Event()
        self._collector: threading.Thread | None = None
        self._log_dir = ""
        for host in self._hosts:
            where = NodeAffinitySchedulingStrategy(host.node, soft=False)
            actor = ray.remote(num_cpus=0, max_restarts=0, max_concurrency=4, scheduling_strategy=where)
            host.handle = actor(HostFiles).remote(str(output), host.ranks)

    def send(self, attempt_file: Path, number: int, log_dir: Path, waiting: Callable[[str], None]) -> None:
        """Give every host what its ranks read; return when all have it.

        Args:
            attempt_file: holds the number of the current attempt.
            number: the attempt's.
            log_dir: of the attempt.
            waiting: called every second with what is done.

        Raises:
            Unreachable: a host is lost.
            StepFailed: a disk is full.
        """
        self._log_dir = str(log_dir)
        if not self._hosts:
            return
        step = self._newest_complete()
        self._on_every_host(
            lambda host: self._send(host, step, attempt_file, number),
            lambda: waiting(f"copying files to hosts, {format_bytes(self._copied)}"),
        )

    def start_collecting(self) -> None:
        """Copy back what the ranks save and log, until `stop`."""
        if self._hosts:
            self._collector = threading.Thread(target=self._collect_until_stopped, daemon=True)
            self._collector.start()

    def stop(self) -> None:
        """Stop collecting, and end what runs on the hosts for it."""
        self._ended.set()
        if self._collector is not None:
            self._collector.join(_POLL_INTERVAL_S)
        for host in self._hosts:
            with suppress(Unreachable, StepFailed):
                self._fetch_grown(host, timeout=_LAST_LOGS_S)
        for host in self._hosts:
            ray.kill(host.handle, no_restart=True)

    def results(self, waiting: Callable[[str], None]) -> None:
        """Copy back what the ranks have written, once all have ended well.

        Raises:
            Unreachable: a host is lost.
        """
        self._ended.set()
        if self._collector is not None:
            self._collector.join(_ANSWER_TIMEOUT_S)
        self._on_every_host(
            self._take_results, lambda: waiting(f"copying files from hosts, {format_bytes(self._copied)}")
        )

    def _on_every_host(self, work: Callable[[RemoteHost], None], waiting: Callable[[], None]) -> None:
        """Do the work for all hosts at the same time; raise what one of them raises."""
        if not self._hosts:
            return
        with ThreadPoolExecutor(len(self._hosts)) as pool:
            jobs = [pool.submit(work, host) for host in self._hosts]
            while not all(job.done() for job in jobs):
                waiting()
                time.sleep(_POLL_INTERVAL_S / 2)
            for job in jobs:
                job.result()

    def _take_results(self, host: RemoteHost) -> None:
        for file in host.call("results"):
            self._take(host, file)

    def _send(self, host: RemoteHost, step: Path | None, attempt_file: Path, number: int) -> None:
        host.call("begin", str(attempt_file), number, self._log_dir)
        wanted = [Path(one.path) for one in self._inputs if one.rank is None or one.rank in host.ranks]
        if step is not None:
            for part in (step / f"rank_{rank}" for rank in host.ranks):
                strategy = step / "strategy" / f"ckpt_strategy_{part.name}.ckpt"
                tensors = sorted(part.glob("*.ckpt"))
                wanted += [step / "config.json", strategy, *tensors, part / "state.json"]
        facts = [JobFile(str(path), path.stat().st_size, self._digests.sha256(path)) for path in wanted]
        for file in host.call("missing", facts):
            self._give(host, file)
        self._send_growing(host)

    def _send_growing(self, host: RemoteHost) -> None:
        """Give the host of rank 0 the metrics so far, unless it has more of them itself."""
        if 0 in host.ranks:
            paths = [self._output / name for name in GROWING if (self._output / name).is_file()]
            for path, size in zip(paths, host.call("sizes", [str(path) for path in paths]), strict=True):
                if size < path.stat().st_size:
                    self._give(host, facts_of(path))
                    size = path.stat().st_size
                self._known[str(path)] = min(size, path.stat().st_size)

    def _give(self, host: RemoteHost, file: JobFile) -> None:
        with Path(file.path).open("rb") as stream:
            for offset in range(0, max(file.size, 1), PIECE):
                piece = stream.read(PIECE)
                host.call("receive", file.path, offset, piece)
                self._copied += len(piece)
        host.call("complete", file)

    def _take(self, host: RemoteHost, file: JobFile) -> None:
        """Copy a file from a host, unless it is here with the same bytes."""
        target = Path(file.path)
        if not is_inside(file.path, self._output):
            raise StepFailed(f"host {host.address} names a file outside the job's directory", where=target)
        if target.is_file() and target.stat().st_size == file.size and file_sha256(target) == file.sha256:
            return
        here = HostFiles(str(self._output), [])
        for offset in range(0, max(file.size, 1), PIECE):
            piece = host.call("read", file.path, offset, PIECE)
            here.receive(file.path, offset, piece)
            self._copied += len(piece)
        here.complete(file)

    def _collect_until_stopped(self) -> None:
        while not self._ended.wait(_POLL_INTERVAL_S):
            for host in self._hosts:
                # Its agent's lease decides about a host; what its ranks have just removed is not missed.
                with suppress(Unreachable, ray.exceptions.RayTaskError):
                    self._collect(host)
            self._prune()

    def _collect(self, host: RemoteHost) -> None:
        parts = host.call(
            "parts"
        )  # before the metrics: those of every step up to the checkpoint come with it
        self._fetch_grown(host)
        for file in parts:
            if self._ended.is_set():
                return
            with suppress(StepFailed, FileNotFoundError, ray.exceptions.RayTaskError):  # removed meanwhile
                self._take(host, file)

    def _fetch_grown(self, host: RemoteHost, timeout: float = _ANSWER_TIMEOUT_S) -> None:
        for grown in host.call("grown", self._known, self._log_dir, PIECE, timeout=timeout):
            if is_inside(grown.path, self._output):
                path = Path(grown.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("r+b" if grown.offset and path.exists() else "wb") as stream:
                    stream.seek(grown.offset)
                    stream.write(grown.data)
                self._known[grown.path] = grown.offset + len(grown.data)

    def _complete_steps(self) -> list[Path]:
        """Return the checkpoints of which every rank's part is here and of one attempt, oldest first."""
        found: dict[Path, dict[str, object]] = {}
        for part in parts_of(self._output, range(self._world)):
            with suppress(OSError, ValueError):
                state = json.loads((part / "state.json").read_text())
                found.setdefault(part.parent, {})[part.name] = state.get("attempt", 0)
        whole = [
            step for step, parts in found.items() if len(parts) == self._world and len({*parts.values()}) == 1
        ]
        return sorted(whole, key=lambda step: step.name)

    def _newest_complete(self) -> Path | None:
        return next(reversed(self._complete_steps()), None)

    def _prune(self) -> None:
        """Remove the copies that belong to checkpoints older than the last two complete ones."""
        whole = self._complete_steps()[-_KEEP:]
        if len(whole) == _KEEP:
            ranks = [rank for host in self._hosts for rank in host.ranks]
            for part in list(parts_of(self._output, ranks)):
                if part.parent.name < whole[0].name:
                    shutil.rmtree(part, ignore_errors=True)
                    if not any(part.parent.glob("rank_*")):
                        shutil.rmtree(part.parent, ignore_errors=True)
