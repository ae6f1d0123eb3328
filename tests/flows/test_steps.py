"""Every step is a flow of its own: its artifact lies in the store, and a second run finds it there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows import steps
from modelcore.config.checkpoint import Convert, Download
from modelcore.config.training import Parallel
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import Demo

pytestmark = [pytest.mark.ranks, pytest.mark.server]


def test_a_checkpoint_is_downloaded_converted_and_brought_back(demo: Demo, tmp_path: Path):
    source = demo.path("download")
    store = str(tmp_path / "store")
    got = steps.download(Download(source=f"file://{source}"), store)
    assert (got.path / "config.json").is_file()
    converted = steps.convert(str(got.path), config=Convert(verify=True), store=store)
    assert json.loads((converted.path / "conversion.json").read_text())["verified"]
    assert not converted.cached
    assert steps.convert(str(got.path), config=Convert(verify=True), store=store).cached
    back = steps.convert(str(converted.path), "hf", store=store)
    original = {path.name: path.read_bytes() for path in got.path.glob("*.json")}
    assert json.loads((back.path / "config.json").read_text()) == json.loads(original["config.json"])


def test_what_a_conversion_warns_of_is_logged_by_its_step_each_time(
    demo: Demo, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    store = str(tmp_path / "store")
    got = steps.download(Download(source=f"file://{demo.path('download')}"), store)
    checkpoint = tmp_path / "changed"
    checkpoint.mkdir()
    for path in got.path.iterdir():
        (checkpoint / path.name).write_bytes(path.read_bytes())
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"pad_token_id": 99999}))
    for _ in range(2):
        caplog.clear()
        steps.convert(str(checkpoint), store=store)
        assert "note: pad_token_id is 99999 in config.json" in caplog.text


def test_a_steps_artifact_can_be_inspected(demo: Demo):
    description = steps.inspect(str(demo.path("convert")))
    assert description["what"] == "artifact of the step convert"
    assert any("MindSpore checkpoint (ckpt)" in note for note in description["notes"])
    encoded = steps.tokenize(str(demo.path("download")), "def add(a, b):\n    return a + b\n")
    assert encoded["round_trip"] and len(encoded["ids"]) == len(encoded["pieces"])


def test_a_checkpoint_is_cut_cut_anew_and_joined(demo: Demo, tmp_path: Path):
    store, whole = str(tmp_path / "store"), demo.path("convert")
    shards = steps.shard(str(whole), Parallel(model_parallel=2, pipeline_stage=2), store=store)
    assert len(list(shards.path.glob("rank_*/checkpoint_*.ckpt"))) == 4
    others = steps.reshard(str(shards.path), Parallel(data_parallel=2), store=store)
    joined = steps.merge(str(others.path), store=store)
    assert (joined.path / "model.ckpt").read_bytes() == (whole / "model.ckpt").read_bytes()
    running_differently = Parallel(model_parallel=2, pipeline_stage=2, micro_batch_num=8, recompute=True)
    assert steps.shard(str(whole), running_differently, store=store).cached
    assert not steps.shard(str(whole), Parallel(model_parallel=2), store=store).cached


def test_a_path_that_is_not_there_ends_a_step_by_name(demo: Demo, tmp_path: Path):
    with pytest.raises(MindrailError, match="checkpoint: .*there is no such file"):
        steps.convert(str(tmp_path / "nowhere"), store=str(tmp_path))
    with pytest.raises(MindrailError, match="no such file"):
        steps.inspect(str(tmp_path / "nowhere"))
