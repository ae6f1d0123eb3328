"""A directory as MindFormers leaves it on Ascend: MindSpore's own strategy messages, epoch and step in names.

The strategies are written with MindSpore's own message classes and the slices are cut by MindSpore, so
nothing here goes through this project before it is read.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint
from modelcore.models.families import read_model
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.parallel.partition import Cut, Placement

# What MindFormers keeps beside tensors in every rank's file.
COUNTERS = {"epoch_num": 1, "step_num": 20, "global_step": 20, "loss_scale": 65536.0}


@pytest.fixture(scope="module")
def ms() -> Any:
    return pytest.importorskip("mindspore")


def write_strategy(
    path: Path, stage: int, layout: Layout, placements: dict[str, Placement], shared: dict[str, bool]
) -> None:
    """Write one strategy file; `shared` says of which tensors the optimizer's sharding cuts the rows."""
    from mindspore.train.node_strategy_pb2 import ParallelStrategyMap

    message = ParallelStrategyMap(current_stage=stage)
    message.parallel_strategy_item.add(node_name="stage").parallel_strategys.stage = stage
    for name, placement in placements.items():
        item = message.parallel_layout_item.add(param_name=name).parallel_layouts
        item.dev_matrix.add(dim=[layout.data_parallel, layout.model_parallel])
        cut = [0 if axis == placement.axis else -1 for axis in range(len(placement.shape))]
        item.tensor_map.add(dim=cut)
        item.param_split_shape.add()
        item.indices_offset.add()
        item.field = 0
        is_cut, replicas = placement.axis is not None, layout.data_parallel
        copies = replicas if is_cut else replicas * layout.model_parallel
        rows = placement.shape[0] // (layout.model_parallel if placement.axis == 0 else 1)
        fits = shared[name] and copies > 1 and rows % copies == 0
        item.opt_weight_shard_step = (layout.model_parallel if is_cut else 1) if fits else 0
        item.opt_weight_shard_size = copies if fits else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(message.SerializeToString())


def strategies(directory: Path, whole: Path, layout: Layout, share: str) -> Path:
    """Write every rank's strategy for weights and Adam's states; return MindSpore's merged file."""
    import mindspore

    partition = read_model(whole).partition(layout)
    for rank in Mesh(layout).ranks:
        stage = Mesh(layout).coordinates(rank).stage
        mine = {name: one for name, one in partition.placements.items() if stage in one.stages}
        tensors = {prefix + name: one for prefix in ("", "adam_m.", "adam_v.") for name, one in mine.items()}
        shared = {name: share == "all" or (share == "states" and "adam" in name) for name in tensors}
        write_strategy(
            directory / "strategy" / f"ckpt_strategy_rank_{rank}.ckpt", stage, layout, tensors, shared
        )
    merged = directory.with_name(directory.name + "_merged.ckpt")
    mindspore.merge_pipeline_strategys(str(directory / "strategy"), str(merged))
    return merged


def as_mindformers_output(ms: Any, whole: Path, output: Path, layout: Layout, share: str) -> Path:
    """Leave in `output` what a run on Ascend would; return the merged strategy."""
    merged = strategies(output, whole, layout, share)
    single, cut = whole.parent / "single", whole.parent / "cut"
    (single / "rank_0").mkdir(parents=True)
    shutil.copy(whole / "model.ckpt", single / "rank_0")
    ms.transform_checkpoints(str(single), str(cut), "part", None, str(merged))
    for rank in Mesh(layout).ranks:
        tensors = ms.load_checkpoint(str(cut / f"rank_{rank}" / f"part{rank}.ckpt"))
        directory = output / "checkpoint" / f"rank_{rank}"
        directory.mkdir(parents=True)
        parameters = [{"name": name, "data": tensor} for name, tensor in tensors.items()]
        name = f"llama2_7b_rank_{rank}-1_20.ckpt"
        ms.save_checkpoint(parameters, str(directory / name), append_dict=COUNTERS)
        (directory / "meta.json").write_text('{"last_epoch": 1, "last_step": 20}')
    return merged


def without_counters(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if name not in COUNTERS}


MIXTURE = Layout(2, 2, 2)
LAYOUTS = [
    (Layout(1, 4, 1), "nothing"),
    (Layout(1, 1, 2), "nothing"),
    (Layout(4, 1, 1), "all"),
    (Layout(4, 2, 1), "states"),
    (MIXTURE, "nothing"),
    (MIXTURE, "states"),
    (MIXTURE, "all"),
]


@pytest.mark.parametrize(("layout", "share"), LAYOUTS, ids=str)
def test_what_ascend_left_is_merged_to_the_same_bits(
    layout: Layout, share: str, ms: Any, tiny: Any, tmp_path: Path
) -> None:
    wanted = tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    wanted.pop("global_step")
    tiny.write(
        tmp_path / "whole" / "model.ckpt", {name: (one, tiny.dtype("fp32")) for name, one in wanted.items()}
    )
    output = tmp_path / "output"
    merged = as_mindformers_output(ms, tmp_path / "whole", output, layout, share)
    merge_checkpoint(output, tmp_path / "ours", description=None)
    found = tiny.read(tmp_path / "ours" / "model.ckpt")
    assert {name: found[name].item() for name in COUNTERS} == COUNTERS
    tiny.assert_same(without_counters(found), wanted)
    ms.transform_checkpoints(str(output / "checkpoint"), str(tmp_path / "theirs"), "part", str(merged), None)
    theirs = tiny.read(tmp_path / "theirs" / "rank_0" / "part0.ckpt")
    tiny.assert_same(without_counters(found), without_counters(theirs))


@pytest.mark.parametrize(
    ("target", "share"),
    [(Layout(1, 2, 1), "nothing"), (Layout(2, 1, 2), "states"), (Layout(2, 4, 1), "all")],
    ids=str,
)
def test_what_ascend_left_is_resharded_to_the_same_bits(
    target: Layout, share: str, ms: Any, tiny: Any, tmp_path: Path
) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    output, ours, theirs = tmp_path / "output", tmp_path / "ours", tmp_path / "theirs"
    merged = as_mindformers_output(ms, tmp_path / "whole", output, MIXTURE, share)
    shutil.copy(tmp_path / "whole" / "config.json", output)
    reshard_checkpoint(output, ours, Cut(target, shard_optimizer=True))
    wanted = ours.with_name("wanted.ckpt")
    ms.merge_pipeline_strategys(str(ours / "strategy"), str(wanted))
    ms.transform_checkpoints(str(output / "checkpoint"), str(theirs), "part", str(merged), str(wanted))
    for rank in range(target.world_size):
        found = tiny.read(ours / f"rank_{rank}" / f"checkpoint_{rank}.ckpt")
        expected = tiny.read(theirs / f"rank_{rank}" / f"part{rank}.ckpt")
        tiny.assert_same(without_counters(found), without_counters(expected))


def test_shared_weights_and_states_are_really_smaller(ms: Any, tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    as_mindformers_output(ms, tmp_path / "whole", tmp_path / "output", Layout(4, 1, 1), "all")
    (part,) = (tmp_path / "output" / "checkpoint" / "rank_3").glob("*.ckpt")
    whole, held = tiny.read(tmp_path / "whole" / "model.ckpt"), tiny.read(part)
    sizes = [sum(math.prod(one.shape) for one in arrays.values()) for arrays in (whole, held)]
    assert sizes[1] < 0.3 * sizes[0]
