"""A store in a bucket, on a real S3 server: built once over all hosts, whole or not there, checked by digest.

A host is a directory of its own for what is in use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.history import HISTORY, Run, append_run, read_history
from modelcore.store.garbage import find_garbage, remove
from modelcore.store.journal import read_lines
from modelcore.store.location import CACHE, store_directory
from modelcore.store.manifest import MANIFEST
from modelcore.store.remote import Remote
from modelcore.store.remote_lock import remotely_locked
from modelcore.store.shared_records import fetch_lines, fetch_runs, share_line, share_run
from modelcore.store.store import Built, Store
from tests.bucket import serve_bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with serve_bucket() as address:
        yield address


@pytest.fixture
def address(bucket: str, request: pytest.FixtureRequest) -> str:
    """A store of this test's own."""
    return f"{bucket}/{request.node.name}"


@pytest.fixture
def host(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Store]:
    """Make the store as a host of a name sees it."""

    def store(name: str) -> Store:
        monkeypatch.setenv(CACHE, str(tmp_path / name))
        return Store(store_directory(address))

    return store


def build(store: Store, text: str = "weights", count: list[int] | None = None) -> Built:
    def fill(directory: Path) -> None:
        if count is not None:
            count.append(1)
        for name in ("inner/data.bin", "logs/times.txt"):
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_text(text)

    return store.build("convert", fill, version=1, inputs={}, parameters={})


def objects(store: Store) -> list[str]:
    assert store.remote is not None
    return sorted(store.remote.remote.sizes("convert"))


def test_what_one_host_built_is_a_hit_on_another_with_the_same_files(host):
    count: list[int] = []
    first, second = build(host("a"), count=count), build(host("b"), count=count)
    assert (first.cached, second.cached, len(count)) == (False, True, 1)
    assert second.artifact.path != first.artifact.path
    assert second.artifact.manifest == first.artifact.manifest
    assert (second.artifact.path / "inner/data.bin").read_text() == "weights"
    assert (second.artifact.path / "logs/times.txt").read_text() == "weights"
    assert host("b").find("convert", second.artifact.manifest.key) == second.artifact


def test_the_key_is_that_of_a_store_in_a_directory(host, tmp_path):
    assert build(host("a")).artifact.manifest.key == build(Store(tmp_path)).artifact.manifest.key


def test_without_its_manifest_nothing_is_there_and_what_is_there_is_not_copied_again(host, monkeypatch):
    first = build(host("a"))
    store = host("b")
    assert store.remote is not None
    bucket = store.remote.remote
    key = first.artifact.manifest.key
    bucket.remove(f"convert/{key}/{MANIFEST}")  # as a host that was killed before its last write left it
    assert store.artifacts() == []
    copied: list[str] = []
    monkeypatch.setattr(bucket, "upload", lambda path, name: copied.append(Path(name).name))
    assert not build(store).cached
    assert copied == ["times.txt"]
    assert len(store.artifacts()) == 1


def test_a_damaged_object_is_noticed_and_built_anew(host):
    build(host("a"))
    store = host("b")
    assert store.remote is not None
    name = next(name for name in objects(store) if name.endswith("data.bin"))
    store.remote.remote.write(name, b"WEIGHTS")
    (damage,) = store.damages(store.artifacts()[0])
    assert name in damage
    count: list[int] = []
    assert not build(store, count=count).cached
    assert count == [1]
    assert store.damages(store.artifacts()[0]) == []


def test_bytes_that_differ_from_the_bucket_s_are_replaced_by_them(host):
    build(host("a"), "one")
    store = host("b")
    store.remote = None
    assert not build(store, "two").cached
    built = build(host("b"), "three")
    assert built.cached
    assert (built.artifact.path / "inner/data.bin").read_text() == "one"


def test_only_one_of_two_hosts_builds_and_the_other_waits(address, tmp_path, monkeypatch):
    stores = []
    for name in ("a", "b"):
        monkeypatch.setenv(CACHE, str(tmp_path / name))
        stores.append(Store(store_directory(address)))
    begun, waited, count = threading.Event(), threading.Event(), []

    def fill(directory: Path) -> None:
        count.append(1)
        begun.set()
        assert waited.wait(60)
        (directory / "data").write_text("x")

    def work(store: Store) -> None:
        store.build("merge", fill, version=1, inputs={}, parameters={}, on_wait=waited.set)

    first, second = (threading.Thread(target=work, args=(store,)) for store in stores)
    first.start()
    assert begun.wait(60)
    second.start()
    first.join(60)
    second.join(60)
    assert count == [1]


def test_a_lock_whose_holder_has_died_is_free_after_its_lease(address):
    remote = Remote(address)
    assert remote.write_if("lock", b"a host that is gone", None)
    assert remote.write_if("lock", b"another", None) is None
    busy: list[int] = []
    with remotely_locked(remote, "lock", lease=1.0, on_busy=lambda: busy.append(1)):
        assert busy == [1]
        held = remote.version("lock")
    assert remote.version("lock") != held
    with remotely_locked(remote, "lock", lease=3600.0, on_busy=lambda: busy.append(2)):
        assert busy == [1]


def test_runs_and_scores_of_other_hosts_are_found(host):
    first, second = host("a").root, host("b").root
    run = first / "runs" / "20260101T000000-x-name"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "report.html").write_text("page")
    share_run(first, run)
    share_line(first / "history.jsonl", {"id": "1", "time": "2026"})
    share_line(first / "history.jsonl", {"id": "2", "time": "2025"})
    for _ in range(2):
        fetch_runs(second)
        fetch_lines(second / "history.jsonl")
    assert (second / "runs" / run.name / "report.html").read_text() == "page"
    assert [row["id"] for row in read_lines(second / "history.jsonl").records] == ["2", "1"]


def test_a_score_that_another_host_has_in_the_history_is_not_added_again(host):
    first, second = host("a").root / HISTORY, host("b").root / HISTORY
    runs = [
        Run("26eeade798", "demo", "2026", "merge/1", "b", "c", {"1": (1.0, 0.5, 1.0)}, str(path))
        for path in (first, second)
    ]
    assert append_run(first, runs[0])
    assert not append_run(second, runs[1])
    assert read_history(second).runs == (runs[0],)


def test_removed_copies_on_this_machine_are_fetched_again(host):
    built = build(host("a"))
    store = host("a")
    (garbage,) = find_garbage(store, unused_days=0)
    assert remove(garbage)
    assert not built.artifact.path.exists()
    (artifact,) = store.artifacts()
    assert (store.fetch(artifact).path / "inner/data.bin").read_text() == "weights"


@pytest.mark.parametrize("store", ["s3://", "s3:///x", "s3://bucket//x"])
def test_a_bad_address_is_refused(store):
    with pytest.raises(MindrailError, match="not the address of a bucket"):
        store_directory(store)


def test_a_bucket_that_is_not_there_is_named(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path))
    with pytest.raises(MindrailError, match="no such bucket"):
        build(Store(store_directory("s3://nobody/x")))
