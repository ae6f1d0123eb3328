"""The files of a job on a host that does not share the driver's disk: received, found and given back.

Every host has the job's files under the paths that they have on the driver's host, but only those of its own
ranks. A Ray actor, one per such host; it neither knows Ray nor decides what is copied: that is `exchange`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import StepFailed
from modelcore.store.disk import disk_errors
from modelcore.store.durable import rename_durably, sync
from modelcore.store.manifest import LOGS, file_sha256

__all__ = ["GROWING", "Growth", "HostFiles", "JobFile", "facts_of", "is_inside", "parts_of"]

_CHECKPOINTS = "checkpoints"  # in a job's output, with <layout>/step_<n>/rank_<r>/; its state.json comes last

GROWING = ("metrics.jsonl", f"{LOGS}/timings.jsonl")
"""What rank 0 appends to, below the job's output."""

_STATE = "state.json"
_INCOMING = ".incoming"


@dataclass(frozen=True)
class JobFile:
    """A file that is the same on every host that has it: its path, bytes and their digest."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Growth:
    """What was added to a file since it was last looked at; at 0 it was written anew."""

    path: str
    offset: int
    data: bytes


class HostFiles:
    """The actor.

    Args:
        output: the job's directory.
        ranks: of this host.
    """

    def __init__(self, output: str, ranks: Sequence[int]) -> None:
        self._output, self._ranks = Path(output), list(ranks)
        self._digests: dict[tuple[str, int, int], str] = {}

    def begin(self, attempt_file: str, number: int, log_dir: str) -> None:
        """Make an attempt the current one on this host: ranks of an earlier one save nothing any more."""
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        Path(attempt_file).write_text(f"{number}\n")

    def sizes(self, paths: Sequence[str]) -> list[int]:
        """Return the bytes of files, -1 for one that is not there."""
        return [Path(path).stat().st_size if Path(path).is_file() else -1 for path in paths]

    def missing(self, files: Sequence[JobFile]) -> list[JobFile]:
        """Return those files that are not on this host with these bytes."""
        return [file for file in files if self._facts(Path(file.path)) != file]

    def receive(self, path: str, offset: int, data: bytes) -> None:
        """Write a piece of a file, which appears under its name when it is complete."""
        target = Path(path + _INCOMING)
        target.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors(target), target.open("r+b" if offset else "wb") as stream:
            stream.seek(offset)
            stream.write(data)

    def complete(self, file: JobFile) -> None:
        """Give a received file its name.

        Raises:
            StepFailed: these are not its bytes.
        """
        incoming = Path(file.path + _INCOMING)
        if file_sha256(incoming) != file.sha256:
            raise StepFailed("its bytes changed on the way to this host", where=file.path)
        sync(incoming)
        rename_durably(incoming, Path(file.path))

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return a piece of a file."""
        with Path(path).open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def parts(self) -> list[JobFile]:
        """Return the files of the checkpoints' parts that this host's ranks have written whole."""
        found = (file for part in parts_of(self._output, self._ranks) for file in _files_of_part(part))
        return [facts for facts in map(self._facts, found) if facts is not None]

    def results(self) -> list[JobFile]:
        """Return what this host's ranks have written beside checkpoints and logs."""
        files = (path for path in self._output.rglob("*") if path.is_file() and self._is_result(path))
        return [facts for facts in map(self._facts, sorted(files)) if facts is not None]

    def grown(self, known: Mapping[str, int], log_dir: str, most: int) -> list[Growth]:
        """Return what was added to the metrics and to an attempt's logs, a bounded number of bytes of each.

        Args:
            known: bytes of each file that have been fetched.
            log_dir: of the attempt.
            most: bytes of each file.
        """
        metrics = [self._output / name for name in GROWING] if 0 in self._ranks else []
        grown = []
        for path in (*metrics, *Path(log_dir).glob("*.log")):
            size = path.stat().st_size if path.is_file() else 0
            offset = known.get(str(path), 0)
            offset = offset if size >= offset else 0
            if size > offset:
                grown.append(Growth(str(path), offset, self.read(str(path), offset, most)))
        return grown

    def _is_result(self, path: Path) -> bool:
        first = path.relative_to(self._output).parts[0]
        if first in (LOGS, _CHECKPOINTS):
            return False
        rank = first.removeprefix("rank_")
        return int(rank) in self._ranks if rank.isdecimal() else 0 in self._ranks

    def _facts(self, path: Path) -> JobFile | None:
        """Describe a file, which is read once as long as it does not change; None if it is gone."""
        try:
            state = path.stat()
            known = (str(path), state.st_size, state.st_mtime_ns)
            if known not in self._digests:
                self._digests[known] = file_sha256(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return JobFile(str(path), state.st_size, self._digests[known])


def facts_of(path: Path) -> JobFile:
    """Describe a file that is there."""
    return JobFile(str(path), path.stat().st_size, file_sha256(path))


def parts_of(output: Path, ranks: Sequence[int]) -> Iterator[Path]:
    """Yield the directories `…/step_<n>/rank_<r>` of complete parts of a job's checkpoints."""
    for rank in ranks:
        for state in sorted(output.glob(f"{_CHECKPOINTS}/*/step_*/rank_{rank}/{_STATE}")):
            yield state.parent


def _files_of_part(part: Path) -> Iterator[Path]:
    """Yield a part's files, the one that vouches for the others last."""
    step, rank = part.parent, part.name.removeprefix("rank_")
    yield step / "config.json"
    yield step / "strategy" / f"ckpt_strategy_rank_{rank}.ckpt"
    yield from sorted(part.glob("*.ckpt"))  # none if its rank has just removed it
    yield part / _STATE


def is_inside(path: str, directory: Path) -> bool:
    """Whether a path that a host has named is below a directory."""
    return Path(os.path.normpath(path)).is_relative_to(directory)
