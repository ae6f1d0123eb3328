"""The directories themselves: what is read, what is written, and going on after a kill."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy
from tests.paths import ROOT


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_shards_stand_where_training_and_mindformers_look_for_them(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.configs["gpt_bigcode, 33 rows do not divide"])
    (tmp_path / "whole" / "tokenizer.json").write_text("{}")
    report = shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(1, 2, 1)))
    assert sorted(contents(tmp_path / "shards")) == [
        "config.json",
        "rank_0/checkpoint_0.ckpt",
        "rank_1/checkpoint_1.ckpt",
        "strategy/ckpt_strategy_rank_0.ckpt",
        "strategy/ckpt_strategy_rank_1.ckpt",
        "tokenizer.json",
    ]
    assert report.nbytes == sum(path.stat().st_size for path in report.files)
    assert "33 rows kept whole on every rank (no multiple of model_parallel 2)" in report.notes[0]


def test_a_host_makes_only_its_own_ranks(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama)
    layout = Layout(1, 2, 2)
    shard_checkpoint(tmp_path / "whole", tmp_path / "all", Cut(layout))
    for ranks in ([0, 1], [2, 3]):
        shard_checkpoint(tmp_path / "whole", tmp_path / "hosts", Cut(layout), ranks=ranks)
        assert (tmp_path / "hosts" / f"rank_{ranks[0]}").exists()
    assert contents(tmp_path / "hosts") == contents(tmp_path / "all")
    with pytest.raises(MindrailError, match=r"rank 4 is not in 0\.\.3"):
        shard_checkpoint(tmp_path / "whole", tmp_path / "no", Cut(layout), ranks=[4])


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_safetensors_in_and_out(dtype: str, tiny: Any, tmp_path: Path) -> None:
    wanted = tiny.whole(tmp_path / "whole", tiny.llama, dtype=dtype, states=True, name="model.safetensors")
    shard_checkpoint(tmp_path / "whole", tmp_path / "st", Cut(Layout(1, 2, 2)), format="safetensors")
    reshard_checkpoint(tmp_path / "st", tmp_path / "ckpt", Cut(Layout(1, 4, 1)))
    merge_checkpoint(tmp_path / "ckpt", tmp_path / "merged", format="safetensors")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.safetensors"), wanted)


def test_weights_alone_when_states_are_not_wanted(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(1, 2, 1)))
    merge_checkpoint(tmp_path / "shards", tmp_path / "merged", weights_only=True)
    found = tiny.read(tmp_path / "merged" / "model.ckpt")
    assert len(found) == 9 * 4 + 3 and not [name for name in found if name.startswith("adam")]
    shard_checkpoint(tmp_path / "whole", tmp_path / "bare", Cut(Layout(1, 2, 1)), weights_only=True)
    assert len(tiny.read(tmp_path / "bare" / "rank_0" / "checkpoint_0.ckpt")) == 9 * 4 + 3


def test_the_same_source_gives_the_same_bytes(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    for name in ("one", "two"):
        shard_checkpoint(tmp_path / "whole", tmp_path / name, Cut(Layout(2, 2, 1)))
    shard_checkpoint(tmp_path / "whole", tmp_path / "two", Cut(Layout(2, 2, 1)))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


KILLED = """
import os, signal, sys
from pathlib import Path
from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut

def progress(done, total, unit, note=""):
    if done >= float(sys.argv[3]) * total:
        os.kill(os.getpid(), signal.SIGKILL)

