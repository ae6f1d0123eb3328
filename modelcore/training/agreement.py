"""Small numbers the ranks agree on between steps; each call is collective, and so a barrier."""

from __future__ import annotations

import mindspore
import numpy as np
from mindspore import Tensor

from modelcore.parallel.collectives import GroupMax, GroupSum, TensorGroup

__all__ = ["Agreement"]

_MOST = 1 << 24  # whole numbers up to here are exact in fp32


class Agreement:
    """What all ranks of a job decide together.

    Args:
        world: the group of all ranks.
    """

    def __init__(self, world: TensorGroup) -> None:
        self._world = world
        self._max, self._sum = GroupMax(world), GroupSum(world)

    def least(self, number: int) -> int:
        """Return the smallest of every rank's `number`, each 0 to 2**24."""
        shared = self._max(Tensor([_MOST - number], mindspore.float32))
        return _MOST - int(shared.asnumpy()[0])

    def ranks_where(self, flag: bool) -> list[int]:
        """Return the ranks whose `flag` is set."""
        return [rank for rank, raised in enumerate(self.everyones(flag)) if raised]

    def everyones(self, number: int) -> list[int]:
        """Return every rank's `number`, each 0 to 2**24, in the ranks' order."""
        mine = np.zeros(self._world.size, np.float32)
        mine[self._world.index] = number
        return [int(one) for one in self._sum(Tensor(mine)).asnumpy()]

    def barrier(self) -> None:
        """Return when every rank has called it."""
        self.least(0)
