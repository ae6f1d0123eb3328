"""Which rank does which part of the work: rank ↔ coordinates (pipeline stage, data, tensor).

Ranks are counted as MindFormers counts them: rank = (stage * data_parallel + data) * model_parallel
+ tensor, so a tensor-parallel group is neighbouring ranks (one host) and a pipeline stage is one
contiguous block. Only arithmetic: no device, no communication.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelcore.errors import MindrailError

__all__ = ["MOST_RANKS", "Coordinates", "Layout", "Mesh"]

MOST_RANKS = 100_000
"""More than any cluster has; what lists the ranks stays short."""


@dataclass(frozen=True)
class Layout:
    """Into how many parts the work is divided on each axis; the names are MindFormers' configuration keys.

    Raises:
        MindrailError: a size is not a whole number of at least 1, or the ranks are more than `MOST_RANKS`;
        the
            keys are named.
    """

    data_parallel: int = 1
    model_parallel: int = 1
    pipeline_stage: int = 1

    def __post_init__(self) -> None:
        for axis in ("data_parallel", "model_parallel", "pipeline_stage"):
            size = getattr(self, axis)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise MindrailError(f"{size!r} is not a whole number of at least 1", where=axis)
        if self.world_size > MOST_RANKS:
            raise MindrailError(
                f"{self.world_size} ranks; at most {MOST_RANKS} are planned for",
                where="data_parallel, model_parallel, pipeline_stage",
            )

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return self.data_parallel * self.model_parallel * self.pipeline_stage

    def check_world_size(self, world_size: int) -> None:
        """Refuse a number of ranks that is not data_parallel x model_parallel x pipeline_stage.

        Raises:
            MindrailError: naming the three factors and both numbers.
        """
        if world_size != self.world_size:
            raise MindrailError(
                f"the layout {self} takes {self.world_size} ranks, {world_size} are started",
                where="data_parallel, model_parallel, pipeline_stage",
                fix="change the layout or the number of ranks",
            )

    def __str__(self) -> str:
        return f"dp{self.data_parallel} mp{self.model_parallel} pp{self.pipeline_stage}"


@dataclass(frozen=True)
class Coordinates:
    """The position of one rank: its pipeline stage, its data-parallel replica, its tensor-parallel slice."""

    stage: int
    data: int
    tensor: int


@dataclass(frozen=True)
class Mesh:
    """The ranks of a layout and the groups in which they communicate."""

    layout: Layout

    @property
    def ranks(self) -> range:
        """All ranks, 0 to world size - 1."""
        return range(self.layout.world_size)

    def coordinates(self, rank: int) -> Coordinates:
        """Return the position of `rank`.

        Raises:
            MindrailError: the layout has no such rank.
        """
        if rank not in self.ranks:
            raise MindrailError(f"rank {rank} is not in 0..{self.layout.world_size - 1} of {self.layout}")
        replica, tensor = divmod(rank, self.layout.model_parallel)
        stage, data = divmod(replica, self.layout.data_parallel)
        return Coordinates(stage, data, tensor)

    def rank(self, at: Coordinates) -> int:
        """Return the rank at this position; the inverse of `coordinates`.

        Raises:
            MindrailError: the layout has no such position.
        """
        layout = self.layout
        inside = (
            0 <= at.stage < layout.pipeline_stage
            and 0 <= at.data < layout.data_parallel
            and 0 <= at.tensor < layout.model_parallel
        )
        if not inside:
            raise MindrailError(f"{at} is outside {layout}")
        return (at.stage * layout.data_parallel + at.data) * layout.model_parallel + at.tensor

    def tensor_group(self, rank: int) -> list[int]:
        """Return the ranks that hold the other slices of this rank's tensors, itself included."""
        at = self.coordinates(rank)
        return [self.rank(Coordinates(at.stage, at.data, i)) for i in range(self.layout.model_parallel)]

    def data_group(self, rank: int) -> list[int]:
        """Return the ranks that hold the same slices and see other data, itself included."""
        at = self.coordinates(rank)
        return [self.rank(Coordinates(at.stage, i, at.tensor)) for i in range(self.layout.data_parallel)]

    def pipeline_group(self, rank: int) -> list[int]:
        """Return the ranks a micro-batch passes through, first stage first, itself included."""
        at = self.coordinates(rank)
        return [self.rank(Coordinates(i, at.data, at.tensor)) for i in range(self.layout.pipeline_stage)]
