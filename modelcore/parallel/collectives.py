"""The collectives a layer needs, as MindSpore cells whose backward pass is the right collective too.

They work in graph mode and PyNative, on CPU (whose backend has only AllReduce SUM of fp32 and fp16 in
sub-groups) and on Ascend. Every cell is the identity for a group of one, so a network is written once.
`ToTensorParallel` and `FromTensorParallel` are the f and g of Megatron-LM (Shoeybi et al. 2019, figure 3).

Not here: which ranks form a group (`modelcore.parallel.groups`), how a parameter is cut (`partition`).
"""

from __future__ import annotations

from dataclasses import dataclass

import mindspore
from mindspore import Tensor, nn, ops
from mindspore.communication import GlobalComm

__all__ = [
    "WHOLE",
    "FromTensorParallel",
    "GroupGather",
    "GroupMax",
    "GroupSum",
    "TensorGroup",
    "ToTensorParallel",
]


@dataclass(frozen=True)
class TensorGroup:
    """A communication group as one of its members sees it.

    Attributes:
        name: the backend's name of the group; "" for a group of one, which never communicates.
        size: how many ranks are in it.
        index: this rank's position in it, 0 … size - 1.
    """

    name: str
    size: int
    index: int


WHOLE = TensorGroup("", 1, 0)
"""The group of a model that is whole on one rank."""


def _all_reduce(group: TensorGroup) -> nn.Cell | ops.AllReduce:
    return nn.Identity() if group.size == 1 else ops.AllReduce(ops.ReduceOp.SUM, group.name)


class GroupSum(nn.Cell):
    """The sum over the group of a same-shaped tensor; fp32 or fp16. It has no gradient of its own."""

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.sum = _all_reduce(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return the sum of every member's `x`, the same bits on every member."""
        return self.sum(x)


class GroupMax(nn.Cell):
    """The elementwise maximum over the group, computed with SUM because CPU's AllReduce has no MAX.

    Each member puts its tensor in its own row of a zero tensor [size, …]; the sum holds them all.
    """

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.alone = group.size == 1
        self.before, self.after = group.index, group.size - group.index - 1
        self.sum = _all_reduce(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return the maximum of every member's `x`."""
        if self.alone:
            return x
        rows = [ops.zeros_like(x)] * self.before + [x] + [ops.zeros_like(x)] * self.after
        return self.sum(ops.stack(rows)).max(axis=0)


class GroupGather(nn.Cell):
    """The vectors of all members, stacked.

    The CPU backend gathers in the world only; in other groups each member adds its row to zeros.
    """

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.size, self.before, self.after = group.size, group.index, group.size - group.index - 1
        self.gathers = group.size > 1 and (
            group.name == GlobalComm.WORLD_COMM_GROUP or mindspore.get_context("device_target") != "CPU"
        )
        self.collect = ops.AllGather(group.name) if self.gathers else _all_reduce(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return [group size, n] for x [n]."""
        if self.gathers:
            return self.collect(x).reshape(self.size, -1)
        rows = [ops.zeros_like(x)] * self.before + [x] + [ops.zeros_like(x)] * self.after
        return self.collect(ops.stack(rows))


class ToTensorParallel(nn.Cell):
    """Enter a tensor-parallel region: forward the identity, backward the sum of the members' gradients."""

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.sum = GroupSum(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return the gradient summed over the group: each member saw the same x and used it differently."""
        return (self.sum(dout),)


class FromTensorParallel(nn.Cell):
    """Leave a tensor-parallel region: forward the sum of the partial results, backward the identity."""

    def __init__(self, group: TensorGroup) -> None:
        super().__init__()
        self.sum = GroupSum(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return the sum of every member's partial result."""
        return self.sum(x)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
        """Return `dout`: it is already the same on every member."""
        return (dout,)
