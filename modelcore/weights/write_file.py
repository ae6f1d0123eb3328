"""Writes the tensors of one file with a few threads, and resumes a file that was interrupted.

The file is `<name>.writing` until it is complete. Beside it, `<name>.journal` lists the tensors written so
far; a later call for the same file writes only the rest.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from modelcore.store.disk import disk_errors, write_at
from modelcore.store.journal import Journal, read_journal
from modelcore.weights.casting import count_nonfinite
from modelcore.weights.file_layout import FileLayout, Place, TensorSpec
from modelcore.weights.tensor_record import TensorRecord, intact_records
from modelcore.weights.tensors import LazyTensor

__all__ = ["journal_path", "scratch_path", "write_file"]

_THREADS = min(8, max(2, os.cpu_count() or 1))
# Tensors from this size on go to the disk as soon as they are written, while others are hashed.
_FLUSHED_FROM = 16 << 20


def write_file(
    path: Path,
    layout: FileLayout,
    tensors: Mapping[str, LazyTensor],
    *,
    origin: str = "",
    wrote: Callable[[int], None] = lambda count: None,
) -> list[TensorRecord]:
    """Write `tensors` to `path` in the given layout.

    Args:
        path: the file; of what is there already, complete or not, tensors whose sha256 is right are kept.
        layout: of the file; `tensors` must have every tensor of it, with the same dtype and shape.
        tensors: name -> tensor, read once, by any thread.
        origin: what the tensors are made from; a file started from something else is started over.
        wrote: called, by one thread at a time, with each number of bytes that is written.

    Returns:
        The record of every tensor, in the layout's order. The journal (`journal_path`) stays, for a caller
        that may still be interrupted; remove it in the end.

    Raises:
        StepFailed: the disk is full.
        MindrailError: a tensor cannot be read.
    """
    subject = f"{layout.digest()} {origin}"
    scratch = scratch_path(path)
    if path.exists():
        path.rename(scratch)
    records = _written_before(path, subject, layout, wrote)
    if not records:
        scratch.unlink(missing_ok=True)
    missing = [spec for spec in layout.specs if spec.name not in records]
    rows = [record.to_json() for record in records.values()]
    with (
        Journal(journal_path(path), rows, subject=subject) as journal,
        disk_errors(path),
        scratch.open("r+b" if records else "w+b", buffering=0) as file,
    ):
        _prepare(file.fileno(), layout)
        for record in _write_all(file.fileno(), layout, missing, tensors, wrote):
            journal.append(record.to_json())
            records[record.name] = record
    scratch.rename(path)
    return [records[spec.name] for spec in layout.specs]


def journal_path(path: Path) -> Path:
    """Return the path of the journal of the file at `path`."""
    return path.with_name(path.name + ".journal")


def scratch_path(path: Path) -> Path:
    """Return the path that the file at `path` has until it is complete."""
    return path.with_name(path.name + ".writing")


def _written_before(
    path: Path, subject: str, layout: FileLayout, wrote: Callable[[int], None]
) -> dict[str, TensorRecord]:
    """Return the records, by name, of what an interrupted call wrote and is still intact."""
    rows = read_journal(journal_path(path), subject)
    if not rows or not scratch_path(path).exists():
        return {}
    return intact_records(scratch_path(path), layout, map(TensorRecord.from_json, rows), wrote)


def _prepare(descriptor: int, layout: FileLayout) -> None:
    os.ftruncate(descriptor, layout.size)
    for offset, header in layout.headers:
        write_at(descriptor, header, offset)


def _write_all(
    descriptor: int,
    layout: FileLayout,
    specs: Sequence[TensorSpec],
    tensors: Mapping[str, LazyTensor],
    wrote: Callable[[int], None],
) -> Iterator[TensorRecord]:
    """Write the tensors, several at a time, and yield their records as they are done."""
    stop = threading.Event()
    lock = threading.Lock()

    def done(count: int) -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            wrote(count)

    with ThreadPoolExecutor(_THREADS) as pool:
        # The largest first, so that no thread works alone on one at the end.
        pending = {
            pool.submit(_write_tensor, descriptor, spec, layout.places[spec.name], tensors[spec.name], done)
            for spec in sorted(specs, key=lambda spec: -spec.nbytes)
        }
        try:
            while pending:
                finished, pending = wait(pending, return_when=FIRST_EXCEPTION, timeout=1)
                for future in finished:
                    yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """Another thread failed; this one's work is no longer needed."""


def _write_tensor(
    descriptor: int,
    spec: TensorSpec,
    places: Sequence[Place],
    tensor: LazyTensor,
    done: Callable[[int], None],
) -> TensorRecord:
    sha = hashlib.sha256()
    nan = infinite = at = 0
    for chunk in tensor.chunks():
        data = chunk.view(np.uint8).data
        sha.update(data)
        counts = count_nonfinite(chunk, spec.dtype)
        nan, infinite = nan + counts[0], infinite + counts[1]
        _write_into(descriptor, data, places, at)
        at += len(data)
        done(len(data))
    if at != spec.nbytes:
        raise RuntimeError(f"{spec.name}: {at} bytes, {spec.nbytes} expected")
    if spec.nbytes >= _FLUSHED_FROM:
        for place in places:
            # Starts writing the dirty pages to the disk and returns; no data are lost.
            os.posix_fadvise(descriptor, place.offset, place.length, os.POSIX_FADV_DONTNEED)
    return TensorRecord(spec.name, spec.shape, spec.dtype.name, sha.hexdigest(), nan, infinite)


def _write_into(descriptor: int, data: memoryview, places: Sequence[Place], at: int) -> None:
    """Write `data` as bytes [at, at + len) of the tensor whose bytes go to `places`."""
    start = 0
    for place in places:
        first, last = max(at, start), min(at + len(data), start + place.length)
        if first < last:
            write_at(descriptor, data[first - at : last - at], place.offset + first - start)
        start += place.length
