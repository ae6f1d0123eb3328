"""What every rank of a layout will hold, communicate with and need, before any device is booked.

From config.json and the layout alone: no weights, no device, no MindSpore. Times are not estimated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from modelcore.checkpoints.inspect_strategy import describe_cut
from modelcore.checkpoints.slicing import strategy_of
from modelcore.models.model import Model
from modelcore.parallel.memory import (
    Inference,
    RankMemory,
    Training,
    inference_memory,
    training_memory,
    what_fits,
)
from modelcore.parallel.mesh import Coordinates, Layout, Mesh
from modelcore.parallel.partition import Cut, Partition

__all__ = ["DryRun", "Groups", "RankNeed", "SliceLine", "dry_run", "ways_to_fit"]

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_LAYOUTS_NAMED = 3

Job = Training | Inference


@dataclass(frozen=True)
class RankNeed:
    """One rank: its coordinates, its layers, its parameters' elements and its memory in bytes."""

    rank: int
    at: Coordinates
    layers: range
    parameters: int
    memory: RankMemory


@dataclass(frozen=True)
class SliceLine:
    """Parameters of one stage that are cut alike: a slice's shape, their number, and how they are cut."""

    stage: int
    name: str
    count: int
    shape: tuple[int, ...]
    cut: str


@dataclass(frozen=True)
class Groups:
    """The ranks that communicate with each other, each kind's groups in order."""

    tensor: tuple[tuple[int, ...], ...]
    data: tuple[tuple[int, ...], ...]
    pipeline: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class DryRun:
    """A layout of a model, rank by rank.

    Attributes:
        parameters: elements of the whole model.
        ranks: one entry each, in order.
        slices: what a rank of each stage holds.
        groups: which ranks communicate.
        notes: what a user should know, one line each.
    """

    parameters: int
    ranks: tuple[RankNeed, ...]
    slices: tuple[SliceLine, ...]
    groups: Groups
    notes: tuple[str, ...]


def dry_run(model: Model, cut: Cut, job: Job) -> DryRun:
    """Lay a model out.

    Args:
        model: the model.
        cut: the layout.
        job: what the ranks are to do.

    Raises:
        MindrailError: the model cannot be cut so; the keys of layout and config.json are named.
    """
    partition = model.divide(cut)
    mesh = Mesh(cut.layout)
    devices = cut.layout.data_parallel * cut.layout.model_parallel
    # Every rank of a stage needs the same.
    needs = [_need(model, partition, rank, job) for rank in mesh.ranks[::devices]]
    return DryRun(
        parameters=sum(map(math.prod, model.config.parameter_shapes().values())),
        ranks=tuple(
            replace(needs[rank // devices], rank=rank, at=mesh.coordinates(rank)) for rank in mesh.ranks
        ),
        slices=tuple(line for rank in mesh.ranks[::devices] for line in _slices(partition, rank)),
        groups=Groups(
            tensor=_groups(mesh, mesh.tensor_group),
            data=_groups(mesh, mesh.data_group),
            pipeline=_groups(mesh, mesh.pipeline_group),
        ),
        notes=partition.notes,
    )


def ways_to_fit(model: Model, cut: Cut, job: Job, capacity: int) -> list[str]:
    """Return changes of keys after which the fullest rank needs no more than `capacity` bytes, best first.

    Recomputing and sharing the optimizer's states are tried first, one and then both; after that, with the
    job as it is, other layouts of as many ranks.
    """
    changes = _cheaper_jobs(model, cut, job, capacity) if isinstance(job, Training) else []
    fits = what_fits(
        cut.layout.world_size,
        capacity,
        lambda layout: model.partition(layout, vocab_emb_dp=cut.vocab_emb_dp),
        lambda partition, rank: _memory(model, partition, rank, job),
    )
    layouts = [fit.layout for fit in fits if fit.fits and fit.layout != cut.layout]
    return changes + [_as_keys(layout) for layout in layouts[:_LAYOUTS_NAMED]]


def _cheaper_jobs(model: Model, cut: Cut, job: Training, capacity: int) -> list[str]:
    """Return the keys to set so that the job fits this layout: one of the two, else both, else none."""
    missing = [] if job.recompute else ["recompute"]
    if cut.layout.data_parallel > 1 and not job.shard_optimizer:
        missing.append("shard_optimizer")
    for keys in (*([key] for key in missing), missing):
        if keys and _fullest(model, cut, replace(job, **dict.fromkeys(keys, True))) <= capacity:
            return [" ".join(f"parallel.{key}=true" for key in keys)]
    return []


def _need(model: Model, partition: Partition, rank: int, job: Job) -> RankNeed:
    at = Mesh(partition.layout).coordinates(rank)
    elements = sum(map(math.prod, partition.shapes(rank).values()))
    return RankNeed(rank, at, partition.layers[at.stage], elements, _memory(model, partition, rank, job))


def _memory(model: Model, partition: Partition, rank: int, job: Job) -> RankMemory:
    if isinstance(job, Training):
        return training_memory(partition, rank, model.layer_widths(), job)
    return inference_memory(partition, rank, model.layer_widths(), job)


def _fullest(model: Model, cut: Cut, job: Job) -> int:
    partition = model.divide(cut)
    devices = cut.layout.data_parallel * cut.layout.model_parallel
    ranks = Mesh(cut.layout).ranks[::devices]
    return max(_memory(model, partition, rank, job).total for rank in ranks)


def _slices(partition: Partition, rank: int) -> list[SliceLine]:
    stage, layouts = Mesh(partition.layout).coordinates(rank).stage, strategy_of(partition, rank).layouts
    counts: dict[tuple[str, tuple[int, ...], str], int] = {}
    for name, shape in partition.shapes(rank).items():
        key = _NUMBER.sub("{}", name), shape, describe_cut(layouts[name])
        counts[key] = counts.get(key, 0) + 1
    return [SliceLine(stage, name, count, shape, cut) for (name, shape, cut), count in counts.items()]


def _groups(mesh: Mesh, group: Callable[[int], list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(dict.fromkeys(tuple(group(rank)) for rank in mesh.ranks))


def _as_keys(layout: Layout) -> str:
    axes = ("data_parallel", "model_parallel", "pipeline_stage")
    return " ".join(f"parallel.{axis}={getattr(layout, axis)}" for axis in axes)
