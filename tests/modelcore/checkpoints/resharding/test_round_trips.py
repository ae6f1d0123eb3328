from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcore.checkpoints.reshard import merge_checkpoint, reshard_checkpoint, shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from tests.modelcore.checkpoints.resharding.conftest import CONFIGS

LAYOUTS = [Layout(1, 2, 1), Layout(2, 2, 1), Layout(1, 4, 2), Layout(1, 1, 4), Layout(2, 2, 2)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("case", CONFIGS)
def test_a_checkpoint_sharded_and_merged_is_the_same(
    case: str, layout: Layout, tiny: Any, tmp_path: Path
) -> None:
    wanted = tiny.whole(tmp_path / "whole", CONFIGS[case], states=True)
    shard_checkpoint(tmp_path / "whole", tmp_path / "shards", Cut(layout))
    merge_checkpoint(tmp_path / "shards", tmp_path / "merged")
    tiny.assert_same(tiny.read(tmp_path / "merged" / "model.ckpt"), wanted)
    assert (tmp_path / "merged/model.ckpt").read_bytes() == (tmp_path / "whole/model.ckpt").read_bytes()


@pytest.mark.parametrize("source", LAYOUTS, ids=str)
def test_a_checkpoint_goes_from_any_layout_to_any_other(source: Layout, tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    shard_checkpoint(tmp_path / "whole", tmp_path / "first", Cut(source))
    for target in LAYOUTS:
        wanted, found = tmp_path / f"direct {target}", tmp_path / f"via {target}"
        shard_checkpoint(tmp_path / "whole", wanted, Cut(target))
        reshard_checkpoint(tmp_path / "first", found, Cut(target))
        for rank in range(target.world_size):
            part = Path(f"rank_{rank}") / f"checkpoint_{rank}.ckpt"
            tiny.assert_same(tiny.read(found / part), tiny.read(wanted / part))
