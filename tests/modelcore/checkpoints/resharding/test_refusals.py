"""What does not fit together is refused by name; nothing is guessed and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, read_strategy, strategy_file


@pytest.fixture
def shards(tiny: Any, tmp_path: Path) -> Path:
    """A llama's shards for dp2 mp2 pp2."""
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(2, 2, 2)))
    return tmp_path / "shards"


def rank_file(shards: Path, rank: int) -> Path:
    return shards / f"rank_{rank}" / f"checkpoint_{rank}.ckpt"


def remove_rank(shards: Path) -> None:
    shutil.rmtree(shards / "rank_5")


def empty_rank(shards: Path) -> None:
    rank_file(shards, 5).unlink()


def second_checkpoint(shards: Path) -> None:
    shutil.copy(rank_file(shards, 3), shards / "rank_3" / "older.ckpt")


def no_strategies(shards: Path) -> None:
    shutil.rmtree(shards / "strategy")


def no_strategy_of_one(shards: Path) -> None:
    strategy_file(shards, 2).unlink()


def too_many_ranks(shards: Path) -> None:
    shutil.copytree(shards / "rank_7", shards / "rank_8")


def truncated(shards: Path) -> None:
    content = rank_file(shards, 6).read_bytes()
    rank_file(shards, 6).write_bytes(content[:-5])


def truncated_strategy(shards: Path) -> None:
    path = strategy_file(shards, 6)
    path.write_bytes(path.read_bytes()[:-5])


def stages_swapped(shards: Path) -> None:
    strategy_file(shards, 0).write_bytes(strategy_file(shards, 4).read_bytes())


def shards_swapped(shards: Path) -> None:
    rank_file(shards, 4).write_bytes(rank_file(shards, 0).read_bytes())


def parameter_unknown_to_strategy(shards: Path) -> None:
    for rank in range(4):
        strategy = read_strategy(strategy_file(shards, rank))
        layouts = {name: one for name, one in strategy.layouts.items() if "layers.1.attention.wo" not in name}
        strategy_file(shards, rank).write_bytes(encode_strategy(Strategy(strategy.stage, layouts)))


def strategy_of_other_shapes(shards: Path) -> None:
    for rank in range(4):
        strategy = read_strategy(strategy_file(shards, rank))
        name = "model.layers.1.attention_norm.weight"
        layouts = {**strategy.layouts, name: TensorLayout((2, 2), ((0,),))}
        strategy_file(shards, rank).write_bytes(encode_strategy(Strategy(strategy.stage, layouts)))


def config_of_another_model(shards: Path) -> None:
    raw = json.loads((shards / "config.json").read_text())
    (shards / "config.json").write_text(json.dumps({**raw, "num_hidden_layers": 3}))


