"""Our shards and MindSpore's own are the same bit for bit, in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, strategy_file
from tests.families import NAMES

LAYOUTS = [Layout(1, 4, 1), Layout(2, 2, 1), Layout(1, 1, 2), Layout(2, 2, 2)]


@pytest.fixture(scope="module")
def ms() -> Any:
    return pytest.importorskip("mindspore")


def merged_strategy(ms: Any, directory: Path) -> str:
    """Join a directory's strategy files by MindSpore's own function."""
    path = directory.with_name(directory.name + "_strategy.ckpt")
    ms.merge_pipeline_strategys(str(directory / "strategy"), str(path))
    return str(path)


def transform(ms: Any, source: Path, target: Path, source_strategy: Any, target_strategy: Any) -> None:
    ms.transform_checkpoints(str(source), str(target), "part", source_strategy, target_strategy)


def as_rank_directory(whole: Path) -> Path:
    directory = whole.parent / "single"
    (directory / "rank_0").mkdir(parents=True)
    (directory / "rank_0" / "model.ckpt").write_bytes((whole / "model.ckpt").read_bytes())
    return directory


@pytest.mark.parametrize(
    ("layout", "family"),
    [*((one, "llama") for one in LAYOUTS), *((LAYOUTS[3], one) for one in NAMES if one != "llama")],
)
def test_mindspore_merges_our_shards(layout: Layout, family: str, ms: Any, tiny: Any, tmp_path: Path) -> None:
    wanted = tiny.whole(tmp_path / "whole", tiny.configs[family], dtype="fp16", states=True)
    shards = tmp_path / "shards"
    shard_checkpoint(tmp_path / "whole", shards, Cut(layout))
    ranks = ms.rank_list_for_transform(0, merged_strategy(ms, shards), None)
    assert set(ranks) <= set(range(layout.world_size))
    transform(ms, shards, tmp_path / "theirs", merged_strategy(ms, shards), None)
    tiny.assert_same(tiny.read(tmp_path / "theirs" / "rank_0" / "part0.ckpt"), wanted)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_mindspore_cuts_the_same_shards(layout: Layout, ms: Any, tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    ours = tmp_path / "ours"
    shard_checkpoint(tmp_path / "whole", ours, Cut(layout))
    transform(ms, as_rank_directory(tmp_path / "whole"), tmp_path / "theirs", None, merged_strategy(ms, ours))
    for rank in range(layout.world_size):
        theirs = tiny.read(tmp_path / "theirs" / f"rank_{rank}" / f"part{rank}.ckpt")
        tiny.assert_same(tiny.read(ours / f"rank_{rank}" / f"checkpoint_{rank}.ckpt"), theirs)


@pytest.mark.parametrize("target", LAYOUTS, ids=str)
@pytest.mark.parametrize("source", LAYOUTS[1::2], ids=str)
def test_mindspore_reshards_to_the_same(
    source: Layout, target: Layout, ms: Any, tiny: Any, tmp_path: Path
) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama)
    first, ours, theirs = tmp_path / "first", tmp_path / "ours", tmp_path / "theirs"
    shard_checkpoint(tmp_path / "whole", first, Cut(source))
    reshard_checkpoint(first, ours, Cut(target))
    transform(ms, first, theirs, merged_strategy(ms, first), merged_strategy(ms, ours))
    for rank in range(target.world_size):
        tiny.assert_same(
            tiny.read(ours / f"rank_{rank}" / f"checkpoint_{rank}.ckpt"),
            tiny.read(theirs / f"rank_{rank}" / f"part{rank}.ckpt"),
        )


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("layout", [Layout(2, 2, 1), Layout(4, 1, 2)], ids=str)
def test_states_that_replicas_share_are_sharded_and_merged_alike(
    layout: Layout, family: str, ms: Any, tiny: Any, tmp_path: Path
) -> None:
    wanted = tiny.whole(tmp_path / "whole", tiny.configs[family], states=True)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shard_checkpoint(tmp_path / "whole", ours, Cut(layout, shard_optimizer=True))
    transform(ms, as_rank_directory(tmp_path / "whole"), theirs, None, merged_strategy(ms, ours))
    for rank in range(layout.world_size):
        found = tiny.read(ours / f"rank_{rank}" / f"checkpoint_{rank}.ckpt")
        tiny.assert_same(found, tiny.read(theirs / f"rank_{rank}" / f"part{rank}.ckpt"))
        assert sum(found[f"adam_m.{name}"].size for name in found if f"adam_m.{name}" in found) <= (
            0.7 * sum(found[name].size for name in found if not name.startswith("adam"))
        )
    merge_checkpoint(ours, tmp_path / "merged")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), wanted)
    transform(ms, ours, tmp_path / "back", merged_strategy(ms, ours), None)
    tiny.assert_same(tiny.read(tmp_path / "back" / "rank_0" / "part0.ckpt"), wanted)


# Device matrix, {parameter: (tensor map, optimizer sharding's step and size)}, all of shape [16, 8].
OPTIMIZER_SHARDS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "tp and dp": (
        (2, 2),
        {"cut": (((0,), ()), 2, 2), "columns": (((), (0,)), 2, 2), "whole": (((), ()), 1, 4)},
    ),
    "as many as can": ((4, 2), {"cut": (((0,), ()), 2, -1), "whole": (((), ()), 1, -1)}),
    "half": ((4, 2), {"cut": (((0,), ()), 2, 2), "whole": (((), ()), 1, 2), "plain": (((0,), ()), 0, 0)}),
    "three axes": ((2, 2, 2), {"cut": (((1,), (0,)), 4, 2), "rows": (((0,), ()), 2, 4)}),
    "tensor axis first": ((2, 4), {"cut": (((1,), ()), 1, 4), "whole": (((), ()), 1, 8)}),
}


@pytest.mark.parametrize("case", OPTIMIZER_SHARDS)
@pytest.mark.parametrize("stages", [1, 2])
def test_optimizer_shards_of_mindspore_are_merged(
    case: str, stages: int, ms: Any, tiny: Any, tmp_path: Path
) -> None:
    matrix, layouts = OPTIMIZER_SHARDS[case]
    whole = {
        f"stage{stage}.{name}": np.arange(128, dtype=np.float32).reshape(16, 8) + 1000 * i + 10 * stage
        for stage in range(stages)
        for i, name in enumerate(layouts)
    }
    fp32 = tiny.dtype("fp32")
    single = tmp_path / "single"
    (single / "rank_0").mkdir(parents=True)
    tiny.write(single / "rank_0" / "model.ckpt", {name: (array, fp32) for name, array in whole.items()})
    shards, devices = tmp_path / "shards", int(np.prod(matrix))
    (shards / "strategy").mkdir(parents=True)
    for rank in range(devices * stages):
        stage = rank // devices
        layout = {f"stage{stage}.{name}": TensorLayout(matrix, *one) for name, one in layouts.items()}
        strategy_file(shards, rank).write_bytes(encode_strategy(Strategy(stage, layout)))
    transform(ms, single, shards, None, merged_strategy(ms, shards))
    merge_checkpoint(shards, tmp_path / "merged")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), whole)
