"""Directories of shards that invite a guess: each is refused by name, or said in a note; none is guessed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.errors import MindrailError
from modelcore.models.llama.config import LlamaConfig
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.parallel.strategy import Strategy, encode_strategy, read_strategy, strategy_file
from modelcore.weights.checkpoint import open_file
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import FP16
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import LazyTensor, from_array, read

CONFIG = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}


def write(path: Path, tensors: dict[str, LazyTensor]) -> None:
    specs = [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
    write_targets({path: Target(ckpt_layout(specs), tensors)}, "")


def whole_llama(directory: Path, **changes: int) -> Path:
    directory.mkdir()
    raw = {**CONFIG, **changes}
    (directory / "config.json").write_text(json.dumps(raw))
    shapes = LlamaConfig.from_hf(raw, directory).parameter_shapes()
    random = np.random.default_rng(len(changes))
    tensors: dict[str, LazyTensor] = {
        prefix + name: from_array(random.random(shape, np.float32))
        for prefix in ("", "adam_m.")
        for name, shape in shapes.items()
    }
    write(directory / "model.ckpt", tensors)
    return directory


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A llama's shards for dp2 mp2 pp2, states shared by the replicas, without config.json."""
    whole = whole_llama(tmp_path / "whole")
    shard_checkpoint(whole, tmp_path / "shards", Cut(Layout(2, 2, 2), shard_optimizer=True))
    (tmp_path / "shards" / "config.json").unlink()
    return tmp_path / "shards"


def part(shards: Path, rank: int) -> Path:
    return shards / f"rank_{rank}" / f"checkpoint_{rank}.ckpt"


def change(shards: Path, rank: int, edit: Callable[[dict[str, LazyTensor]], object]) -> None:
    """Write a rank's file anew, with other tensors in it."""
    tensors: dict[str, LazyTensor] = {
        name: from_array(read(tensor)) for name, tensor in open_file(part(shards, rank)).items()
    }
    edit(tensors)
    part(shards, rank).unlink()
    write(part(shards, rank), tensors)


def rank_with_a_zero_before(shards: Path) -> None:
    shutil.copytree(shards / "rank_1", shards / "rank_01")


def two_strategies_of_a_rank(shards: Path) -> None:
    shutil.copy(strategy_file(shards, 1), shards / "strategy" / "an_older_ckpt_strategy_rank_1.ckpt")


def a_rank_swapped_with_its_neighbour_stage(shards: Path) -> None:
    strategy_file(shards, 3).write_bytes(strategy_file(shards, 4).read_bytes())


def the_last_rank_gone_altogether(shards: Path) -> None:
    shutil.rmtree(shards / "rank_7")
    strategy_file(shards, 7).unlink()


def a_tensor_missing_from_one_rank(shards: Path) -> None:
    change(shards, 2, lambda tensors: tensors.pop("model.layers.0.attention.wq.weight"))


def a_tensor_more_in_one_rank(shards: Path) -> None:
    change(shards, 3, lambda tensors: tensors.update(extra=from_array(np.ones((2, 2), np.float32))))


def a_state_that_is_whole_on_one_rank(shards: Path) -> None:
    name = "adam_m.model.layers.0.attention.wq.weight"
    change(shards, 0, lambda tensors: tensors.update({name: from_array(np.ones((16, 16), np.float32))}))


def another_dtype_on_one_rank(shards: Path) -> None:
    name = "model.layers.0.attention.wq.weight"
    half = from_array(np.ones((8, 16), np.float16), FP16)
    change(shards, 1, lambda tensors: tensors.update({name: half}))


def an_axis_less_on_one_rank(shards: Path) -> None:
    name = "model.layers.0.attention.wq.weight"
    change(shards, 1, lambda tensors: tensors.update({name: from_array(np.ones(128, np.float32))}))


def a_parameter_that_no_strategy_knows(shards: Path) -> None:
    for rank in range(4):
        strategy = read_strategy(strategy_file(shards, rank))
        layouts = {name: one for name, one in strategy.layouts.items() if "layers.0.ffn_norm" not in name}
        strategy_file(shards, rank).write_bytes(encode_strategy(Strategy(strategy.stage, layouts)))


def a_checkpoint_that_is_a_directory(shards: Path) -> None:
    part(shards, 5).unlink()
    part(shards, 5).mkdir()


def an_empty_checkpoint(shards: Path) -> None:
    part(shards, 5).write_bytes(b"")


def strategies_that_are_text(shards: Path) -> None:
    for rank in range(8):
        strategy_file(shards, rank).write_text('{"node": "strategy"}')


