"""The scratch directory is emptied and measured whatever a completion has left in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelcore.sandbox.scratch import empty, size


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_a_tree_with_siblings_is_removed_and_its_directory_stays(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d", "e", "f/g/h"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "file").write_text("x")
    before = open_descriptors()
    empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() == before


def test_a_tree_deeper_than_a_path_may_be_long_is_removed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_directories_closed_to_their_owner_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "b").chmod(0)
    (tmp_path / "a").chmod(0o300)
    empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    empty(str(inside))
    assert (outside / "file").exists()


def test_the_size_is_what_is_allocated_to_nested_files_and_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_bytes(b"x" * 50_000)
    (tmp_path / "root").symlink_to("/")
    paths = [path for path in tmp_path.rglob("*") if path.name != "root"]
    allocated = sum(path.lstat().st_blocks * 512 for path in paths)
    assert 150_000 <= allocated <= size(str(tmp_path)) <= allocated + 4096  # the link may take a block


def test_a_sparse_file_has_the_size_of_its_blocks(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert size(str(tmp_path)) < 1 << 20


def test_a_directory_that_vanishes_while_it_is_measured_does_not_end_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * 50_000)
    (*_, last) = os.scandir(tmp_path)
    monkeypatch.setattr(os, "scandir", vanishing(last.path))
    assert 100_000 <= size(str(tmp_path)) < 150_000


def vanishing(directory: str) -> object:
    """`os.scandir`, for which that directory is gone."""
    scandir = os.scandir

    def scan(path: str) -> object:
        if path == directory:
            raise FileNotFoundError(path)
        return scandir(path)

    return scan
