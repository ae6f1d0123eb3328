from __future__ import annotations

import shutil
from pathlib import Path

from modelcore.store.lineage import ancestors
from modelcore.store.store import Artifact, Store


def made(store: Store, step: str, **inputs: str) -> Artifact:
    def build(directory: Path) -> None:
        (directory / "file").write_text(step)

    return store.build(step, build, version=1, inputs=inputs, parameters={}).artifact


def test_what_an_artifact_was_built_from_is_found_nearest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    data = made(store, "rows", tokenizer="a digest of no artifact")
    start = made(store, "start")
    trained = made(store, "launch", rows=data.digest, shards=start.digest)
    whole = made(store, "merge", shards=trained.digest)
    assert [found.manifest.step for found in ancestors(store, whole.manifest)] == ["launch", "rows", "start"]
    assert ancestors(store, start.manifest) == []
    shutil.rmtree(trained.path)
    assert ancestors(store, whole.manifest) == []


def test_steps_that_built_the_same_contents_do_not_hide_what_was_before(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def build(directory: Path) -> None:
        (directory / "weights").write_text("the same")

    rows = made(store, "rows")
    launched = store.build("launch", build, version=1, inputs={"rows": rows.digest}, parameters={}).artifact
    for number in range(8):  # whichever of them is listed last
        shards = {"shards": launched.digest}
        merged = store.build("merge", build, version=number, inputs=shards, parameters={}).artifact
        assert merged.digest == launched.digest
        steps = [found.manifest.step for found in ancestors(store, merged.manifest)]
        assert steps.count("launch") == steps.count("rows") == 1
