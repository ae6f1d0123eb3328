"""Where a step's input lies, and the digest that stands for it in the step's key.

The digest is of contents, never of paths or times: the same file elsewhere is the same input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from modelcore.errors import MindrailError
from modelcore.store.manifest import Manifest, content_digest, file_sha256
from modelcore.store.model_files import INDEX_SUFFIX, WEIGHT_SUFFIXES

if TYPE_CHECKING:
    from tasks.step import Step

__all__ = [
    "directory_digest",
    "local_directory",
    "local_file",
    "local_path",
    "model_digest",
    "tokenizer_digest",
]

_WEIGHTS = (*WEIGHT_SUFFIXES, *(suffix + INDEX_SUFFIX for suffix in WEIGHT_SUFFIXES))


def local_file(place: str, *, key: str) -> tuple[Path, str]:
    """Return the path of an input file and the sha256 of its contents.

    Raises:
        MindrailError: there is no such file; `key` is the configuration key that named it.
    """
    path = Path(place)
    if not path.is_file():
        raise MindrailError("there is no such file", where=f"{key}: {path}", fix="check the path")
    return path, file_sha256(path)


def local_path(source: str) -> Path | None:
    """Return the path of a file:// source, None for a source elsewhere."""
    parts = urlsplit(source)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def local_directory(source: str, *, key: str) -> Path | None:
    """Return the directory of a file:// source, None for a source elsewhere.

    Raises:
        MindrailError: the directory is not there.
    """
    path = local_path(source)
    if path is not None and not path.is_dir():
        raise MindrailError("there is no such directory", where=f"{key}: {path}", fix="check the path")
    return path


def directory_digest(directory: Path) -> str:
    """Return a digest of the names and contents of all files below a directory."""
    return _files_digest(directory, (path for path in directory.rglob("*") if path.is_file()))


def model_digest(directory: Path, *, weights: bool = True) -> str:
    """Return a digest of the names and contents of the files in a model's directory.

    Args:
        directory: as published; what lies in directories below it is no part of a model.
        weights: whether the weights count, or only configuration and tokenizer.
    """
    files = (path for path in directory.iterdir() if path.is_file())
    return _files_digest(directory, (path for path in files if weights or _no_weights(path.name)))


def _files_digest(directory: Path, paths: Iterable[Path]) -> str:
    """Return a digest of the contents of files and of their names below `directory`."""
    lines = sorted(f"{path.relative_to(directory).as_posix()} {file_sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tokenizer_digest(checkpoint: Step) -> str:
    """Return the digest of all that a checkpoint holds but its weights: tokenizer and config.

    Of a directory that is no artifact, these small files are read.
    """
    manifest = Manifest.read(checkpoint.path)
    if manifest is None:
        return model_digest(checkpoint.path, weights=False)
    return content_digest(tuple(entry for entry in manifest.files if _no_weights(entry.path)))


def _no_weights(name: str) -> bool:
    return not name.endswith((*_WEIGHTS, "conversion.json"))
