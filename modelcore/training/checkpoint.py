"""The checkpoints of a running job: saved, agreed upon by all ranks, found again, thinned out.

    <output>/checkpoints/<layout>/step_00000100/rank_<r>/{checkpoint_<r>.ckpt, state.json}
                                                strategy/ckpt_strategy_rank_<r>.ckpt, config.json

Each rank reads and writes its own part only, so hosts need not share a disk. A checkpoint counts when every
rank's part is there, undamaged, and written by the same attempt at the job; the ranks find that out together.
A rank of an attempt that is over saves nothing. Knows one layout only; that of another is brought in by
`modelcore.training.resume_from`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modelcore.checkpoints.shards import rank_file
from modelcore.cluster.attempt import Attempt
from modelcore.errors import MindrailError
from modelcore.store.disk import disk_errors
from modelcore.training.checkpoint_file import read_part, write_part
from modelcore.training.plan import TrainPlan

__all__ = ["Checkpoints", "checkpoints_of", "step_directory"]

Agree = Callable[[int], int]
"""Collective: given each rank's number (0 to 2**24), returns the smallest."""

_MOST = 1 << 24
_LOCAL = Attempt()


def checkpoints_of(plan: TrainPlan) -> Path:
    """Return the directory of a job's checkpoints at its plan's layout."""
    return Path(plan.output) / "checkpoints" / str(plan.layout).replace(" ", "_")


def step_directory(checkpoints: Path, step: int) -> Path:
    """Return the directory of the checkpoint of `step`."""
    return checkpoints / f"step_{step:08d}"


class Checkpoints:
    """The checkpoints of one job as one rank sees them.

    Args:
        directory: holds one directory a checkpoint.
        rank: this one.
        keep: how many to keep.
        least: the smallest of all ranks' numbers; also the barrier.
        log: gets one line for each damaged part, with what is done about it.
        describe: puts into a checkpoint's directory what this rank has to say about its part.
        attempt: that this rank belongs to.
    """

    def __init__(
        self,
        directory: Path,
        rank: int,
        keep: int,
        least: Agree,
        log: Callable[[str], None],
        describe: Callable[[Path], None] = lambda _: None,
        attempt: Attempt = _LOCAL,
    ) -> None:
        self._directory = directory
        self._rank = rank
        self._keep = keep
        self._least = least
        self._log = log
        self._describe = describe
        self._attempt = attempt

    def save(self, step: int, tensors: Mapping[str, NDArray], state: Mapping[str, Any]) -> None:
        """Write this rank's part; once every rank's is there, remove the oldest beyond `keep`.

        Raises:
            StepFailed: this rank's attempt is over, or the disk is full.
        """
        self._attempt.check()
        with disk_errors(self._at(step)):
            self._describe(self._at(step))
            write_part(self._at(step), self._rank, tensors, {**state, "step": step, **self._of_attempt()})
        self._least(step)
        for old in sorted(self._steps())[: -self._keep]:
            self._remove(old)

    def newest(self) -> tuple[int, dict[str, Any]] | None:
        """Return step and this rank's state of the newest checkpoint that counts; None if there is none.

        Newer ones that do not count are removed, so that they are not looked at again.
        """
        states: dict[int, dict[str, Any]] = {}
        candidates = sorted(self._steps(), reverse=True)
        bound = self._least(max(candidates, default=0))
        while bound:
            mine = self._newest_good(bound, states)
            step = self._least(mine)
            if step and self._is_whole(step, states):
                self._remove_after(step)
                return step, states[step]
            if step and step == mine:
                trouble = "another rank's part is missing, damaged or of another attempt"
                self._log(f"checkpoint of step {step}: {trouble}")
            bound = max(0, step - 1)
        self._remove_after(0)
        return None

    def file(self, step: int) -> Path:
        """Return the file of this rank's tensors of a checkpoint."""
        return rank_file(self._at(step), self._rank)

    def _of_attempt(self) -> dict[str, int]:
        """Return what a part's state says of the attempt: nothing where there is no cluster."""
        return {"attempt": self._attempt.number} if self._attempt.number else {}

    def _is_whole(self, step: int, states: dict[int, dict[str, Any]]) -> bool:
        """Return whether every rank's part is good and all are of one attempt; collective."""
        if not self._least(int(self._good(step, states))):
            return False
        attempt = int(states[step].get("attempt", 0))
        lowest, highest = self._least(attempt), _MOST - self._least(_MOST - attempt)
        return lowest == highest

    def _newest_good(self, bound: int, states: dict[int, dict[str, Any]]) -> int:
        for step in sorted(self._steps(), reverse=True):
            if step <= bound and self._good(step, states):
                return step
        return 0

    def _good(self, step: int, states: dict[int, dict[str, Any]]) -> bool:
        if step not in states:
            try:
                states[step] = read_part(self._at(step), self._rank)
            except MindrailError as error:
                self._log(f"checkpoint of step {step} is not used: {error}")
        return step in states

    def _steps(self) -> list[int]:
        return [int(path.name.partition("_")[2]) for path in self._directory.glob("step_*")]

    def _at(self, step: int) -> Path:
        return step_directory(self._directory, step)

    def _remove_after(self, step: int) -> None:
        for newer in self._steps():
            if newer > step:
                self._remove(newer)

    def _remove(self, step: int) -> None:
        directory = self._at(step)
        shutil.rmtree(directory / f"rank_{self._rank}", ignore_errors=True)
        with suppress(FileNotFoundError):  # another rank was the last and has removed the directory
            if not any(directory.glob("rank_*")):  # the last one removes the description, too
                shutil.rmtree(directory, ignore_errors=True)
