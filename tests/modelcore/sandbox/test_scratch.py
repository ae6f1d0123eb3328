from __future__ import annotations

import os
from pathlib import Path

from modelcore.sandbox.scratch import empty, size


def test_an_ordinary_tree_is_removed_and_its_directory_stays(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


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


def test_size_counts_nested_files_and_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "root").symlink_to("/")
    assert 100_000 <= size(str(tmp_path)) < 200_000
