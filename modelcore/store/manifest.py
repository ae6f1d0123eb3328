"""The manifest of an artifact: its files with their digests, and what they were built from.

The manifest is the last file written before an artifact is committed, so an artifact without a valid
manifest does not count. Files under `logs/` (times, hosts, output of child processes) are not listed:
they may differ between two runs that built the same thing, so they are neither part of an artifact's
digest nor checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modelcore.boundary.files import read_file
from modelcore.boundary.json_text import parse_json
from modelcore.errors import MindrailError
from modelcore.store.durable import replace_contents

__all__ = ["LOGS", "MANIFEST", "FileEntry", "Manifest", "content_digest", "describe_files", "file_sha256"]

MANIFEST = "manifest.json"
LOGS = "logs"
_BLOCK = 1 << 20
_LARGEST = 64 << 20  # bytes; a file takes 200


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact; `modified` is its mtime in nanoseconds when it was last hashed."""

    path: str
    size: int
    sha256: str
    modified: int


@dataclass(frozen=True)
class Manifest:
    """What an artifact holds and what it was built from.

    `digest` stands for the contents (paths and sha256 of every file), `key` for the origin (step,
    version, inputs' digests, parameters). `seconds`, `created`, `host` and `recorded` (versions of other
    packages, names of what was read) are recorded, never hashed.
    """

    step: str
    version: int
    key: str
    inputs: dict[str, str]
    parameters: dict[str, Any]
    files: tuple[FileEntry, ...]
    digest: str
    seconds: float
    created: str
    host: str
    recorded: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)

    def write(self, directory: Path) -> None:
        """Write the manifest into `directory`, complete or not at all."""
        replace_contents(directory / MANIFEST, self.as_json())

    def as_json(self) -> bytes:
        """Return the contents of its file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode("ascii")

    @classmethod
    def read(cls, directory: Path) -> Manifest | None:
        """Return the manifest in `directory`, or None if there is none or its digest is wrong."""
        try:
            return cls.parse(read_file(directory / MANIFEST, _LARGEST))
        except MindrailError:
            return None

    @classmethod
    def parse(cls, text: bytes) -> Manifest | None:
        """Return the manifest in the contents of its file, or None if it is none or its digest is wrong."""
        try:
            raw = parse_json(text, surrogates=True)  # names of files
            files = tuple(FileEntry(**entry) for entry in raw.pop("files"))
            manifest = cls(files=files, **raw)
        except (MindrailError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return manifest if manifest._is_sound() else None

    def _is_sound(self) -> bool:
        """Whether every value is of its type and the digest is that of the files."""
        listed = (text for entry in self.files for text in (entry.path, entry.sha256))
        texts = (self.step, self.key, self.digest, self.created, self.host, *listed)
        sizes = (self.version, *(number for entry in self.files for number in (entry.size, entry.modified)))
        return (
            all(isinstance(text, str) for text in texts)
            and all(type(size) is int for size in sizes)
            and isinstance(self.inputs, dict)
            and isinstance(self.parameters, dict)
            and type(self.seconds) in (int, float)
            and content_digest(self.files) == self.digest
        )


def content_digest(files: tuple[FileEntry, ...]) -> str:
    """Return the sha256 over the paths and digests of `files`, in the order of their paths."""
    digest = hashlib.sha256()
    for entry in sorted(files, key=lambda entry: entry.path):
        digest.update(f"{entry.path}\0{entry.sha256}\n".encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def describe_files(directory: Path) -> tuple[FileEntry, ...]:
    """Hash every file under `directory` but the manifest and `logs/`; several files at a time."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and _is_listed(path, directory))
    with ThreadPoolExecutor() as pool:  # hashlib releases the interpreter lock
        return tuple(pool.map(lambda path: _describe(path, directory), paths))


def stat_of(path: Path) -> tuple[int, int] | None:
    """Return (size, mtime in ns) of the regular file at `path`, or None where there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_size, state.st_mtime_ns) if path.is_file() else None


def _is_listed(path: Path, directory: Path) -> bool:
    inside = path.relative_to(directory)
    return inside.parts[0] != LOGS and inside.parts[0] not in (MANIFEST, MANIFEST + ".new")


def _describe(path: Path, directory: Path) -> FileEntry:
    state = path.stat()
    return FileEntry(str(path.relative_to(directory)), state.st_size, file_sha256(path), state.st_mtime_ns)


def as_plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return `value` as it comes back from JSON (tuples become lists), so that keys compare."""
    plain: dict[str, Any] = json.loads(json.dumps(value, sort_keys=True, allow_nan=False))
    return plain
