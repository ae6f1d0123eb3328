"""An input that a person names by its path, as the step that would have made it.

A flow of one step starts from what is there: an artifact of the store, or any directory or file.
"""

from __future__ import annotations

from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.manifest import Manifest, file_sha256
from tasks.inputs import directory_digest
from tasks.step import Step

__all__ = ["given"]


def given(place: str, *, key: str) -> Step:
    """Return the artifact, directory or file at `place` as a step that is done.

    An artifact keeps its digest; that of a file or directory is of its contents.

    Args:
        place: a path on this machine.
        key: the flow's parameter that named it, for the error.

    Raises:
        MindrailError: there is nothing there.
    """
    path = Path(place)
    if path.is_file():
        return _given(path, file_sha256(path), path.stat().st_size)
    if not path.is_dir():
        raise MindrailError(
            "there is no such file or directory", where=f"{key}: {path}", fix="check the path"
        )
    manifest = Manifest.read(path)
    if manifest is not None:
        return _given(path, manifest.digest, manifest.size)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return _given(path, directory_digest(path), size)


def _given(path: Path, digest: str, size: int) -> Step:
    return Step("given", path.absolute(), digest, cached=True, seconds=0.0, size=size, built_in=0.0)
