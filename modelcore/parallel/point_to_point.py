"""Moves one tensor from one rank of a pair to the other: with Send and Receive if the backend has them.

The CPU backend has neither, so there the pair computes a sum: of the sender's tensor and the receiver's
zeros. Both forms block until the other side takes part, so both sides must order their transfers equally
(`modelcore.parallel.pipeline`).
"""

from __future__ import annotations

import mindspore
from mindspore import Tensor, nn, ops

from modelcore.parallel.collectives import GroupSum, TensorGroup

__all__ = ["Receive", "Send"]


class Send(nn.Cell):
    """Sends a tensor to the other rank of a pair.

    Args:
        pair: a group of two.
    """

    def __init__(self, pair: TensorGroup) -> None:
        super().__init__()
        self.move = GroupSum(pair) if _on_cpu() else ops.Send(0, 1 - pair.index, group=pair.name)

    def construct(self, x: Tensor) -> Tensor:
        """Send `x`; the result has no meaning."""
        return self.move(x)


class Receive(nn.Cell):
    """Receives a tensor from the other rank of a pair.

    Args:
        pair: a group of two.
        shape: of the tensor.
        dtype: of the tensor; float32 or float16 on CPU.
    """

    def __init__(self, pair: TensorGroup, shape: tuple[int, ...], dtype: mindspore.Type) -> None:
        super().__init__()
        self.adds, self.shape, self.dtype = _on_cpu(), shape, dtype
        self.move = (
            GroupSum(pair) if self.adds else ops.Receive(0, 1 - pair.index, shape, dtype, group=pair.name)
        )

    def construct(self) -> Tensor:
        """Return the tensor."""
        return self.move(ops.zeros(self.shape, self.dtype)) if self.adds else self.move()


def _on_cpu() -> bool:
    return bool(mindspore.get_context("device_target") == "CPU")
