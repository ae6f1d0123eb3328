"""Resuming from another run's checkpoint, whatever its layout: it becomes one of this run's own.

The newest checkpoint that is complete and undamaged is resharded, weights and optimizer states, into the new
run's checkpoint directory; step, loss scale and counters come along, and so do the metrics up to there. Which
rows come next follows from seed and step. Done once, before any rank starts; no MindSpore here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.checkpoints.reshard import reshard_checkpoint
from modelcore.checkpoints.shards import rank_file
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.progress import Progress, silent
from modelcore.store.json_file import read_json_object
from modelcore.store.manifest import file_sha256
from modelcore.training.checkpoint import checkpoints_of, step_directory
from modelcore.training.checkpoint_file import read_part, vouch
from modelcore.training.metrics import metrics_journal
from modelcore.training.plan import TrainPlan
from modelcore.training.same_job import check_same_job, layout_in

__all__ = ["Adopted", "adopt", "newest_state"]

_STEP = re.compile(r"step_(\d+)")


@dataclass(frozen=True)
class Adopted:
    """What a run resumes from: the checkpoint's directory, the steps done, the layout it was made with."""

    checkpoint: Path
    step: int
    layout: Layout


@dataclass(frozen=True)
class _Whole:
    checkpoint: Path
    step: int
    states: list[dict[str, Any]]


def adopt(
    source: Path, plan: TrainPlan, *, progress: Progress = silent, log: Callable[[str], None] = print
) -> Adopted | None:
    """Make the newest good checkpoint in `source` one of the job that `plan` describes.

    Args:
        source: a run's output directory, its checkpoints/, or one checkpoint (`step_<n>`).
        plan: the job; its output directory gets the checkpoint.
        progress: gets the bytes done.
        log: gets one line for each checkpoint that is not used, with the reason.

    Returns:
        What was adopted; None if the job's own newest checkpoint is as far already.

    Raises:
        MindrailError: there is no good checkpoint, or it is of another job.
        StepFailed: the disk is full.
    """
    found = next(_whole_ones(source, log), None)
    if found is None:
        raise _no_checkpoint(source)
    before = found.states[0]["plan"]
    check_same_job(before, plan, found.checkpoint, new_layout=True)
    mine = checkpoints_of(plan)
    own = next(_whole_ones(mine, log), None) if mine.is_dir() else None
    if own is not None and own.step >= found.step:
        return None
    _reshard(found, plan, step_directory(mine, found.step), progress)
    _take_metrics(found, Path(plan.output))
    return Adopted(found.checkpoint, found.step, layout_in(before))


def newest_state(source: Path) -> tuple[Path, dict[str, Any]]:
    """Return the newest checkpoint in `source` and its first rank's state, without reading any tensor.

    Args:
        source: as of `adopt`.

    Raises:
        MindrailError: there is no checkpoint.
    """
    for _, checkpoint in _newest_first(source):
        try:
            state = read_json_object(rank_file(checkpoint, 0).with_name("state.json"))
        except MindrailError:
            continue  # an earlier one is taken
        return checkpoint, state
    raise _no_checkpoint(source)


def _no_checkpoint(source: Path) -> MindrailError:
    return MindrailError(
        "holds no complete checkpoint of a run",
        where=source,
        fix="name the directory of an interrupted run; a finished one keeps its weights only",
    )


def _newest_first(source: Path) -> list[tuple[int, Path]]:
    """Return the directories of checkpoints under `source` with their steps."""
    places = [source] if _STEP.fullmatch(source.name) else source.rglob("step_*")
    steps = [(int(match.group(1)), path) for path in places if (match := _STEP.fullmatch(path.name))]
    return sorted(steps, reverse=True)


def _whole_ones(source: Path, log: Callable[[str], None]) -> Iterator[_Whole]:
    """Yield the complete, undamaged checkpoints under `source`, newest first."""
    for step, path in _newest_first(source):
        try:
            first = read_part(path, 0)
            ranks = range(1, layout_in(first["plan"]).world_size)
            states = [first, *(read_part(path, rank) for rank in ranks)]
        except MindrailError as error:
            log(f"checkpoint of step {step} is not used: {error}")
            continue
        if len({state.get("attempt", 0) for state in states}) > 1:
            log(f"checkpoint of step {step} is not used: its parts are of different attempts at the job")
        else:
            yield _Whole(path, step, states)


def _reshard(found: _Whole, plan: TrainPlan, directory: Path, progress: Progress) -> None:
    """Write every rank's part; each counts only when its state has been written, after all tensors."""
    reshard_checkpoint(
        found.checkpoint,
        directory,
        Cut(plan.layout, plan.vocab_emb_dp, plan.offsets, plan.shard_optimizer),
        progress=progress,
    )
    kept = {key: value for key, value in found.states[0].items() if key not in ("file", "size", "sha256")}
    for rank in range(plan.layout.world_size):
        digest = file_sha256(rank_file(directory, rank))
        vouch(directory, rank, digest, {**kept, "plan": plan.as_plain()})


def _take_metrics(found: _Whole, output: Path) -> None:
    """Copy the metrics of the steps that are done; the run keeps them as checkpoints/<layout>/step_<n>."""
    earlier, mine = found.checkpoint.parents[2] / "metrics.jsonl", output / "metrics.jsonl"
    if earlier.is_file() and not mine.exists():
        output.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(earlier.read_bytes())
        metrics_journal(mine, found.step).close()
