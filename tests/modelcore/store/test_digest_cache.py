"""A large input file is hashed once, and again as soon as anything about it has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from modelcore.store.digest_cache import DIGESTS, DigestCache
from modelcore.store.manifest import file_sha256

MIB = 1 << 20


class Counting:
    """Hashes files, and counts how often."""

    def __init__(self) -> None:
        self.hashed: list[Path] = []

    def __call__(self, path: Path) -> str:
        self.hashed.append(path)
        return file_sha256(path)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 2 MiB that was last changed an hour ago."""
    return written(tmp_path / "model.safetensors", b"a" * 2 * MIB, age=3600)


def written(path: Path, content: bytes, *, age: float) -> Path:
    path.write_bytes(content)
    changed = path.stat().st_mtime - age
    os.utime(path, (changed, changed))
    return path


def test_the_digest_is_the_files_sha256(large: Path, tmp_path: Path) -> None:
    assert DigestCache(tmp_path / DIGESTS).sha256(large) == hashlib.sha256(large.read_bytes()).hexdigest()


def test_a_file_is_hashed_once_and_known_to_later_runs(large: Path, tmp_path: Path) -> None:
    count = Counting()
    first = DigestCache(tmp_path / "store" / DIGESTS, count)
    assert first.sha256(large) == first.sha256(large)
    assert DigestCache(tmp_path / "store" / DIGESTS, count).sha256(large) == file_sha256(large)
    assert count.hashed == [large]


def test_another_content_is_hashed_even_with_the_same_size_and_name(large: Path, tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / DIGESTS)
    before = cache.sha256(large)
    written(large, b"b" * 2 * MIB, age=1800)
    assert cache.sha256(large) == file_sha256(large) != before


def test_a_file_that_replaced_another_with_the_same_time_is_hashed(large: Path, tmp_path: Path) -> None:
    cache, state = DigestCache(tmp_path / DIGESTS), large.stat()
    cache.sha256(large)
    other = written(tmp_path / "other", b"b" * 2 * MIB, age=0)
    os.utime(other, ns=(state.st_mtime_ns, state.st_mtime_ns))
    other.rename(large)
    assert cache.sha256(large) == file_sha256(large)


def test_a_file_changed_a_moment_ago_is_hashed_each_time(large: Path, tmp_path: Path) -> None:
    count = Counting()
    cache = DigestCache(tmp_path / DIGESTS, count)
    os.utime(large)
    cache.sha256(large)
    cache.sha256(large)
    assert len(count.hashed) == 2
    assert not (tmp_path / DIGESTS).exists()


def test_a_link_and_its_file_share_one_entry(large: Path, tmp_path: Path) -> None:
    count = Counting()
    cache = DigestCache(tmp_path / DIGESTS, count)
    (tmp_path / "link").symlink_to(large)
    assert cache.sha256(tmp_path / "link") == cache.sha256(large)
    assert len(count.hashed) == 1


def test_a_small_file_is_hashed_without_an_entry(tmp_path: Path) -> None:
    small = written(tmp_path / "config.json", b"{}", age=3600)
    assert DigestCache(tmp_path / DIGESTS).sha256(small) == file_sha256(small)
    assert not (tmp_path / DIGESTS).exists()


@pytest.mark.parametrize("damage", [b"not json\n", b'["a list"]\n', b'{"path": 1}\n', b'{"path": "/x", "ino'])
def test_lines_that_mean_nothing_are_skipped(large: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / DIGESTS
    DigestCache(cache).sha256(large)
    cache.write_bytes(damage + cache.read_bytes() + damage)
    count = Counting()
    assert DigestCache(cache, count).sha256(large) == file_sha256(large)
    assert count.hashed == ([] if damage.endswith(b"\n") else [large])
