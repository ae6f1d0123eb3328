"""What may go from a store: nothing that a pinned, newest or running run needs, nothing used lately."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from modelcore.store.garbage import PIN, find_garbage, remove
from modelcore.store.lock import locked
from modelcore.store.store import Artifact, Store


def build(store: Store, step: str, content: str, *inputs: Artifact, days: float = 100) -> Artifact:
    digests = {str(number): one.digest for number, one in enumerate(inputs)}
    built = store.build(
        step,
        lambda directory: (directory / "file").write_text(content),
        version=1,
        inputs=digests,
        parameters={"content": content},
    )
    age(built.artifact.path, days)
    return built.artifact


def age(path: Path, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def record(store: Store, name: str, *steps: Artifact) -> Path:
    directory = store.root / "runs" / name
    directory.mkdir(parents=True)
    (directory / "run.json").write_text(json.dumps({"steps": [{"path": str(one.path)} for one in steps]}))
    return directory


def doomed(store: Store) -> set[str]:
    return {one.path.name for one in find_garbage(store, unused_days=30)}


def test_what_no_run_needs_goes_and_what_was_used_lately_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = build(store, "convert", "old"), build(store, "convert", "new", days=1)
    assert doomed(store) == {old.path.name}
    store.build(
        "convert", lambda _: None, version=1, inputs={}, parameters={"content": "old"}
    )  # found again: used
    assert doomed(store) == set()
    assert new.path.exists()


def test_the_newest_run_of_a_name_and_a_pinned_one_keep_what_they_were_built_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sources = [build(store, "convert", f"source {number}") for number in range(3)]
    scores = [build(store, "score", f"score {number}", source) for number, source in enumerate(sources)]
    pinned = record(store, "20260101T000000-aaaaaaaa-tune", scores[0])
    record(store, "20260102T000000-bbbbbbbb-tune", scores[1])
    record(store, "20260103T000000-cccccccc-tune", scores[2])
    assert doomed(store) == {one.path.name for one in (sources[0], sources[1], scores[0], scores[1])}
    (pinned / PIN).touch()
    assert doomed(store) == {one.path.name for one in (sources[1], scores[1])}


def test_the_newest_trained_checkpoint_stays_with_its_ancestors(tmp_path: Path) -> None:
    store = Store(tmp_path)
    launch = build(store, "launch", "trained")
    merge = build(store, "merge", "whole", launch)
    other = build(store, "shard", "other")
    assert doomed(store) == {other.path.name}
    assert merge.path.exists()


def test_a_directory_that_a_run_works_in_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    partial = tmp_path / "launch" / "abc.partial"
    partial.mkdir(parents=True)
    (partial / "file").write_text("12345")
    age(partial, 100)
    (found,) = find_garbage(store, unused_days=30)
    assert found.size == 5
    with locked(partial.with_suffix(".lock")):
        assert find_garbage(store, unused_days=30) == []
        assert not remove(found)
    assert remove(found) and not partial.exists()
    assert not remove(found)
