"""AdamW whose states are divided among the data-parallel replicas (ZeRO-1, Rajbhandari et al. 2020).

A replica keeps the moments of its own rows of every parameter, updates those rows and gets the others' from
the other replicas. Rows, not flat pieces: a checkpoint's strategy file can then say where each piece is
(`modelcore.checkpoints.slicing.state_layout`). A parameter whose rows do not divide is updated by everyone.

Every replica has the whole gradient and the whole fp32 weights; only the moments are divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from modelcore.parallel.collectives import GroupGather, TensorGroup
from modelcore.training.optimizer import AdamW
from modelcore.training.reduction import BUCKET_BYTES, buckets

__all__ = ["ShardedAdamW"]


class ShardedAdamW(nn.Cell):
    """One step over all parameters, in place; as `AdamW`, with 1 / data.size of its states.

    Args:
        parameters: what is trained; fp32.
        beta1: decay of the gradients' mean.
        beta2: decay of the gradients' mean square.
        data: the replicas.
        bucket_bytes: how much of the weights travels at once.

    Attributes:
        kept_whole: names of the parameters whose rows do not divide.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        beta1: float,
        beta2: float,
        data: TensorGroup,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.count, self.replicas = len(parameters), data.size
        self.divided = tuple(p.shape[0] % data.size == 0 for p in parameters)
        self.kept_whole = tuple(p.name for p, cut in zip(parameters, self.divided, strict=True) if not cut)
        self.starts = tuple(p.shape[0] // data.size * data.index for p in parameters)
        self.stops = tuple(p.shape[0] // data.size * (data.index + 1) for p in parameters)
        self.shapes = tuple(p.shape for p in parameters)
        self.whole = mindspore.ParameterTuple(parameters)
        own = [_rows(p, data.size) if cut else p for p, cut in zip(parameters, self.divided, strict=True)]
        self.own = mindspore.ParameterTuple(own)
        self.adam = AdamW(own, beta1, beta2, names=[p.name for p in parameters])
        self.gather = GroupGather(data)
        travels = [i for i in range(self.count) if self.divided[i]]
        runs = buckets([4 * parameters[i].size for i in travels], bucket_bytes)
        self.runs = tuple(tuple(travels[i] for i in run) for run in runs)
        self.widths = tuple(tuple(own[i].size for i in run) for run in self.runs)

    def states(self) -> Mapping[str, Parameter]:
        """Return this replica's moments by name: adam_m.<parameter> and adam_v.<parameter>."""
        return self.adam.states()

    def construct(
        self, scale: Tensor, rate: Tensor, epsilon: Tensor, decay: Tensor, *gradients: Tensor
    ) -> Tensor:
        """Take one step; as of `AdamW`."""
        mine: tuple[Tensor, ...] = ()
        for i in range(self.count):
            if self.divided[i]:
                ops.assign(self.own[i], self.whole[i][self.starts[i] : self.stops[i]])
                mine += (gradients[i][self.starts[i] : self.stops[i]],)
            else:
                mine += (gradients[i],)
        self.adam(scale, rate, epsilon, decay, *mine)
        for run in range(len(self.runs)):
            self._exchange(self.runs[run], self.widths[run])
        return rate

    def _exchange(self, run: tuple[int, ...], widths: tuple[int, ...]) -> None:
        """Put every replica's rows of some parameters together: [replicas, own rows of all of them]."""
        flat: tuple[Tensor, ...] = ()
        for i in run:
            flat += (self.own[i].reshape(-1),)
        parts = ops.split(self.gather(ops.concat(flat)), widths, 1)
        for j in range(len(run)):
            ops.assign(self.whole[run[j]], parts[j].reshape(self.shapes[run[j]]))


def _rows(parameter: Parameter, replicas: int) -> Parameter:
    shape = (parameter.shape[0] // replicas, *parameter.shape[1:])
    return Parameter(Tensor(np.zeros(shape, np.float32)), name=f"own_rows.{parameter.name}")
