"""A training step's checkpoint, which has no strategy files, at another layout: the same bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.errors import MindrailError
from modelcore.models.resharding import reshard_step, shard_checkpoint
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut

CUTS = [
    Cut(Layout(2, 1, 1)),
    Cut(Layout(1, 2, 1)),
    Cut(Layout(1, 1, 2), offsets=(1, -1)),
    Cut(Layout(2, 1, 1), shard_optimizer=True),
    Cut(Layout(2, 2, 2), vocab_emb_dp=True, shard_optimizer=True),
    Cut(Layout(2, 2, 1), shard_optimizer=True),
]


def step_of(whole: Path, directory: Path, cut: Cut) -> Path:
    """Leave what a training job leaves: each rank's tensors and state.json, and nothing beside them."""
    shard_checkpoint(
        whole,
        directory,
        layout=cut.layout,
        vocab_emb_dp=cut.vocab_emb_dp,
        offsets=cut.offsets,
        shard_optimizer=cut.shard_optimizer,
    )
    shutil.rmtree(directory / "strategy")
    (directory / "config.json").unlink()
    for rank in range(cut.layout.world_size):
        (directory / f"rank_{rank}" / "state.json").write_text("{}")
    return directory


def part(directory: Path, rank: int) -> Path:
    return directory / f"rank_{rank}" / f"checkpoint_{rank}.ckpt"


@pytest.mark.parametrize("family", ["llama", "tied", "gpt"])
@pytest.mark.parametrize("before", CUTS, ids=lambda cut: f"{cut.layout} zero={cut.shard_optimizer}")
def test_a_step_goes_from_any_layout_to_any_other(
    family: str, before: Cut, tiny: Any, tmp_path: Path
) -> None:
    raw = tiny.gpt if family == "gpt" else {**tiny.llama, "tie_word_embeddings": family == "tied"}
    tiny.whole(tmp_path / "whole", raw, states=True)
    source = step_of(tmp_path / "whole", tmp_path / "before", before)
    for number, after in enumerate(CUTS):
        wanted = step_of(tmp_path / "whole", tmp_path / f"wanted{number}", after)
        found = tmp_path / f"found{number}"
        reshard_step(source, found, model=tmp_path / "whole", before=before, after=after)
        for rank in range(after.layout.world_size):
            assert part(found, rank).read_bytes() == part(wanted, rank).read_bytes()
        files = [path for path in found.rglob("*") if path.is_file()]
        assert len(files) == after.layout.world_size


def test_every_rank_may_make_its_own_part(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    before, after = Cut(Layout(2, 1, 1), shard_optimizer=True), Cut(Layout(1, 4, 1))
    source = step_of(tmp_path / "whole", tmp_path / "before", before)
    wanted = step_of(tmp_path / "whole", tmp_path / "wanted", after)
    for rank in range(4):
        found = tmp_path / "found"
        reshard_step(source, found, model=tmp_path / "whole", before=before, after=after, ranks=[rank])
        assert part(found, rank).read_bytes() == part(wanted, rank).read_bytes()


def remove_a_rank(step: Path) -> None:
    shutil.rmtree(step / "rank_1")


def remove_a_file(step: Path) -> None:
    part(step, 1).unlink()


def another_rank(step: Path) -> None:
    shutil.copytree(step / "rank_1", step / "rank_2")


def two_files(step: Path) -> None:
    shutil.copy(part(step, 1), step / "rank_1" / "older.ckpt")


def cut_off(step: Path) -> None:
    part(step, 1).write_bytes(part(step, 1).read_bytes()[:-3])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_a_rank, r"before: the shards of rank 1 of 2 are missing"),
        (remove_a_file, r"rank_1: holds no \.ckpt"),
        (another_rank, r"before: rank_2 .*there are 2"),
        (two_files, r"rank_1: holds 2 checkpoints"),
        (cut_off, r"checkpoint_1\.ckpt: damaged or truncated"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_step_that_is_not_whole_is_refused(damage: Any, message: str, tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    before = Cut(Layout(1, 2, 1))
    step = step_of(tmp_path / "whole", tmp_path / "before", before)
    damage(step)
    with pytest.raises(MindrailError, match=message):
        reshard_step(step, tmp_path / "found", model=tmp_path / "whole", before=before, after=Cut(Layout(2)))
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize(
    "said", [Cut(Layout(2)), Cut(Layout(1, 2, 1), vocab_emb_dp=True), Cut(Layout(1, 1, 2))], ids=str
)
def test_a_layout_that_the_step_does_not_have_is_refused(said: Cut, tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    step = step_of(tmp_path / "whole", tmp_path / "before", Cut(Layout(1, 2, 1)))
    with pytest.raises(MindrailError):
        reshard_step(step, tmp_path / "found", model=tmp_path / "whole", before=said, after=Cut(Layout(2)))
    assert not (tmp_path / "found").exists()


def test_states_that_replicas_share_are_not_taken_for_whole_ones(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    step = step_of(tmp_path / "whole", tmp_path / "before", Cut(Layout(2), shard_optimizer=True))
    with pytest.raises(MindrailError, match=r"adam_m\..* is \[16, 32\], its parameter \[32, 32\]"):
        reshard_step(
            step, tmp_path / "found", model=tmp_path / "whole", before=Cut(Layout(2)), after=Cut(Layout(1))
        )


def test_a_value_that_no_parameter_knows_goes_to_every_rank(tiny: Any, tmp_path: Path) -> None:
    tiny.whole(tmp_path / "whole", tiny.llama, states=True)
    step = step_of(tmp_path / "whole", tmp_path / "before", Cut(Layout(1, 2, 1)))
    reshard_step(
        step,
        tmp_path / "found",
        model=tmp_path / "whole",
        before=Cut(Layout(1, 2, 1)),
        after=Cut(Layout(1, 1, 2)),
    )
    for rank in range(2):
        np.testing.assert_array_equal(tiny.read(part(tmp_path / "found", rank))["global_step"], [7])
