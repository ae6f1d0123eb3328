"""What the ranks must agree on between the backward pass and the update: gradients, loss, tokens, norm.

Data-parallel replicas sum their gradients in flat buckets. The global norm counts every parameter of the
model once; the caller says which of them are this rank's to count.
Everything stays a sum over tokens here; the caller divides by the global count.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from modelcore.parallel.collectives import GroupSum
from modelcore.parallel.groups import Groups

__all__ = ["BUCKET_BYTES", "Reduction", "Totals", "buckets"]

BUCKET_BYTES = 4 << 20


def buckets(sizes: Sequence[int], limit: int) -> list[list[int]]:
    """Return runs of neighbouring indices whose sizes sum to at most `limit`, or of one that is larger."""
    runs: list[list[int]] = []
    filled = limit + 1
    for index, size in enumerate(sizes):
        if filled + size > limit:
            runs.append([])
            filled = 0
        runs[-1].append(index)
        filled += size
    return runs


class BucketSum(nn.Cell):
    """The sum over a group of some tensors, sent as one flat vector."""

    def __init__(self, group_sum: GroupSum, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__(auto_prefix=False)
        self.sum = group_sum
        self.shapes = tuple(shapes)
        self.sizes = tuple(_elements(shape) for shape in shapes)
        self.count = len(self.shapes)

    def construct(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the sums, in the same order and shapes."""
        flat: tuple[Tensor, ...] = ()
        for tensor in tensors:
            flat += (tensor.reshape(-1),)
        parts = ops.split(self.sum(ops.concat(flat)), self.sizes)
        summed: tuple[Tensor, ...] = ()
        for i in range(self.count):
            summed += (parts[i].reshape(self.shapes[i]),)
        return summed


class Totals(nn.Cell):
    """Sum a loss and a number of tokens over the replicas and to all stages.

    Args:
        groups: this rank's.
    """

    def __init__(self, groups: Groups) -> None:
        super().__init__(auto_prefix=False)
        self.over_data, self.over_pipeline = GroupSum(groups.data), GroupSum(groups.pipeline)

    def construct(self, loss_sum: Tensor, tokens: Tensor) -> Tensor:
        """Return fp32 [2]: summed loss and tokens."""
        return self.over_pipeline(self.over_data(ops.stack((loss_sum, tokens))))


class Reduction(nn.Cell):
    """Sum one rank's gradients and counts with everyone else's.

    Args:
        shapes: of the gradients on this rank.
        counted: which of them this rank counts for the global norm.
        groups: this rank's.
        bucket_bytes: size of a flat bucket.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        counted: Sequence[bool],
        groups: Groups,
        bucket_bytes: int = BUCKET_BYTES,
    ) -> None:
        super().__init__(auto_prefix=False)
        runs = buckets([4 * _elements(shape) for shape in shapes], bucket_bytes)
        self.runs = tuple(tuple(run) for run in runs)
        over_data = GroupSum(groups.data)
        self.bucket_sums = nn.CellList([BucketSum(over_data, [shapes[i] for i in run]) for run in runs])
        self.alone = groups.data.size == 1
        self.over_data, self.over_tensor = over_data, GroupSum(groups.tensor)
        self.over_pipeline = GroupSum(groups.pipeline)
        self.counted = tuple(counted)
        self.total = ops.ReduceSum()

    def construct(
        self, loss_sum: Tensor, tokens: Tensor, *gradients: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the summed gradients and fp32 [3]: summed loss, tokens, the gradients' sum of squares."""
        counts = self.over_data(ops.stack((loss_sum, tokens)))
        if not self.alone:
            gradients = self._over_replicas(gradients)
        squares = counts[0] * 0
        for i in range(len(self.counted)):
            if self.counted[i]:
                # By rows first: on CPU three times as fast as L2Loss, which runs on one core.
                squares += self.total(self.total(gradients[i] * gradients[i], -1))
        squares = self.over_tensor(squares.reshape(1))
        return gradients, self.over_pipeline(ops.concat((counts, squares)))

    def _over_replicas(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        summed: tuple[Tensor, ...] = ()
        for i in range(len(self.runs)):
            bucket: tuple[Tensor, ...] = ()
            for j in self.runs[i]:
                bucket += (gradients[j],)
            summed += self.bucket_sums[i](bucket)
        return summed


def _elements(shape: Sequence[int]) -> int:
    count = 1
    for axis in shape:
        count *= axis
    return count