def mixed_formats(shards: Path) -> None:
    rank_file(shards, 1).rename(shards / "rank_1" / "model.safetensors")


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (remove_rank, r"shards: the shards of rank 5 of 8 are missing"),
    (empty_rank, r"rank_5: holds no \.ckpt .*missing"),
    (second_checkpoint, r"rank_3: holds 2 checkpoints .*use --newest or leave only one"),
    (no_strategies, r"shards: there is no strategy/ in it or beside it"),
    (no_strategy_of_one, r"strategy: the strategy file of rank 2 is missing"),
    (too_many_ranks, r"shards: rank_8 has no strategy file; there are 8; .*another run"),
    (truncated, r"checkpoint_6\.ckpt: damaged or truncated after "),
    (truncated_strategy, r"ckpt_strategy_rank_6\.ckpt: is not a strategy file"),
    (stages_swapped, r"ckpt_strategy_rank_0\.ckpt: stage 1; with 4 devices per stage it should be 0"),
    (shards_swapped, r"checkpoint_4\.ckpt: model\..*: the parameter is not in its strategy file"),
    (
        parameter_unknown_to_strategy,
        r"0\.ckpt: model\.layers\.1\.attention\.wo\.weight: the parameter is not in its strategy",
    ),
    (strategy_of_other_shapes, r"attention_norm\.weight .*\[64\].*by config\.json it is \[32\]"),
    (config_of_another_model, r"the checkpoint has model\.layers\.3\..*, but config\.json's model does not"),
    (mixed_formats, r"shards: some ranks have \.ckpt files, others \.safetensors"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_shards_that_do_not_fit_are_refused_before_anything_is_written(
    damage: Callable[[Path], None], message: str, shards: Path, tmp_path: Path
) -> None:
    damage(shards)
    with pytest.raises(MindrailError, match=message):
        merge_checkpoint(shards, tmp_path / "merged")
    with pytest.raises(MindrailError, match=message):
        reshard_checkpoint(shards, tmp_path / "other", Cut(Layout(1, 2, 1)))
    assert not list(tmp_path.glob("merged/*")) and not list(tmp_path.glob("other/*"))


def test_a_counter_that_differs_between_ranks_is_refused(tiny: Any, tmp_path: Path) -> None:
    int32 = tiny.dtype("int32")
    for rank in range(2):
        (tmp_path / f"rank_{rank}").mkdir()
        arrays = {"w": (np.arange(4, dtype=np.int32), int32), "step": (np.array(rank, np.int32), int32)}
        tiny.write(tmp_path / f"rank_{rank}" / "x.ckpt", arrays)
        strategy_file(tmp_path, rank).parent.mkdir(exist_ok=True)
        layout = Strategy(0, {"w": TensorLayout((1, 2), ((0,),))})
        strategy_file(tmp_path, rank).write_bytes(encode_strategy(layout))
    with pytest.raises(MindrailError, match=r"rank_1/x\.ckpt: step: is in no strategy and differs"):
        merge_checkpoint(tmp_path, tmp_path / "merged")
    merge_checkpoint(tmp_path, tmp_path / "merged", weights_only=True)
    assert list(tiny.read(tmp_path / "merged" / "model.ckpt")) == ["w"]


def test_slices_whose_shapes_disagree_are_refused(tiny: Any, tmp_path: Path) -> None:
    for rank in range(2):
        (tmp_path / f"rank_{rank}").mkdir()
        arrays = {"w": (np.arange(4 + rank, dtype=np.int32), tiny.dtype("int32"))}
        tiny.write(tmp_path / f"rank_{rank}" / "x.ckpt", arrays)
        strategy_file(tmp_path, rank).parent.mkdir(exist_ok=True)
        layout = Strategy(0, {"w": TensorLayout((1, 2), ((0,),))})
        strategy_file(tmp_path, rank).write_bytes(encode_strategy(layout))
    with pytest.raises(MindrailError, match=r"1/x\.ckpt: w: by its slice the whole is \[10\], .* \[8\]"):
        merge_checkpoint(tmp_path, tmp_path / "merged")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(1, 16, 1), r"model_parallel: num_attention_heads 8 of config\.json does not divide"),
        (Layout(1, 8, 1), r"model_parallel: num_key_value_heads 4 of config\.json does not divide by .* 8"),
        (
            Layout(1, 1, 3),
            r"pipeline_stage: 4 layers do not divide into 3 stages; .* \[0, 0, 1\]",
        ),
    ],
    ids=str,
)
def test_a_layout_that_does_not_divide_is_refused_before_anything_is_written(
    layout: Layout, message: str, tiny: Any, tmp_path: Path
) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama)
    with pytest.raises(MindrailError, match=message):
        shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(layout))
    assert not (tmp_path / "shards").exists()


def test_shards_of_another_layout_in_the_destination_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"ckpt_strategy_rank_0\.ckpt: is of another layout or model"):
        shard_checkpoint(tmp_path / "whole", shards, Cut(Layout(1, 2, 1)))


def test_a_source_with_two_whole_checkpoints_is_refused(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama)
    tiny.whole(tmp_path / "whole", tiny.llama, name="model.safetensors")
    with pytest.raises(MindrailError, match=r"whole: holds model\.ckpt and model\.safetensors"):
        shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(Layout(1, 2, 1)))


def test_a_destination_that_is_the_source_is_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"whole: is also the source"):
        shard_checkpoint(tmp_path / "whole", tmp_path / "shards" / ".." / "whole", Cut(Layout(1, 2, 1)))
    with pytest.raises(MindrailError, match=r"shards: is also the source"):
        merge_checkpoint(shards, shards)