ATTACKS: list[tuple[Callable[[Path], None], str]] = [
    (rank_with_a_zero_before, r"rank_1: is for rank 1, and so is rank_01"),
    (two_strategies_of_a_rank, r"ckpt_strategy_rank_1\.ckpt: is for rank 1, and so is an_older_"),
    (
        a_rank_swapped_with_its_neighbour_stage,
        r"rank_3\.ckpt: stage 1; with 4 devices .* it should be 0",
    ),
    (the_last_rank_gone_altogether, r"strategy: 7 strategy files, 4 devices per stage: some are missing"),
    (a_tensor_missing_from_one_rank, r"checkpoint_2\.ckpt: has no model\.layers\.0\.attention\.wq\.weight"),
    (a_tensor_more_in_one_rank, r"checkpoint_3\.ckpt: extra: the parameter is not in its strategy file"),
    (
        a_state_that_is_whole_on_one_rank,
        r"checkpoint_.\.ckpt: adam_m\..*wq\.weight: by its slice the whole is",
    ),
    (another_dtype_on_one_rank, r"checkpoint_1\.ckpt: model\.layers\.0\.attention\.wq\.weight: is fp16"),
    (
        an_axis_less_on_one_rank,
        r"checkpoint_1\.ckpt: .*wq\.weight: has the shape \[128\], in its strat",
    ),
    (a_parameter_that_no_strategy_knows, r"ffn_norm\.weight: the parameter is not in its strategy file"),
    (a_checkpoint_that_is_a_directory, r"rank_5: holds no \.ckpt"),
    (an_empty_checkpoint, r"checkpoint_5\.ckpt"),
    (strategies_that_are_text, r"ckpt_strategy_rank_0\.ckpt: is not a strategy file"),
]


@pytest.mark.parametrize(("attack", "said"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
def test_it_is_refused_by_name_and_nothing_is_written(
    attack: Callable[[Path], None], said: str, shards: Path, tmp_path: Path
) -> None:
    attack(shards)
    with pytest.raises(MindrailError, match=said):
        merge_checkpoint(shards, tmp_path / "merged")
    with pytest.raises(MindrailError, match=said):
        reshard_checkpoint(shards, tmp_path / "other", Cut(Layout(1, 2, 1)), description=tmp_path / "whole")
    assert not (tmp_path / "merged").exists() and not (tmp_path / "other").exists()


def test_strategies_of_a_model_of_other_sizes_are_refused_by_its_config(shards: Path, tmp_path: Path) -> None:
    other = whole_llama(tmp_path / "wider", intermediate_size=64)
    with pytest.raises(MindrailError, match=r"w1\.weight is \[32, 16\], by config\.json it is \[64, 16\]"):
        merge_checkpoint(shards, tmp_path / "merged", description=other)


def test_strategies_of_another_layout_are_refused_by_the_models_config(shards: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shard_checkpoint(whole, tmp_path / "turned", Cut(Layout(4, 1, 2)))
    shutil.rmtree(shards / "strategy")
    shutil.copytree(tmp_path / "turned" / "strategy", shards / "strategy")
    shutil.copy(whole / "config.json", shards)
    with pytest.raises(MindrailError, match=r"by config\.json it is|its parameter"):
        merge_checkpoint(shards, tmp_path / "merged")


def test_the_shards_own_strategies_go_before_those_of_the_model_that_is_named(
    shards: Path, tmp_path: Path
) -> None:
    shard_checkpoint(tmp_path / "whole", tmp_path / "turned", Cut(Layout(4, 1, 2)))
    merge_checkpoint(shards, tmp_path / "merged", description=tmp_path / "turned")
    assert (tmp_path / "merged/model.ckpt").read_bytes() == (tmp_path / "whole/model.ckpt").read_bytes()


def test_a_stage_gone_altogether_is_refused_where_there_is_a_config(shards: Path, tmp_path: Path) -> None:
    for rank in range(4, 8):
        shutil.rmtree(shards / f"rank_{rank}")
        strategy_file(shards, rank).unlink()
    said = merge_checkpoint(shards, tmp_path / "half").notes
    assert said == ("there is no config.json: the parameters could not be checked against it",)
    shutil.copy(tmp_path / "whole" / "config.json", shards)
    with pytest.raises(
        MindrailError, match=r"the checkpoint has no model\.layers\.2\..*, but config\.json's model"
    ):
        merge_checkpoint(shards, tmp_path / "merged")
