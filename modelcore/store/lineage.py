"""Finds the artifacts that one was built from, by the digests in its manifest. Reads manifests only."""

from __future__ import annotations

from modelcore.store.manifest import Manifest
from modelcore.store.store import Artifact, Store

__all__ = ["ancestors"]


def ancestors(store: Store, manifest: Manifest) -> list[Artifact]:
    """Return the artifacts that one was built from, directly or not, nearest first.

    Of steps that built the same contents, all count. An input that is not in the store any more, or never was
    an artifact, is left out with its own inputs.

    Args:
        store: where to look.
        manifest: of the artifact, which may be in another store.
    """
    by_digest: dict[str, list[Artifact]] = {}
    for artifact in store.artifacts():
        if artifact.manifest != manifest:
            by_digest.setdefault(artifact.digest, []).append(artifact)
    found: list[Artifact] = []
    seen: set[str] = set()
    pending = list(manifest.inputs.values())
    while pending:
        digest = pending.pop(0)
        if digest not in seen:
            seen.add(digest)
            same = by_digest.get(digest, [])
            found += same
            pending += [parent for artifact in same for parent in artifact.manifest.inputs.values()]
    return found
