"""Creates the communication groups that one rank of a mesh needs.

The CPU backend requires that only the members of a group call `create_group`, and other backends accept it.
A group that is the whole world uses the world's own name: the CPU backend gathers and broadcasts in the world
only.

Not here: which ranks form a group (`mesh`), what is sent (`collectives`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mindspore.communication import GlobalComm, create_group

from modelcore.parallel.collectives import WHOLE, TensorGroup
from modelcore.parallel.mesh import Mesh

__all__ = ["Groups", "create_groups"]


@dataclass(frozen=True)
class Groups:
    """The groups of one rank.

    Attributes:
        tensor: ranks that hold the other slices of its tensors.
        data: ranks that hold the same slices and see other data.
        pipeline: ranks a micro-batch passes through, by stage.
        world: all of them.
        before: this rank and its neighbour in the stage before; a group of one in the first stage.
        after: the same with the stage after; a group of one in the last stage.
        ends: the ranks of the first and the last stage; a group of one in the stages between.
    """

    tensor: TensorGroup
    data: TensorGroup
    pipeline: TensorGroup
    world: TensorGroup
    before: TensorGroup = WHOLE
    after: TensorGroup = WHOLE
    ends: TensorGroup = WHOLE


def create_groups(mesh: Mesh, rank: int) -> Groups:
    """Create this rank's groups; with more than one rank, call `mindspore.communication.init()` before.

    Args:
        mesh: the layout's ranks.
        rank: this one.
    """
    world_size = len(mesh.ranks)
    stages = mesh.pipeline_group(rank)
    pipeline = make_group("pipeline", stages, rank, world_size)
    before, after, ends = _neighbours(stages, rank, pipeline, world_size)
    return Groups(
        tensor=make_group("tensor", mesh.tensor_group(rank), rank, world_size),
        data=make_group("data", mesh.data_group(rank), rank, world_size),
        pipeline=pipeline,
        world=make_group("world", list(mesh.ranks), rank, world_size),
        before=before,
        after=after,
        ends=ends,
    )


def _neighbours(
    stages: Sequence[int], rank: int, pipeline: TensorGroup, world_size: int
) -> tuple[TensorGroup, TensorGroup, TensorGroup]:
    """Return the pairs (before, after, ends) of one rank of a pipeline; two stages are a pair already."""
    at, last = list(stages).index(rank), len(stages) - 1
    if len(stages) == 2:
        return (pipeline if at else WHOLE), (WHOLE if at else pipeline), pipeline
    before = make_group("pair", stages[at - 1 : at + 1], rank, world_size) if at else WHOLE
    after = make_group("pair", stages[at : at + 2], rank, world_size)
    outer = [stages[0], stages[-1]]
    ends = make_group("ends", outer, rank, world_size) if rank in outer and last else WHOLE
    return before, after, ends


def make_group(kind: str, ranks: Sequence[int], rank: int, world_size: int) -> TensorGroup:
    """Create the group of `ranks`, to be called by its members only.

    Args:
        kind: first part of the group's name, so that equal members may have groups of several kinds.
        ranks: the members, ascending.
        rank: the caller.
        world_size: number of all ranks.
    """
    if len(ranks) == 1:
        return WHOLE
    if len(ranks) == world_size:
        return TensorGroup(GlobalComm.WORLD_COMM_GROUP, world_size, rank)
    name = f"{kind}-{ranks[0]}-{ranks[-1]}-{len(ranks)}"
    create_group(name, list(ranks))
    return TensorGroup(name, len(ranks), list(ranks).index(rank))
