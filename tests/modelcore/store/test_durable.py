"""Contents reach the disk before the name under which they count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelcore.store.atomic_output import place
from modelcore.store.durable import sync_tree


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


def test_a_command_names_its_destination_only_then(tmp_path: Path, synced: list[str]) -> None:
    place(tmp_path / "out", lambda directory: (directory / "weights").write_bytes(b"1"), origin={})
    assert synced[0] == "weights" and synced[-1].endswith(".partial")
    assert (tmp_path / "out" / "weights").read_bytes() == b"1"