shard_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), Cut(Layout(1, 2, 2)), progress=progress)
"""


@pytest.mark.parametrize("share", [0.001, 0.4, 0.8, 1.0])
def test_a_killed_run_resumes_at_the_next_file(share: float, tiny: Any, tmp_path: Path) -> None:
    whole, wanted, found = (tmp_path / name for name in ("whole", "wanted", "found"))
    tiny.whole(whole, tiny.llama)
    shard_checkpoint(whole, wanted, Cut(Layout(1, 2, 2)))
    command = [sys.executable, "-c", KILLED, str(whole), str(found), str(share)]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in found.glob("rank_*/checkpoint_?.ckpt")}
    assert share < 0.8 or finished
    for path in finished:
        assert path.read_bytes() == (wanted / path.relative_to(found)).read_bytes()
    shard_checkpoint(whole, found, Cut(Layout(1, 2, 2)))
    assert contents(found) == contents(wanted)
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())


def test_a_strategy_file_cut_off_by_a_kill_is_written_again(tiny: Any, tmp_path: Path) -> None:
    whole, wanted, found = (tmp_path / name for name in ("whole", "wanted", "found"))
    tiny.whole(whole, tiny.llama)
    shard_checkpoint(whole, wanted, Cut(Layout(1, 2, 2)))
    (found / "strategy").mkdir(parents=True)
    (found / "strategy" / "ckpt_strategy_rank_0.ckpt.writing").write_bytes(b"cut o")
    shard_checkpoint(whole, found, Cut(Layout(1, 2, 2)))
    assert contents(found) == contents(wanted)


def test_files_started_from_another_source_are_written_again(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama)
    layout = Layout(1, 2, 1)
    shard_checkpoint(tmp_path / "whole", tmp_path / "found", Cut(layout))
    stale = tmp_path / "found" / "rank_0" / "checkpoint_0.ckpt"
    stale.write_bytes(bytes(stale.stat().st_size))
    Path(f"{stale}.origin").write_text("something else")
    shard_checkpoint(tmp_path / "whole", tmp_path / "wanted", Cut(layout))
    shard_checkpoint(tmp_path / "whole", tmp_path / "found", Cut(layout))
    assert contents(tmp_path / "found") == contents(tmp_path / "wanted")


def as_mindformers(shards: Path, output: Path, epoch_step: str = "1_20") -> None:
    """Lay shards out as a MindFormers run on Ascend leaves them: names with epoch and step."""
    shutil.copytree(shards / "strategy", output / "strategy")
    for directory in shards.glob("rank_*"):
        target = output / "checkpoint" / directory.name
        target.mkdir(parents=True, exist_ok=True)
        name = f"llama_{directory.name}-{epoch_step}.ckpt"
        shutil.copy(next(directory.iterdir()), target / name)
        (target / "meta.json").write_text("{}")


def test_a_directory_that_mindformers_wrote_is_merged(tiny: Any, tmp_path: Path) -> None:
    wanted = tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(2, 2, 2)))
    as_mindformers(tmp_path / "shards", tmp_path / "output")
    for number, source in enumerate([tmp_path / "output", tmp_path / "output" / "checkpoint"]):
        merge_checkpoint(source, tmp_path / f"merged{number}")
        tiny.assert_same(tiny.read(tmp_path / f"merged{number}" / "model.ckpt"), wanted)
    reshard_checkpoint(
        tmp_path / "output" / "checkpoint",
        tmp_path / "two",
        Cut(Layout(1, 2, 1)),
        description=tmp_path / "shards",
    )
    assert len(list(tmp_path.glob("two/rank_*"))) == 2


def test_the_newest_of_several_checkpoints_is_taken_only_on_request(tiny: Any, tmp_path: Path) -> None:
    for name, step, values in (("old", "1_9", tiny.llama), ("new", "1_10", tiny.llama)):
        wanted = tiny.whole(tmp_path / name, values, states=name == "new")
        shard_checkpoint(tmp_path / name, tmp_path / f"{name}_shards", Cut(Layout(1, 2, 1)))
        for rank in range(2):
            target = tmp_path / "output" / f"rank_{rank}" / f"x_rank_{rank}-{step}.ckpt"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / f"{name}_shards" / f"rank_{rank}" / f"checkpoint_{rank}.ckpt", target)
    shutil.copytree(tmp_path / "new_shards" / "strategy", tmp_path / "output" / "strategy")
    with pytest.raises(MindrailError, match=r"rank_0: holds 2 checkpoints"):
        merge_checkpoint(tmp_path / "output", tmp_path / "merged")
    merge_checkpoint(tmp_path / "output", tmp_path / "merged", newest=True)
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), wanted)
    (tmp_path / "output" / "rank_1" / "x_rank_1-1_10.ckpt").unlink()
    with pytest.raises(MindrailError, match=r"x_rank_1-1_9\.ckpt: epoch and step 1_9, rank 0 has 1_10"):
        merge_checkpoint(tmp_path / "output", tmp_path / "other", newest=True)


def test_a_tensor_of_several_slices_in_its_file_is_cut_and_joined(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelcore.weights.ckpt_file.SLICE", 1 << 10)
    wanted = tiny.whole(tmp_path / "whole", tiny.llama)
    shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(1, 2, 1)))
    merge_checkpoint(tmp_path / "shards", tmp_path / "merged")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), wanted)
    assert (tmp_path / "merged" / "model.ckpt").read_bytes() == (
        tmp_path / "whole" / "model.ckpt"
    ).read_bytes()


def test_two_axes_divided_at_once_by_nested_device_axes(tiny: Any, tmp_path: Path) -> None:
    fp32 = tiny.dtype("fp32")
    whole = np.arange(64, dtype=np.float32).reshape(8, 8)
    (tmp_path / "strategy").mkdir()
    layout = TensorLayout((2, 2, 2), ((1,), (0,)))
    for rank in range(8):
        row, column = rank // 2 % 2, rank % 2
        part = whole[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        (tmp_path / f"rank_{rank}").mkdir()
        tiny.write(tmp_path / f"rank_{rank}" / "x.ckpt", {"w": (part, fp32)})
        content = encode_strategy(Strategy(0, {"w": layout}))
        (tmp_path / "strategy" / f"ckpt_strategy_rank_{rank}.ckpt").write_bytes(content)
    merge_checkpoint(tmp_path, tmp_path / "merged")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), {"w": whole})
