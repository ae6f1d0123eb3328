from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints import write_shards
from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.errors import MindrailError, StepFailed
from modelcore.weights.checkpoint import open_file
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import LazyTensor, from_array, read

ARRAYS: dict[str, np.ndarray] = {
    "a": np.arange(100_000, dtype=np.int64),
    "b": np.array(7, np.float32),
    "c": np.ones((3, 5), np.int8),
}


def target(tensors: dict[str, LazyTensor]) -> Target:
    specs = [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
    return Target(ckpt_layout(specs), tensors)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.ckpt"
    write_targets({path: target({name: from_array(array) for name, array in ARRAYS.items()})}, "arrays")
    return path


def copied(source: Path, path: Path) -> dict[str, np.ndarray]:
    write_targets({path: target(dict(open_file(source)))}, "source")
    return {name: read(tensor) for name, tensor in open_file(path).items()}


def test_stored_and_computed_tensors_arrive_whole(source: Path, tmp_path: Path) -> None:
    found = copied(source, tmp_path / "deep" / "er" / "copy.ckpt")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
    assert (tmp_path / "deep" / "er" / "copy.ckpt").read_bytes() == source.read_bytes()
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["copy.ckpt"]


def test_the_bytes_are_the_same_where_the_kernel_cannot_copy(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    copied(source, tmp_path / "other_disk.ckpt")
    monkeypatch.delattr(os, "copy_file_range")
    copied(source, tmp_path / "other_system.ckpt")
    assert (tmp_path / "other_disk.ckpt").read_bytes() == source.read_bytes()
    assert (tmp_path / "other_system.ckpt").read_bytes() == source.read_bytes()


def test_a_source_that_became_shorter_is_named_and_leaves_no_file(source: Path, tmp_path: Path) -> None:
    tensors: dict[str, LazyTensor] = dict(open_file(source))
    os.truncate(source, 1000)
    with pytest.raises(MindrailError, match=r"source\.ckpt: the file ends inside a tensor"):
        write_targets({tmp_path / "copy.ckpt": target(tensors)}, "source")
    assert not (tmp_path / "copy.ckpt").exists()


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """Let no file grow beyond 100,000 bytes: what a full disk looks like from here."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_fails_the_step_and_leaves_no_file(
    source: Path, tmp_path: Path, small_files_only: None
) -> None:
    with pytest.raises(StepFailed, match=r"copy\.ckpt: the disk is full; free space and run again"):
        copied(source, tmp_path / "copy.ckpt")
    assert not (tmp_path / "copy.ckpt").exists()


def test_progress_reaches_the_total(source: Path, tmp_path: Path) -> None:
    calls: list[tuple[float, float | None]] = []
    write_targets(
        {tmp_path / f"{i}.ckpt": target(dict(open_file(source))) for i in range(3)},
        "source",
        progress=lambda done, total, unit, note="": calls.append((done, total)),
    )
    assert calls[-1] == (3 * source.stat().st_size, 3 * source.stat().st_size)
    assert calls == sorted(calls)


def test_only_files_of_the_same_origin_are_taken_for_finished(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.ckpt"
    tensors: dict[str, LazyTensor] = dict(open_file(source))
    wanted = source.read_bytes()
    files = {path: target(tensors)}
    write_targets(files, "source")
    note = write_shards._note_path(path)
    for origin, kept in (("source", True), ("another source", False)):
        path.write_bytes(b"left by an earlier run")
        note.write_text(f"{origin} {files[path].layout.digest()}")
        write_targets(files, "source")
        assert (path.read_bytes() != wanted) is kept
        assert not note.exists()


def test_a_file_is_on_the_disk_before_a_note_says_that_it_is_finished(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, write_text = os.fsync, Path.write_text

    def recorded_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        assert path.read_bytes() == source.read_bytes()
        events.append(f"sync {path.name}")
        fsync(descriptor)

    def recorded_write(path: Path, text: str) -> int:
        events.append(f"write {path.name}")
        return write_text(path, text)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "write_text", recorded_write)
    write_targets({tmp_path / "copy.ckpt": target(dict(open_file(source)))}, "source")
    assert events == ["sync copy.ckpt.writing", "write copy.ckpt.origin"]
