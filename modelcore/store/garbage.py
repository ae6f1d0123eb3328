"""Which artifacts of a store may go: those that nothing newer, pinned or running needs.

Kept are the artifacts of each pinned run and of the newest run of each name, the newest trained checkpoints,
everything that these were built from, and whatever was used lately. Directories of interrupted steps go when
they are old and nobody works in them. Of a store in a bucket only this machine's copies are looked at.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object
from modelcore.store.lineage import ancestors
from modelcore.store.lock import locked
from modelcore.store.store import Artifact, Store

__all__ = ["PIN", "Garbage", "find_garbage", "remove"]

PIN = "pinned"
"""A file of this name in a run's directory keeps the run's artifacts."""

_TRAINED = ("merge", "export")
_DAY = 86400.0


class _InUse(Exception):
    pass


@dataclass(frozen=True)
class Garbage:
    """A directory that may go, with the bytes of its files and the days since it was last used."""

    path: Path
    size: int
    days: float


def find_garbage(store: Store, *, unused_days: float) -> list[Garbage]:
    """Return what may go, the longest unused first.

    Args:
        store: the artifacts and the runs.
        unused_days: what was built or found more recently stays.
    """
    artifacts = store.local_artifacts()
    kept = _kept(store, artifacts)
    found = [
        Garbage(one.path, one.manifest.size, _days(one.path)) for one in artifacts if one.path not in kept
    ]
    found += [
        Garbage(path, sum(file.stat().st_size for file in path.rglob("*") if file.is_file()), _days(path))
        for path in store.root.glob("*/*.partial")
        if not _is_locked(path)
    ]
    old = (one for one in found if one.days >= unused_days)
    return sorted(old, key=lambda one: -one.days)


def remove(garbage: Garbage) -> bool:
    """Remove a directory, unless a run has begun to work with it; return whether it was removed."""
    lock = garbage.path.with_name(f"{garbage.path.name.removesuffix('.partial')}.lock")
    try:
        with locked(lock, on_busy=_refuse, remove=True):
            doomed = garbage.path.with_name(f".{garbage.path.name}.removed")  # no half of it is ever found
            garbage.path.rename(doomed)
            shutil.rmtree(doomed)
    except (_InUse, FileNotFoundError):
        return False
    return True


def _kept(store: Store, artifacts: list[Artifact]) -> set[Path]:
    wanted = {path for run in _runs_that_count(store.root) for path in _artifacts_of(run)}
    newest = {one.manifest.step: one.path for one in artifacts if one.manifest.step in _TRAINED}
    roots = [one for one in artifacts if one.path in wanted | set(newest.values())]
    return {one.path for root in roots for one in (root, *ancestors(store, root.manifest))}


def _runs_that_count(root: Path) -> Iterator[Path]:
    """Yield the directories of pinned runs and of the newest run of each name."""
    newest: dict[str, Path] = {}
    for run in sorted((root / "runs").glob("*/run.json")):
        name = run.parent.name.split("-", 2)[-1]
        newest[name] = run.parent
        if (run.parent / PIN).exists():
            yield run.parent
    yield from newest.values()


def _artifacts_of(run: Path) -> Iterator[Path]:
    with suppress(MindrailError, KeyError, TypeError):
        for step in read_json_object(run / "run.json")["steps"]:
            yield Path(step["path"])


def _days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / _DAY


def _is_locked(partial: Path) -> bool:
    lock = partial.with_suffix(".lock")
    if not lock.exists():
        return False
    try:
        with locked(lock, on_busy=_refuse):
            return False
    except _InUse:
        return True


def _refuse() -> None:
    raise _InUse
