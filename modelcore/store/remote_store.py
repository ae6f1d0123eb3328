"""Artifacts in a bucket, and their way from and to a store on this machine.

    <prefix>/<step>/<key>/manifest.json
    <prefix>/<step>/<key>/<digest>/<files>      the files are below the digest that the manifest names

The manifest is written last and replaced by one write, so a reader has all of an artifact or nothing. Two
processes that built one key with different bytes write below different digests; the manifest decides. Fetched
files are compared with their sha256. Logs are copied, too, and compared with nothing: they have no digest.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from modelcore.store.atomic_output import build_directory
from modelcore.store.manifest import LOGS, MANIFEST, FileEntry, Manifest, file_sha256
from modelcore.store.remote import Remote
from modelcore.store.remote_lock import LEASE_S, remotely_locked

__all__ = ["RemoteStore"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_DIGEST_LENGTH = 16
_AT_ONCE = 4  # files copied at the same time


class RemoteStore:
    """The artifacts below a prefix.

    Args:
        remote: the objects.
        lease: of the locks; see `remotely_locked`.
    """

    def __init__(self, remote: Remote, lease: float = LEASE_S) -> None:
        self.remote, self._lease = remote, lease

    def locked(self, step: str, key: str, on_busy: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock of an artifact: no other host builds it."""
        name = f"{step}/{key}/lock"
        return remotely_locked(self.remote, name, on_busy=on_busy, lease=self._lease)

    def manifest(self, step: str, key: str) -> Manifest | None:
        """Return the manifest of a committed artifact; None if there is none."""
        text = self.remote.read(_manifest_name(step, key))
        return None if text is None else Manifest.parse(text)

    def manifests(self) -> list[Manifest]:
        """Return those of all committed artifacts."""
        names = [
            _manifest_name(step, key)
            for step in self.remote.directories()
            for key in self.remote.directories(step)
        ]
        found = map(Manifest.parse, self.remote.read_all(names).values())
        return [manifest for manifest in found if manifest is not None]

    def push(self, directory: Path, manifest: Manifest, *, anew: bool) -> None:
        """Copy an artifact's files there, then its manifest.

        Args:
            directory: of the artifact.
            manifest: its own.
            anew: also copy files that are there already; otherwise a killed call is resumed.
        """
        place = _place(manifest)
        there = {} if anew else self.remote.sizes(place)
        files = {entry.path: entry.size for entry in manifest.files}
        logs = directory / LOGS
        paths = [str(path.relative_to(directory)) for path in logs.rglob("*") if path.is_file()]
        missing = [path for path, size in files.items() if there.get(f"{place}/{path}") != size]
        _each(lambda path: self.remote.upload(directory / path, f"{place}/{path}"), [*missing, *paths])
        self.remote.write(_manifest_name(manifest.step, manifest.key), manifest.as_json())

    def fetch(self, manifest: Manifest, directory: Path) -> bool:
        """Copy an artifact to a directory, replacing what is there; return whether it is sound.

        A call after a killed one copies only the files that are missing.
        """

        def copy(partial: Path) -> None:
            if not all(_is_inside(entry.path) for entry in manifest.files):
                raise _Damaged
            sound = _each(lambda entry: self._fetch_file(manifest, entry, partial), manifest.files)
            if not all(sound):
                raise _Damaged
            self._fetch_logs(manifest, partial)
            manifest.write(partial)
            if directory.exists():  # damaged, or other bytes than the bucket's
                shutil.rmtree(directory)

        partial = directory.with_name(f"{directory.name}.fetched.partial")
        try:
            build_directory(directory, partial, copy)
        except _Damaged:
            shutil.rmtree(partial)
            return False
        return True

    def damages(self, manifest: Manifest) -> Iterator[str]:
        """Read every file of an artifact and yield what is wrong, one line per damaged file."""
        for entry in manifest.files:
            name = f"{_place(manifest)}/{entry.path}"
            digest = self.remote.sha256(name)
            if digest is None:
                yield f"{self.remote.address}/{name}: missing"
            elif digest != entry.sha256:
                yield f"{self.remote.address}/{name}: its sha256 is not that of the file that was built"

    def address_of(self, manifest: Manifest, path: str) -> str:
        """Return the name of an artifact's file among the objects."""
        return f"{_place(manifest)}/{path}"

    def _fetch_file(self, manifest: Manifest, entry: FileEntry, partial: Path) -> bool:
        target = partial / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        known = target.is_file() and target.stat().st_size == entry.size
        if not (known and file_sha256(target) == entry.sha256):
            try:
                digest = self.remote.download(self.address_of(manifest, entry.path), target)
            except FileNotFoundError:
                return False
            if digest != entry.sha256:
                return False
        os.utime(target, ns=(entry.modified, entry.modified))  # so that a look at the file is enough
        return True

    def _fetch_logs(self, manifest: Manifest, partial: Path) -> None:
        place = _place(manifest)
        for name in self.remote.sizes(f"{place}/{LOGS}"):
            inside = name.removeprefix(f"{place}/")
            if not _is_inside(inside):
                continue
            target = partial / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            self.remote.download(name, target)


class _Damaged(Exception):
    pass


def _each(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do the work on every item, several at a time; raise what one of them raises."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _is_inside(path: str) -> bool:
    """Whether a manifest's path stays below the artifact's directory; others write to the bucket, too."""
    return not Path(path).is_absolute() and ".." not in Path(path).parts


def _manifest_name(step: str, key: str) -> str:
    return f"{step}/{key}/{MANIFEST}"


def _place(manifest: Manifest) -> str:
    return f"{manifest.step}/{manifest.key}/{manifest.digest[:_DIGEST_LENGTH]}"
