"""Every step is a flow of its own: its artifact lies in the store, and a second run finds it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import sharding, steps
from modelcore.config.schema import Download, Parallel
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import Demo

pytestmark = pytest.mark.ranks


def test_a_checkpoint_is_downloaded_and_converted(demo: Demo, tmp_path: Path):
    source = demo.path("download")
    store = str(tmp_path / "store")
    got = steps.download(Download(source=f"file://{source}"), store)
    assert (got.path / "config.json").is_file()
    made = steps.convert(str(got.path), None, store)
    assert list(made.path.glob("*.ckpt"))
    assert not made.cached
    assert steps.convert(str(got.path), None, store).cached


def test_a_checkpoint_is_cut_cut_anew_and_joined(demo: Demo, tmp_path: Path):
    store, whole = str(tmp_path / "store"), demo.path("convert")
    shards = sharding.shard(str(whole), Parallel(model_parallel=2, pipeline_stage=2), store=store)
    assert len(list(shards.path.glob("rank_*/checkpoint_*.ckpt"))) == 4
    others = sharding.reshard(str(shards.path), Parallel(data_parallel=2), store=store)
    joined = sharding.merge(str(others.path), store=store)
    assert (joined.path / "model.ckpt").read_bytes() == (whole / "model.ckpt").read_bytes()
    running_differently = Parallel(model_parallel=2, pipeline_stage=2, micro_batch_num=8, recompute=True)
    assert sharding.shard(str(whole), running_differently, store=store).cached
    assert not sharding.shard(str(whole), Parallel(model_parallel=2), store=store).cached


def test_a_path_that_is_not_there_ends_a_step_by_name(demo: Demo, tmp_path: Path):
    with pytest.raises(MindrailError, match="checkpoint: .*there is no such file"):
        steps.convert(str(tmp_path / "nowhere"), None, str(tmp_path))
