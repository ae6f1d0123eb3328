"""Contents reach the disk before the name under which they count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelcore.store.durable import rename_durably, replace_contents, sync_tree


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was sent to the disk, in order."""
    names: list[str] = []

    def fsync(descriptor: int) -> None:
        real(descriptor)
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    real = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    return names


def test_every_file_is_sent_and_the_directory_last(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "weights").write_bytes(b"1")
    (tmp_path / "config.json").write_bytes(b"2")
    (tmp_path / "lost").symlink_to("nowhere")
    sync_tree(tmp_path)
    assert sorted(synced[:-1]) == ["a", "config.json", "weights"] and synced[-1] == tmp_path.name


def test_contents_are_replaced_after_they_were_sent_and_the_name_is_sent_too(
    tmp_path: Path, synced: list[str]
) -> None:
    for contents in (b"old", b"new"):
        replace_contents(tmp_path / "state.json", contents)
    assert (tmp_path / "state.json").read_bytes() == b"new"
    assert synced == ["state.json.new", tmp_path.name] * 2
    assert [*tmp_path.iterdir()] == [tmp_path / "state.json"]


def test_two_writers_of_one_file_have_scratch_files_of_their_own(tmp_path: Path, synced: list[str]) -> None:
    replace_contents(tmp_path / "x", b"1", scratch_suffix=".7.new")
    assert synced[0] == "x.7.new" and (tmp_path / "x").read_bytes() == b"1"


def test_a_renamed_file_replaces_what_was_there(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    rename_durably(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a" and synced == [tmp_path.name]
