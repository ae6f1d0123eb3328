"""Where a step's input lies, and the digest that stands for it in the step's key.

A configuration names inputs by path, by benchmark or as `{first_programs}/…`, inside the artifact
that the demo makes. The digest is of contents: the same file elsewhere is the same input.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from modelcore.config.schema import FIRST_PROGRAMS
from modelcore.errors import MindrailError
from modelcore.store.manifest import Manifest, content_digest, file_sha256

if TYPE_CHECKING:
    from tasks.step import Step

__all__ = ["local_directory", "local_file", "resolve", "tokenizer_digest", "tree_digest"]

_WEIGHTS = (".safetensors", ".ckpt", ".bin", ".pth", ".safetensors.index.json", ".bin.index.json")


def resolve(place: str, first_programs: Step | None) -> str:
    """Return `place` with the demo's artifact put in, where it is named."""
    return place.replace(FIRST_PROGRAMS, str(first_programs.path)) if first_programs else place


def local_file(place: str, *, key: str) -> tuple[Path, str]:
    """Return the path of an input file and the sha256 of its contents.

    Raises:
        MindrailError: there is no such file; `key` is the configuration key that named it.
    """
    path = Path(place)
    if not path.is_file():
        raise MindrailError("there is no such file", where=f"{key}: {path}", fix="check the path")
    return path, file_sha256(path)


def local_directory(source: str, *, key: str) -> Path | None:
    """Return the directory of a file:// source, None for a source elsewhere.

    Raises:
        MindrailError: the directory is not there.
    """
    if not source.startswith("file://"):
        return None
    path = Path(source.removeprefix("file://"))
    if not path.is_dir():
        raise MindrailError("there is no such directory", where=f"{key}: {path}", fix="check the path")
    return path


def tree_digest(directory: Path) -> str:
    """Return a digest of the names, sizes and times of all files below a directory, without reading them."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        state = path.stat()
        name = path.relative_to(directory).as_posix()
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def tokenizer_digest(checkpoint: Step) -> str:
    """Return the digest of all that a checkpoint holds but its weights: tokenizer and config.

    Of a directory that is no artifact, these small files are read.
    """
    manifest = Manifest.read(checkpoint.path)
    if manifest is None:
        files = (path for path in sorted(checkpoint.path.iterdir()) if path.is_file())
        return hashlib.sha256(
            "".join(f"{path.name} {file_sha256(path)}\n" for path in files if _no_weights(path.name)).encode()
        ).hexdigest()
    return content_digest(tuple(entry for entry in manifest.files if _no_weights(entry.path)))


def _no_weights(name: str) -> bool:
    return not name.endswith((*_WEIGHTS, "conversion.json"))
