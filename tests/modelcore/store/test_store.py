"""An artifact is built once, committed whole, validated before reuse, and rebuilt when damaged."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.manifest import Manifest
from modelcore.store.store import Built, Store
from tests.paths import ROOT


def build(
    store: Store, text: str = "weights", *, step: str = "convert", count: list | None = None, **over
) -> Built:
    def fill(directory: Path) -> None:
        if count is not None:
            count.append(1)
        (directory / "inner").mkdir(exist_ok=True)
        (directory / "inner" / "data.bin").write_text(text)
        (directory / "logs").mkdir(exist_ok=True)
        (directory / "logs" / "times.txt").write_text(str(time.time()))

    origin = {"version": 1, "inputs": {"source": "abc"}, "parameters": {"dtype": "keep"}, **over}
    return store.build(step, fill, **origin)


def test_the_second_build_is_a_hit_and_builds_nothing(tmp_path):
    count: list = []
    store = Store(tmp_path)
    first, second = build(store, count=count), build(store, count=count)
    assert (first.cached, second.cached, len(count)) == (False, True, 1)
    assert first.artifact == second.artifact
    assert first.artifact.path.parent == tmp_path / "convert"


def test_what_is_recorded_is_in_the_manifest_and_in_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("MINDRAIL_MINDSPORE", "any")
    one = build(Store(tmp_path / "a"), recorded={"source": "hf://owner/name"}).artifact.manifest
    two = build(Store(tmp_path / "b")).artifact.manifest
    assert one.recorded == {**two.recorded, "source": "hf://owner/name"}
    assert two.recorded["MINDRAIL_MINDSPORE"] == "any"
    assert two.recorded["mindspore"].startswith("2.10")
    assert one.key == two.key


def test_a_manifest_from_before_anything_was_recorded_is_read(tmp_path):
    artifact = build(Store(tmp_path)).artifact
    raw = json.loads((artifact.path / "manifest.json").read_text())
    del raw["recorded"]
    (artifact.path / "manifest.json").write_text(json.dumps(raw))
    assert build(Store(tmp_path)).cached


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"inputs": {"source": "abd"}}, {"parameters": {"dtype": "fp16"}}, {"step": "merge"}],
)
def test_whatever_the_output_depends_on_changes_the_key(tmp_path, change):
    store = Store(tmp_path)
    assert build(store).artifact.manifest.key != build(store, **change).artifact.manifest.key


def test_the_digest_is_of_the_contents_and_not_of_where_when_or_from_what(tmp_path):
    one = build(Store(tmp_path / "a")).artifact
    two = build(Store(tmp_path / "b"), parameters={"dtype": "fp32"}).artifact
    three = build(Store(tmp_path / "c"), text="other").artifact
    assert one.digest == two.digest != three.digest
    assert [entry.path for entry in one.manifest.files] == ["inner/data.bin"]


def _missing(path: Path) -> None:
    path.unlink()


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", [_missing, _truncated, _flipped])
def test_a_damaged_file_is_noticed_and_the_artifact_rebuilt_as_it_was(tmp_path, damage):
    store = Store(tmp_path)
    before = build(store).artifact
    damage(before.path / "inner" / "data.bin")
    after = build(store)
    assert not after.cached
    assert after.artifact.digest == before.digest
    assert build(store).cached


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"files": []}'])
def test_an_artifact_without_a_valid_manifest_does_not_count(tmp_path, content):
    store = Store(tmp_path)
    (build(store).artifact.path / "manifest.json").write_text(content)
    assert not build(store).cached


def test_a_manifest_with_wrong_digests_or_another_origin_is_not_trusted(tmp_path):
    store = Store(tmp_path)
    artifact = build(store).artifact
    manifest = artifact.path / "manifest.json"
    honest = manifest.read_text()
    for lie in ({"digest": "0" * 64}, {"parameters": {"dtype": "fp16"}}, {"key": "0" * 20}):
        manifest.write_text(json.dumps({**json.loads(honest), **lie}))
        assert store.find("convert", artifact.manifest.key) is None
    manifest.write_text(honest)
    assert store.find("convert", artifact.manifest.key) == artifact


def test_a_touched_but_equal_file_is_read_and_accepted(tmp_path):
    store = Store(tmp_path)
    file = build(store).artifact.path / "inner" / "data.bin"
    os.utime(file, ns=(1, 1))
    assert build(store).cached


def test_damage_that_keeps_size_and_time_is_found_on_demand(tmp_path):
    store = Store(tmp_path)
    artifact = build(store).artifact
    file = artifact.path / "inner" / "data.bin"
    state = file.stat()
    _flipped(file)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert build(store).cached
    (line,) = store.damages(artifact)
    assert "data.bin" in line
    assert "sha256" in line


def test_logs_may_change_without_harm(tmp_path):
    store = Store(tmp_path)
    (build(store).artifact.path / "logs" / "times.txt").unlink()
    assert build(store).cached


def test_a_step_that_raises_commits_nothing_and_resumes_from_what_it_wrote(tmp_path):
    store = Store(tmp_path)
    origin: dict[str, Any] = {"version": 1, "inputs": {}, "parameters": {}}

    def dies(directory: Path) -> None:
        (directory / "half").write_text("first half")
        raise StepFailed("the network went away")

    def goes_on(directory: Path) -> None:
        assert (directory / "half").read_text() == "first half"
        (directory / "half").write_text("whole")

    with pytest.raises(StepFailed):
        store.build("download", dies, **origin)
    assert store.artifacts() == []
    assert not store.build("download", goes_on, **origin).cached


def test_a_step_that_leaves_nothing_has_failed(tmp_path):
    with pytest.raises(StepFailed, match="without an output"):
        Store(tmp_path).build("x", lambda directory: None, version=1, inputs={}, parameters={})


def test_two_builders_at_once_build_once_and_the_second_is_notified_that_it_waits(tmp_path):
    store, count, waited = Store(tmp_path), [], threading.Event()
    origin: dict[str, Any] = {"version": 1, "inputs": {}, "parameters": {}}

    def slow(directory: Path) -> None:
        count.append(1)
        assert waited.wait(60)
        (directory / "file").write_text("x")

    results: list[Built] = []
    threads = [
        threading.Thread(target=lambda: results.append(store.build("s", slow, on_wait=waited.set, **origin)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(count) == 1
    assert sorted(result.cached for result in results) == [False, True]


def test_a_killed_builder_holds_no_lock_and_its_output_does_not_count(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from modelcore.store.store import Store\n"
        "def fill(d):\n    (d / 'half').write_text('x'); print('in', flush=True); time.sleep(60)\n"
        "Store(Path(sys.argv[1])).build('s', fill, version=1, inputs={}, parameters={})"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"in\n"
        child.send_signal(signal.SIGKILL)
    store = Store(tmp_path)
    assert store.artifacts() == []
    built = store.build("s", lambda d: (d / "whole").write_text("y"), version=1, inputs={}, parameters={})
    assert not built.cached


def test_a_builder_killed_when_all_but_the_rename_was_done_has_committed_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from modelcore.store.store import Store\n"
        "replace = Path.replace\n"
        "def die_at_the_end(source, destination):\n"
        "    os.kill(os.getpid(), 9) if source.suffix == '.partial' else replace(source, destination)\n"
        "Path.replace = die_at_the_end\n"
        "fill = lambda d: (d / 'file').write_text('x')\n"
        "Store(Path(sys.argv[1])).build('s', fill, version=1, inputs={}, parameters={})"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    store, found = Store(tmp_path), []
    assert store.artifacts() == []
    built = store.build(
        "s", lambda d: found.extend(sorted(p.name for p in d.iterdir())), version=1, inputs={}, parameters={}
    )
    assert not built.cached and found == ["file", "manifest.json"]
    assert [entry.path for entry in built.artifact.manifest.files] == ["file"]


def test_an_artifact_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def recorded_replace(source: Path, destination: Path) -> Path:
        events.append(f"-> {destination.name}")
        return replace(source, destination)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    key = build(Store(tmp_path)).artifact.path.name
    assert events[:3] == ["manifest.json.new", "-> manifest.json", f"{key}.partial"]
    assert {"data.bin", "inner", "manifest.json"} < set(events[3:-3])
    assert events[-3:] == [f"{key}.partial", f"-> {key}", "convert"]


def test_a_store_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MindrailError, match=r"file.*cannot write here"):
        build(Store(tmp_path / "file"))


def test_the_manifest_records_inputs_and_parameters(tmp_path):
    artifact = build(Store(tmp_path)).artifact
    manifest = Manifest.read(artifact.path)
    assert manifest is not None
    assert (manifest.inputs, manifest.parameters, manifest.size) == ({"source": "abc"}, {"dtype": "keep"}, 7)
    assert manifest.host == socket.gethostname()
    assert datetime.fromisoformat(manifest.created).tzinfo is not None
