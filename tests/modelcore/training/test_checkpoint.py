"""Two ranks' checkpoints, the ranks being threads that agree through a barrier."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.checkpoints.shards import rank_file
from modelcore.cluster.attempt import Attempt
from modelcore.errors import StepFailed
from modelcore.training.checkpoint import Checkpoints
from tests.tensors import read_tensors

LOCAL = (Attempt(), Attempt())


class TwoRanks:
    """Runs the same call on both ranks at once."""

    def __init__(self, directory: Path, keep: int = 2, attempts: tuple[Attempt, Attempt] = LOCAL) -> None:
        self.lines: list[str] = []
        self._barrier, self._numbers = threading.Barrier(2), [0, 0]
        self.ranks = [
            Checkpoints(
                directory, rank, keep, self._least_for(rank), self.lines.append, attempt=attempts[rank]
            )
            for rank in range(2)
        ]

    def each(self, call: Callable[[Checkpoints, int], Any]) -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(call, self.ranks, range(2)))

    def save(self, step: int) -> None:
        self.each(
            lambda one, rank: one.save(step, {"w": np.full(8, step + rank, np.float32)}, {"rank": rank})
        )

    def newest(self) -> int | None:
        found = self.each(lambda one, rank: one.newest())
        steps = {None if one is None else one[0] for one in found}
        assert len(steps) == 1, "the ranks disagree"
        return steps.pop()

    def _least_for(self, rank: int) -> Callable[[int], int]:
        def least(number: int) -> int:
            self._numbers[rank] = number
            self._barrier.wait(60)
            smallest = min(self._numbers)
            self._barrier.wait(60)
            return smallest

        return least


@pytest.fixture
def ranks(tmp_path: Path) -> TwoRanks:
    return TwoRanks(tmp_path / "checkpoints")


def file(tmp_path: Path, step: int, rank: int) -> Path:
    return rank_file(tmp_path / "checkpoints" / f"step_{step:08d}", rank)


def test_no_checkpoint_is_no_mistake(ranks: TwoRanks):
    assert ranks.newest() is None


def test_the_newest_is_found_with_its_tensors_and_state(ranks: TwoRanks):
    ranks.save(10)
    ranks.save(20)
    assert ranks.newest() == 20
    assert read_tensors(ranks.ranks[1].file(20))["w"][0] == 21
    assert ranks.each(lambda one, rank: one.newest())[1][1]["rank"] == 1


def test_only_the_last_ones_are_kept(ranks: TwoRanks, tmp_path: Path):
    for step in (1, 2, 3):
        ranks.save(step)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step_00000002",
        "step_00000003",
    ]


def test_one_that_lacks_a_ranks_part_does_not_count(ranks: TwoRanks, tmp_path: Path):
    ranks.save(10)
    ranks.save(20)
    file(tmp_path, 20, 1).with_name("state.json").unlink()
    assert ranks.newest() == 10
    assert any("checkpoint of step 20 is not used" in line for line in ranks.lines)


def test_one_that_a_rank_never_began_does_not_count(ranks: TwoRanks, tmp_path: Path):
    ranks.save(10)
    solo = Checkpoints(tmp_path / "checkpoints", 0, 2, lambda number: number, ranks.lines.append)
    solo.save(20, {"w": np.zeros(1, np.float32)}, {})
    assert ranks.newest() == 10


@pytest.mark.parametrize("rank", [0, 1])
def test_a_damaged_one_is_named_and_the_one_before_is_taken(ranks: TwoRanks, tmp_path: Path, rank: int):
    ranks.save(10)
    ranks.save(20)
    content = bytearray(file(tmp_path, 20, rank).read_bytes())
    content[-3] ^= 1
    file(tmp_path, 20, rank).write_bytes(content)
    assert ranks.newest() == 10
    assert any(f"checkpoint_{rank}.ckpt: is damaged" in line for line in ranks.lines)
    assert not file(tmp_path, 20, 0).exists(), "it would be looked at again and again"


def test_another_rank_may_remove_the_directory_first(
    ranks: TwoRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ranks.save(10)
    ranks.save(20)
    scandir = os.scandir

    def after_the_other_rank(path: Any) -> Any:
        if isinstance(path, str | Path) and Path(path).name == "step_00000010":
            shutil.rmtree(path, ignore_errors=True)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", after_the_other_rank)
    ranks.save(30)
    assert not (tmp_path / "checkpoints" / "step_00000010").exists()


def test_a_full_disk_is_named_with_the_checkpoint(
    ranks: TwoRanks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("modelcore.training.checkpoint.write_part", full)
    with pytest.raises(StepFailed, match=r"step_00000010: the disk is full; free space and run again"):
        ranks.save(10)


def test_different_damage_on_both_ranks_leaves_none(ranks: TwoRanks, tmp_path: Path):
    ranks.save(10)
    ranks.save(20)
    file(tmp_path, 20, 0).unlink()
    file(tmp_path, 10, 1).unlink()
    assert ranks.newest() is None


def test_a_rank_of_an_attempt_that_is_over_saves_nothing(tmp_path: Path):
    first, second = (Attempt(number, tmp_path / "attempt") for number in (1, 2))
    first.begin()
    stale = TwoRanks(tmp_path / "checkpoints", attempts=(first, first))
    stale.save(10)
    second.begin()
    with pytest.raises(StepFailed, match="attempt 1 is over, attempt 2 runs: this rank saves nothing"):
        stale.ranks[0].save(20, {"w": np.zeros(1, np.float32)}, {})
    current = TwoRanks(tmp_path / "checkpoints", attempts=(second, second))
    assert current.newest() == 10
    assert not (tmp_path / "checkpoints" / "step_00000020").exists()


def test_a_rank_whose_jobs_directory_is_gone_saves_nothing(tmp_path: Path):
    over = TwoRanks(tmp_path / "checkpoints", attempts=(Attempt(1, tmp_path / "gone" / "attempt"),) * 2)
    with pytest.raises(StepFailed, match="the job has ended"):
        over.ranks[1].save(10, {"w": np.zeros(1, np.float32)}, {})


def test_parts_of_two_attempts_are_no_checkpoint(tmp_path: Path):
    attempts = tuple(Attempt(number, tmp_path / "attempt") for number in (1, 2))
    for number in (1, 2):
        attempts[number - 1].begin()
        TwoRanks(tmp_path / "checkpoints", attempts=(attempts[number - 1],) * 2).save(10 * number)
    part = file(tmp_path, 20, 0).with_name("state.json")
    part.write_text(part.read_text().replace('"attempt": 2', '"attempt": 1'))
    ranks = TwoRanks(tmp_path / "checkpoints")
    assert ranks.newest() == 10
    assert any("of another attempt" in line for line in ranks.lines)
