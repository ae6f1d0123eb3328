"""Files are written whole or not at all, and a begun one is continued only where it is intact."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelcore.errors import StepFailed
from modelcore.weights.dtypes import FP32
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.safetensors_file import read_safetensors, safetensors_layout
from modelcore.weights.tensors import CHUNK, DerivedTensor, LazyTensor, from_array, read
from modelcore.weights.write_file import journal_path, scratch_path, write_file

ARRAYS = {name: np.full((4, 3), at, np.float32) for at, name in enumerate("abc")}
LAYOUT = safetensors_layout([TensorSpec(name, FP32, (4, 3)) for name in ARRAYS], {})


def tensors() -> dict[str, LazyTensor]:
    return {name: from_array(array) for name, array in ARRAYS.items()}


def never() -> Iterator[np.ndarray]:
    raise ZeroDivisionError


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    broken = tensors() | {"c": DerivedTensor(FP32, (4, 3), never)}
    with pytest.raises(ZeroDivisionError):
        write_file(path, LAYOUT, broken)
    assert not path.exists() and scratch_path(path).exists()
    write_file(path, LAYOUT, tensors())
    assert not scratch_path(path).exists()
    for name, tensor in read_safetensors(path).items():
        np.testing.assert_array_equal(read(tensor), ARRAYS[name])


def test_a_tensor_of_another_length_than_its_shape_raises(tmp_path: Path) -> None:
    short = DerivedTensor(FP32, (4, 3), lambda: iter([np.zeros(3, np.float32)]))
    with pytest.raises(RuntimeError, match="c: 12 bytes, 48 expected"):
        write_file(tmp_path / "x", LAYOUT, tensors() | {"c": short})


def test_tensors_that_are_intact_are_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_file(path, LAYOUT, tensors())
    unread = {name: DerivedTensor(FP32, (4, 3), never) for name in ARRAYS}
    assert len(write_file(path, LAYOUT, unread)) == 3
    journal_path(path).unlink()
    with pytest.raises(ZeroDivisionError):
        write_file(path, LAYOUT, unread)


def test_a_journal_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_file(path, LAYOUT, tensors())
    journal = journal_path(path)
    journal.write_text(journal.read_text()[:-5])
    assert len(write_file(path, LAYOUT, tensors())) == 3
    assert read(read_safetensors(path)["c"])[0, 0] == 2


def test_a_full_disk_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StepFailed, match="the disk is full"):
        write_file(tmp_path / "x", LAYOUT, tensors())
    monkeypatch.undo()
    write_file(tmp_path / "x", LAYOUT, tensors())


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: whole(file, data[:7], at))
    write_file(tmp_path / "x.safetensors", LAYOUT, tensors())
    assert read(read_safetensors(tmp_path / "x.safetensors")["c"])[3, 2] == 2


def test_a_large_tensor_comes_in_chunks(tmp_path: Path) -> None:
    array = np.arange(600_000, dtype=np.float32).reshape(600, 1000)
    layout = safetensors_layout([TensorSpec("a", FP32, array.shape)], {})
    write_file(tmp_path / "x.safetensors", layout, {"a": from_array(array)})
    stored = read_safetensors(tmp_path / "x.safetensors")["a"]
    chunks: Iterator[np.ndarray] = stored.chunks()
    assert max(chunk.nbytes for chunk in chunks) == CHUNK
    np.testing.assert_array_equal(read(stored), array)
