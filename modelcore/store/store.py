"""The store: a step's output is built once, committed whole, and validated before reuse.

`Store.build` is the one mechanism every step shares. It looks for the artifact of a key; where that is
missing or damaged, it lets the step build it in `<key>.partial`, where a step that died finds what it
had done, and commits the directory by one rename. One builder at a time per key, across processes. The
store knows nothing of what steps do, and deletes only what is damaged.

A store in a bucket keeps what is in use in its directory on this machine: an artifact that another host
built is fetched and validated, one that is built here is copied to the bucket, and over all hosts one builder
at a time works on a key.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modelcore.errors import StepFailed
from modelcore.store.atomic_output import build_directory
from modelcore.store.digest_cache import DIGESTS, DigestCache
from modelcore.store.disk import make_directory
from modelcore.store.location import remote_of
from modelcore.store.lock import locked
from modelcore.store.manifest import (
    FileEntry,
    Manifest,
    as_plain,
    content_digest,
    describe_files,
    file_sha256,
    stat_of,
)
from modelcore.store.remote_store import RemoteStore
from modelcore.versions import recorded_versions

__all__ = ["Artifact", "Built", "Store"]

_KEY_LENGTH = 20  # 80 bits: two of a billion artifacts collide with a chance of 1 in 10^6


@dataclass(frozen=True)
class Artifact:
    """A committed directory of the store."""

    path: Path
    manifest: Manifest

    @property
    def digest(self) -> str:
        """The sha256 of the contents; what later steps take as their input."""
        return self.manifest.digest


@dataclass(frozen=True)
class Built:
    """What `Store.build` returns: the artifact, whether it was there already, seconds this call took."""

    artifact: Artifact
    cached: bool
    seconds: float


class Store:
    """Artifacts under `root/<step>/<key>/`, and in a bucket where the root is that of one.

    Args:
        root: the directory; see `store_directory`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.digests = DigestCache(self.root / DIGESTS)
        remote = remote_of(self.root)
        self.remote = None if remote is None else RemoteStore(remote)

    def build(
        self,
        step: str,
        build: Callable[[Path], object],
        *,
        version: int,
        inputs: Mapping[str, str],
        parameters: Mapping[str, Any],
        recorded: Mapping[str, Any] = {},
        on_wait: Callable[[], None] = lambda: None,
    ) -> Built:
        """Return the artifact of these inputs and parameters, building it where needed.

        Args:
            step: the step's name, a directory of the store.
            build: fills the directory that it is called with. After it died it is called again with the
                same directory, and resumes from what is there.
            version: raised when the step's output changes for the same inputs.
            inputs: digests of what the step reads, by name.
            parameters: everything else that the output depends on, as JSON values.
            recorded: what the manifest says besides, as JSON values; no part of the key.
            on_wait: called once if another process is building this artifact right now.

        Raises:
            MindrailError: the store cannot be written.
            StepFailed: the step left no file.
        """
        started = time.monotonic()
        plain = as_plain(parameters)
        key = _key_of(step, version, inputs, plain)
        final = self.root / step / key
        make_directory(final.parent, fix="choose another place with --store")

        def build_here() -> Artifact:
            def build_and_describe(partial: Path) -> Manifest:
                build(partial)
                seconds = time.monotonic() - started
                described = _manifest(partial, step, version, key, dict(inputs), plain, seconds)
                manifest = replace(described, recorded=as_plain({**recorded_versions(), **recorded}))
                manifest.write(partial)
                if final.exists():  # damaged, or `find` would have returned it
                    shutil.rmtree(final)
                return manifest

            partial = final.with_name(f"{key}.partial")
            return Artifact(final, build_directory(final, partial, build_and_describe))

        with locked(final.with_name(f"{key}.lock"), on_busy=on_wait, remove=True):
            present = self.find(step, key)
            if self.remote is None:
                artifact, cached = (build_here(), False) if present is None else (present, True)
            else:
                artifact, cached = self._shared(self.remote, step, key, present, build_here, on_wait)
            if cached:
                with suppress(OSError):  # of another user: readable is enough
                    os.utime(artifact.path)  # the time of its last use
                return Built(artifact, True, time.monotonic() - started)
            return Built(artifact, False, artifact.manifest.seconds)

    def _shared(
        self,
        remote: RemoteStore,
        step: str,
        key: str,
        present: Artifact | None,
        build: Callable[[], Artifact],
        on_wait: Callable[[], None],
    ) -> tuple[Artifact, bool]:
        """Return an artifact that is here and in the bucket, and whether it was in one of both."""
        theirs = remote.manifest(step, key)
        if present is not None and theirs is not None and theirs.digest == present.digest:
            return present, True
        with remote.locked(step, key, on_wait):
            fetched = self._fetched(remote, step, key)
            if fetched is not None:
                return fetched, True
            artifact = present if present is not None and present.path.exists() else build()
            remote.push(artifact.path, artifact.manifest, anew=theirs is not None)
            return artifact, artifact is present

    def _fetched(self, remote: RemoteStore, step: str, key: str) -> Artifact | None:
        """Return the bucket's artifact, copied to this machine; None if it is not there, or damaged."""
        manifest = remote.manifest(step, key)
        if manifest is None or manifest.key != key or _key_of_manifest(manifest) != key:
            return None
        here = self.find(step, key)
        if here is not None and here.digest == manifest.digest:
            return here
        final = self.root / step / key
        if not remote.fetch(manifest, final):
            return None
        return Artifact(final, manifest)

    def fetch(self, artifact: Artifact) -> Artifact:
        """Return an artifact of `artifacts` whose files are on this machine.

        Raises:
            StepFailed: they are not in the bucket any more, or damaged there.
        """
        if self.remote is None or artifact.path.exists():
            return artifact
        manifest = artifact.manifest
        artifact.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(artifact.path.with_name(f"{manifest.key}.lock"), remove=True):
            fetched = self._fetched(self.remote, manifest.step, manifest.key)
        if fetched is None:
            raise StepFailed("is damaged in the bucket", where=artifact.path, fix="run the flow again")
        return fetched

    def find(self, step: str, key: str) -> Artifact | None:
        """Return the artifact if every file is as it was built, or None if it has to be built.

        A file whose size and mtime are the recorded ones is not read; of one with another mtime the sha256
        is compared.
        """
        path = self.root / step / key
        manifest = Manifest.read(path)
        if manifest is None or manifest.key != key or _key_of_manifest(manifest) != key:
            return None
        if any(_damage(path, entry, thorough=False) for entry in manifest.files):
            return None
        return Artifact(path, manifest)

    def damages(self, artifact: Artifact) -> list[str]:
        """Read every file of `artifact` and return what is wrong, one line per damaged file."""
        here = artifact.path.exists() or self.remote is None
        files = artifact.manifest.files if here else ()
        found = [_damage(artifact.path, entry, thorough=True) for entry in files]
        if self.remote is not None:
            found += self.remote.damages(artifact.manifest)
        return [line for line in found if line]

    def artifacts(self) -> list[Artifact]:
        """Return every committed artifact with a readable manifest, oldest first; files unchecked.

        Of a store in a bucket those that are only there count, too; `fetch` copies their files to `path`.
        """
        known = {artifact.path: artifact for artifact in self.local_artifacts()}
        for manifest in self.remote.manifests() if self.remote is not None else ():
            path = self.root / manifest.step / manifest.key
            known.setdefault(path, Artifact(path, manifest))
        return sorted(known.values(), key=lambda artifact: artifact.manifest.created)

    def local_artifacts(self) -> list[Artifact]:
        """Return those whose files are in the store's directory on this machine."""
        found = ((path, Manifest.read(path)) for path in self.root.glob("*/*") if "." not in path.name)
        return [Artifact(path, manifest) for path, manifest in found if manifest is not None]


def _key_of(step: str, version: int, inputs: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    origin = {"step": step, "version": version, "inputs": dict(inputs), "parameters": dict(parameters)}
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:_KEY_LENGTH]


def _key_of_manifest(manifest: Manifest) -> str:
    return _key_of(manifest.step, manifest.version, manifest.inputs, manifest.parameters)


def _manifest(
    directory: Path,
    step: str,
    version: int,
    key: str,
    inputs: dict[str, str],
    parameters: dict[str, Any],
    seconds: float,
) -> Manifest:
    files = describe_files(directory)
    if not files:
        raise StepFailed("the step ended without an output", where=directory, fix="run it again")
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    digest = content_digest(files)
    host = socket.gethostname()
    return Manifest(step, version, key, inputs, parameters, files, digest, round(seconds, 3), created, host)


def _damage(directory: Path, entry: FileEntry, *, thorough: bool) -> str:
    path = directory / entry.path
    state = stat_of(path)
    if state is None:
        return f"{path}: missing"
    if state[0] != entry.size:
        return f"{path}: {state[0]} bytes, {entry.size} when it was built"
    if (thorough or state[1] != entry.modified) and file_sha256(path) != entry.sha256:
        return f"{path}: its sha256 is not that of the file that was built"
    return ""
