"""Compiled graphs kept between runs, in MindSpore's compile cache: a start takes a second instead of six.

MindSpore's cache numbers graphs in the order they are compiled and does not look at Python values, so a
directory here is named by a hash of all that the graphs depend on: the model, its shapes, the rank, the
sources and the versions. A directory appears when it is complete and is compared with its digests before it
is used.

MindSpore reads a cell's source from its file when it compiles. Graphs are kept only if the sources after
compiling are those that were there when the process began.

`MINDRAIL_CACHE` names another place than ~/.cache/mindrail, or is `off`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from modelcore.errors import StepFailed
from modelcore.store.user_cache import user_cache

__all__ = ["Sources", "compiled_graphs", "graph_directory"]

_KEPT = 64  # directories; the least recently used go
_DIGESTS = "digests.json"
_MODELCORE = Path(__file__).parents[1]
_used = False  # graphs are numbered within a process, so only its first block has the expected numbers


class Sources:
    """The source files that a program's graphs come from, as they are when this is created.

    Args:
        packages: of modelcore.
        root: modelcore's directory.
    """

    def __init__(self, packages: Sequence[str], root: Path = _MODELCORE) -> None:
        self._packages, self._root = tuple(packages), root
        self.digest = self._read()

    def check(self) -> None:
        """Raise StepFailed if a file is not what it was: graphs compiled since then may be of either."""
        if self._read() != self.digest:
            raise StepFailed("its sources changed while its graphs were compiled", where=self._root)

    def _read(self) -> str:
        sha = hashlib.sha256()
        for package in self._packages:
            for source in sorted((self._root / package).rglob("*.py")):
                sha.update(f"{source.relative_to(self._root)}:".encode() + source.read_bytes())
        return sha.hexdigest()


@contextmanager
def compiled_graphs(facts: Mapping[str, object], sources: Sources) -> Iterator[None]:
    """Let the graphs that are compiled in the block be read from, or kept in, the cache.

    Args:
        facts: what they depend on beside sources and versions; plain values.
        sources: what they are compiled from.

    Raises:
        StepFailed: a source file changed since `sources` was created.
    """
    global _used
    root = _root()
    if root is None or _used:
        yield
        sources.check()
        return
    _used = True
    directory = graph_directory(root, facts, sources)
    if _is_sound(directory):
        os.utime(directory)
        with _caching_in(directory):
            yield
        sources.check()
        return
    shutil.rmtree(directory, ignore_errors=True)
    partial = directory.with_name(f"{directory.name}.{uuid.uuid4().hex}.partial")
    try:
        with _caching_in(partial):
            yield
        sources.check()
        _keep(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def graph_directory(root: Path, facts: Mapping[str, object], sources: Sources) -> Path:
    """Return the directory under `root` for graphs that depend on `facts`, these sources and versions."""
    sha = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for package in ("mindspore", "numpy"):
        sha.update(f"{package} {version(package)};".encode())
    sha.update(f"{platform.python_version()} {platform.machine()};".encode())
    sha.update(f"{Path(sys.argv[0]).name};".encode())  # MindSpore refuses another program's graphs
    sha.update(sources.digest.encode())
    return root / sha.hexdigest()[:20]


def _root() -> Path | None:
    """Return where to keep graphs, None if nowhere: it is off, cannot be written, or the device is no CPU.

    MindSpore reads the program's file to see whether graphs are still good, so there must be one.
    """
    import mindspore

    if not Path(sys.argv[0]).is_file() or mindspore.get_context("device_target") != "CPU":
        return None
    return user_cache("graphs")


@contextmanager
def _caching_in(directory: Path) -> Iterator[None]:
    import mindspore

    mindspore.set_context(enable_compile_cache=True, compile_cache_path=str(directory))
    try:
        yield
    finally:
        mindspore.set_context(enable_compile_cache=False)


def _is_sound(directory: Path) -> bool:
    try:
        expected = json.loads((directory / _DIGESTS).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(expected == _digests(directory))


def _digests(directory: Path) -> dict[str, str]:
    return {
        str(graph.relative_to(directory)): hashlib.sha256(graph.read_bytes()).hexdigest()
        for graph in sorted(directory.rglob("*.mindir"))
    }


def _keep(partial: Path, directory: Path) -> None:
    """Put finished graphs in their place, unless another process was first; forget the oldest."""
    digests = _digests(partial) if partial.is_dir() else {}
    if not digests:
        return
    (partial / _DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
    try:
        partial.rename(directory)
    except OSError:  # not empty: the other process compiled the same
        return
    kept = [path for path in directory.parent.iterdir() if not path.name.endswith(".partial")]
    for path in sorted(kept, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
