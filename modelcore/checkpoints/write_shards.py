"""Writes many files of slices at the speed of a plain copy, and resumes at the next file after a kill.

Where a slice has the same bytes in its source and in the target, the kernel copies them (copy_file_range) and
they never enter the process. So nothing is hashed and no values are counted here, unlike in
`modelcore.weights.write_file`; a file that was not finished is started over.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent
from modelcore.store.disk import disk_errors, write_at
from modelcore.weights.file_layout import FileLayout, Place
from modelcore.weights.tensors import CHUNK, Extent, LazyTensor, StoredTensor
from modelcore.weights.write_file import scratch_path

__all__ = ["Target", "write_targets"]

# More do not help: the disk is busy. Two already hide the assembling of columns behind the writing.
_WORKERS = min(4, max(2, os.cpu_count() or 1))
# Bytes that the kernel copies in one call: enough to be efficient, few enough to show progress.
_COPY = 16 << 20


@dataclass(frozen=True)
class Target:
    """A file to write: its layout and the tensors that go into it, by name."""

    layout: FileLayout
    tensors: Mapping[str, LazyTensor]


def write_targets(targets: Mapping[Path, Target], origin: str, *, progress: Progress = silent) -> None:
    """Write every target, except those that an interrupted call with the same `origin` has finished.

    Until all files are there, each finished one has a note beside it (`<name>.origin`) of what it was made
    from, written when the file is on the disk.

    Args:
        targets: the files, by path; several are written at once.
        origin: what they are made from; a file that was made from something else is written again.
        progress: called with the bytes written.

    Raises:
        MindrailError: a source file ends too early.
        StepFailed: the disk is full.
    """
    origins = {path: f"{origin} {target.layout.digest()}" for path, target in targets.items()}
    finished = {path for path in targets if path.exists() and _note(path) == origins[path]}
    done = _Counter(progress, sum(target.layout.size for target in targets.values()))
    done(sum(targets[path].layout.size for path in finished))
    pending = [path for path in targets if path not in finished]
    at_once = max(1, min(_WORKERS, len(pending)))
    with ThreadPoolExecutor(at_once) as pool:
        write = partial(_write_file, workers=_WORKERS // at_once, done=done)
        _collect(pool, [partial(write, path, targets[path], origins[path]) for path in pending])
    for path in targets:
        _note_path(path).unlink(missing_ok=True)


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".origin")


def _note(path: Path) -> str:
    note = _note_path(path)
    return note.read_text() if note.exists() else ""


class _Counter:
    """Adds up the bytes that several threads have written."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done, self._lock = progress, total, 0, Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress(self._done, self._total, "bytes")


def _write_file(
    path: Path, target: Target, origin: str, *, workers: int, done: Callable[[int], None]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_path(path)
    with disk_errors(path), scratch.open("wb", buffering=0) as file:
        descriptor = file.fileno()
        os.ftruncate(descriptor, target.layout.size)
        for offset, header in target.layout.headers:
            write_at(descriptor, header, offset)
            done(len(header))
        jobs = [
            partial(
                _write_tensor, descriptor, target.tensors[spec.name], target.layout.places[spec.name], done
            )
            for spec in target.layout.specs
        ]
        with ThreadPoolExecutor(max(1, workers)) as pool:
            _collect(pool, jobs)
        os.fsync(descriptor)
    _note_path(path).write_text(origin)
    scratch.replace(path)


def _collect(pool: ThreadPoolExecutor, jobs: Sequence[Callable[[], None]]) -> None:
    """Run the jobs; after a failure start no more and raise it."""
    futures = [pool.submit(job) for job in jobs]
    try:
        for future in futures:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _write_tensor(
    descriptor: int, tensor: LazyTensor, places: Sequence[Place], done: Callable[[int], None]
) -> None:
    if isinstance(tensor, StoredTensor):
        for extent, offset in _matched(tensor.extents, places):
            _copy(extent, descriptor, offset, done)
        return
    at = 0
    for chunk in tensor.chunks():
        data = chunk.data.cast("B")
        for start, length, offset in _parts(places, at, at + len(data)):
            write_at(descriptor, data[start - at : start - at + length], offset)
        at += len(data)
        done(len(data))


def _matched(extents: Sequence[Extent], places: Sequence[Place]) -> Iterator[tuple[Extent, int]]:
    """Yield (source bytes, target offset), split wherever a source extent or a target place ends."""
    at = 0
    for extent in extents:
        for start, length, offset in _parts(places, at, at + extent.length):
            yield Extent(extent.path, extent.offset + start - at, length), offset
        at += extent.length


def _parts(places: Sequence[Place], first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Yield (start, length, file offset) of bytes [first, last) of the tensor that goes to `places`."""
    begin = 0
    for place in places:
        start, stop = max(first, begin), min(last, begin + place.length)
        if start < stop:
            yield start, stop - start, place.offset + start - begin
        begin += place.length


def _copy(extent: Extent, descriptor: int, offset: int, done: Callable[[int], None]) -> None:
    copy = _kernel_copy if hasattr(os, "copy_file_range") else _plain_copy
    with extent.path.open("rb", buffering=0) as source:
        at = 0
        while at < extent.length:
            want = min(_COPY, extent.length - at)
            count = copy(source.fileno(), descriptor, want, extent.offset + at, offset + at)
            if not count:
                raise MindrailError("the file ends inside a tensor", where=extent.path, fix="get it again")
            at += count
            done(count)


def _kernel_copy(source: int, target: int, count: int, begin: int, offset: int) -> int:
    try:
        return os.copy_file_range(source, target, count, begin, offset)
    except OSError as error:
        # Not supported by this kernel or between these file systems.
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        return _plain_copy(source, target, count, begin, offset)


def _plain_copy(source: int, target: int, count: int, begin: int, offset: int) -> int:
    data = os.pread(source, min(count, CHUNK), begin)
    write_at(target, data, offset)
    return len(data)
