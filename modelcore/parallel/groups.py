"""Join the world and create the communication groups one rank of a mesh needs.

The CPU backend wants `create_group` from the members of a group only, and so do the groups of every
other backend tolerate it. A group that is the whole world uses the world's own name: the CPU backend
gathers and broadcasts in the world only.

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
    """

    tensor: TensorGroup
    data: TensorGroup
    pipeline: TensorGroup
    world: TensorGroup


def create_groups(mesh: Mesh, rank: int) -> Groups:
    """Create this rank's groups; `mindspore.communication.init()` must have been called if there are others.

    Args:
        mesh: the layout's ranks.
        rank: this one.
    """
    return Groups(
        tensor=make_group("tensor", mesh.tensor_group(rank), rank, len(mesh.ranks)),
        data=make_group("data", mesh.data_group(rank), rank, len(mesh.ranks)),
        pipeline=make_group("pipeline", mesh.pipeline_group(rank), rank, len(mesh.ranks)),
        world=make_group("world", list(mesh.ranks), rank, len(mesh.ranks)),
    )


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
