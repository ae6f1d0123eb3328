"""A manifest lists an artifact's files with their digests and is trusted only if it is consistent."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelcore.store.manifest import (
    FileEntry,
    Manifest,
    as_plain,
    content_digest,
    describe_files,
    file_sha256,
    stat_of,
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two files that are listed, and what is not: logs, the manifest itself and its scratch file."""
    for name in (
        "weights/model.ckpt",
        "config.json",
        "logs/rank_0.log",
        "manifest.json",
        "manifest.json.new",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    os.utime(tmp_path / "config.json", ns=(1, 2))
    return tmp_path


def manifest_of(directory: Path) -> Manifest:
    files = describe_files(directory)
    return Manifest(
        step="convert",
        version=3,
        key="k" * 20,
        inputs={"source": "abc"},
        parameters={"dtype": "fp16", "ranks": [0, 1]},
        files=files,
        digest=content_digest(files),
        seconds=1.5,
        created="2026-01-01T00:00:00+00:00",
        host="here",
    )


def test_every_file_is_listed_by_its_path_but_logs_and_the_manifest(directory: Path) -> None:
    config, weights = describe_files(directory)
    assert config == FileEntry("config.json", 11, sha256(b"config.json"), 2)
    assert (weights.path, weights.size) == ("weights/model.ckpt", 18)
    assert weights.sha256 == sha256(b"weights/model.ckpt")
    assert weights.modified == (directory / "weights/model.ckpt").stat().st_mtime_ns


def test_names_like_those_left_out_are_listed_elsewhere(tmp_path: Path) -> None:
    for name in ("deep/logs/a", "deep/manifest.json", "logs.txt", "manifest.json.old"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    found = [entry.path for entry in describe_files(tmp_path)]
    assert found == ["deep/logs/a", "deep/manifest.json", "logs.txt", "manifest.json.old"]


def test_a_manifest_is_read_as_it_was_written(directory: Path) -> None:
    manifest = manifest_of(directory)
    manifest.write(directory)
    assert Manifest.read(directory) == manifest
    assert manifest.size == 29
    assert not (directory / "manifest.json.new").exists()
    text = (directory / "manifest.json").read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True)


def _without(key: str) -> Any:
    return lambda raw: raw.pop(key)


def _with(**changes: Any) -> Any:
    return lambda raw: raw.update(changes)


@pytest.mark.parametrize(
    "change",
    [
        *(_without(key) for key in ("step", "files", "digest", "host")),
        _with(unknown=1),
        _with(digest="0" * 64),
        _with(files=[]),
        _with(files=None),
        lambda raw: raw["files"][0].update(sha256="0" * 64),
        lambda raw: raw["files"][0].update(path="other.json"),
        lambda raw: raw["files"][0].pop("size"),
    ],
)
def test_an_inconsistent_manifest_counts_as_none(directory: Path, change: Any) -> None:
    manifest_of(directory).write(directory)
    raw = json.loads((directory / "manifest.json").read_text())
    change(raw)
    (directory / "manifest.json").write_text(json.dumps(raw))
    assert Manifest.read(directory) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff\xfe\xfd", b"[" * 100_000, None])
def test_anything_but_a_manifest_counts_as_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    assert Manifest.read(tmp_path) is None


def test_the_digest_is_over_paths_and_contents_in_the_order_of_paths() -> None:
    a, b = FileEntry("a", 1, "11", 0), FileEntry("b", 2, "22", 0)
    assert content_digest((b, a)) == content_digest((a, b)) == sha256(b"a\x0011\nb\x0022\n")
    assert content_digest((FileEntry("a", 9, "11", 9), b)) == content_digest((a, b))


def test_a_large_file_is_hashed_as_a_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    assert file_sha256(tmp_path / "x") == sha256(content)


def test_only_a_regular_file_has_a_size_and_a_time(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123")
    os.utime(tmp_path / "x", ns=(1, 7))
    assert stat_of(tmp_path / "x") == (3, 7)
    assert stat_of(tmp_path) is None
    assert stat_of(tmp_path / "none") is None


def test_parameters_become_what_json_gives_back() -> None:
    assert as_plain({"b": (1, (2,)), "a": {1: None}}) == {"a": {"1": None}, "b": [1, [2]]}
    with pytest.raises(ValueError, match="Out of range float"):
        as_plain({"rate": float("nan")})
