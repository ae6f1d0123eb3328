"""Joins the ranks that generate together: each holds a slice of every layer and answers the same requests.

The ranks take the same decisions, because every one sees all scores, to the same bits; so nothing but layers'
sums and scores is sent. The first rank alone writes files. Who ends them if one dies is the supervisor's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelcore.parallel.mesh import Layout

if TYPE_CHECKING:
    from modelcore.parallel.collectives import TensorGroup

__all__ = ["join_ranks", "own_rank"]


def own_rank() -> int:
    """Return this process's rank, 0 if it is the only one."""
    return int(os.environ.get("RANK_ID", "0"))


def join_ranks(ranks: int) -> TensorGroup:
    """Return the group of all ranks, when all of them have called it.

    Raises:
        MindrailError: another number of ranks was started.
    """
    started = int(os.environ.get("MS_WORKER_NUM", os.environ.get("RANK_SIZE", "1")))
    Layout(model_parallel=ranks).check_world_size(started)
    import mindspore
    from mindspore.communication import init

    from modelcore.parallel.groups import make_group

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    init()
    return make_group("tensor", range(ranks), own_rank(), ranks)
