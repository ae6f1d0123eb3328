"""What a step reads from outside the store, and the digest that stands for it in the step's key.

A digest is of names and contents, never of paths or times: the same file elsewhere is the same input. No
Prefect here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelcore.errors import MindrailError
from modelcore.store.manifest import Manifest, content_digest
from modelcore.store.model_files import INDEX_SUFFIX, WEIGHT_SUFFIXES
from modelcore.store.store import Store
from tasks.step import Step

__all__ = ["check_file", "input_step", "joint_digest", "local_path", "model_digest", "tokenizer_digest"]

_WEIGHTS = (*WEIGHT_SUFFIXES, *(suffix + INDEX_SUFFIX for suffix in WEIGHT_SUFFIXES))


def check_file(name: str, *, key: str) -> Path:
    """Return the path of an input file.

    Raises:
        MindrailError: there is no such file; `key` is the configuration key that named it.
    """
    path = Path(name)
    if not path.is_file():
        raise MindrailError("there is no such file", where=f"{key}: {path}", fix="check the path")
    return path


def joint_digest(digests: Sequence[str]) -> str:
    """Return the digest of one file's contents, or one of those of several in their order."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def local_path(source: str) -> Path | None:
    """Return the path of a file:// source, None for a source elsewhere."""
    parts = urlsplit(source)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def input_step(store: Store, name: str, *, key: str) -> Step:
    """Return an artifact, directory or file as a finished step, for a flow that starts from it.

    An artifact keeps its digest; that of a file or directory is of its contents.

    Args:
        store: where the digests of large files are remembered.
        name: a path on this machine.
        key: the parameter that named it, for the error.

    Raises:
        MindrailError: there is nothing there.
    """
    path = Path(name).absolute()
    if path.is_file():
        return _input(path, store.digests.sha256(path), path.stat().st_size)
    if not path.is_dir():
        raise MindrailError(
            "there is no such file or directory", where=f"{key}: {name}", fix="check the path"
        )
    manifest = Manifest.read(path)
    if manifest is not None:
        return _input(path, manifest.digest, manifest.size)
    files = [file for file in path.rglob("*") if file.is_file()]
    return _input(path, _digest(store, path, files), sum(file.stat().st_size for file in files))


def model_digest(store: Store, directory: Path, *, weights: bool = True) -> str:
    """Return a digest of the files in a model's directory.

    Args:
        store: where the digests of large files are remembered.
        directory: as published; what lies in directories below it is no part of a model.
        weights: whether the weights count, or only configuration and tokenizer.
    """
    files = (path for path in directory.iterdir() if path.is_file())
    return _digest(store, directory, [path for path in files if weights or _no_weights(path.name)])


def tokenizer_digest(store: Store, checkpoint: Step) -> str:
    """Return the digest of everything in a checkpoint but its weights: tokenizer and config.

    Of a directory that is no artifact, these small files are read.
    """
    manifest = Manifest.read(checkpoint.path)
    if manifest is None:
        return model_digest(store, checkpoint.path, weights=False)
    return content_digest(tuple(entry for entry in manifest.files if _no_weights(entry.path)))


def _input(path: Path, digest: str, size: int) -> Step:
    return Step("input", path, digest, cached=True, seconds=0.0, size=size, built_in=0.0)


def _digest(store: Store, directory: Path, files: Iterable[Path]) -> str:
    """Return a digest of the contents of files and of their names below `directory`."""
    paths = sorted(files)
    with ThreadPoolExecutor() as pool:  # hashlib releases the interpreter lock
        digests = pool.map(store.digests.sha256, paths)
    names = (path.relative_to(directory).as_posix() for path in paths)
    lines = "".join(f"{name} {digest}\n" for name, digest in zip(names, digests, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _no_weights(name: str) -> bool:
    return not name.endswith((*_WEIGHTS, "conversion.json"))
