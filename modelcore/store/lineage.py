"""Finds the artifacts that one was built from, by the digests in its manifest. Reads manifests only."""

from __future__ import annotations

from modelcore.store.manifest import Manifest
from modelcore.store.store import Artifact, Store

__all__ = ["ancestors"]


def ancestors(store: Store, manifest: Manifest) -> list[Artifact]:
    """Return the artifacts that one was built from, directly or not, nearest first.

    An input that is not in the store any more, or never was an artifact, is left out with its own inputs.

    Args:
        store: where to look.
        manifest: of the artifact, which may be in another store.
    """
    by_digest = {artifact.digest: artifact for artifact in store.artifacts()}
    found: dict[str, Artifact] = {}
    pending = list(manifest.inputs.values())
    while pending:
        digest = pending.pop(0)
        artifact = by_digest.get(digest)
        if artifact is not None and digest not in found:
            found[digest] = artifact
            pending += artifact.manifest.inputs.values()
    return list(found.values())
