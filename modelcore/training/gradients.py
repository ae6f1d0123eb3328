"""One micro-batch forward and backward as one compiled graph, and the sum over several of them."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

__all__ = ["Accumulation", "Gradients", "MicroBatch", "Sum", "Sums"]

MicroBatch = tuple[np.ndarray, ...]
"""input_ids, labels and, of packed rows, segments: int32 [batch_size, seq_length].

A label is what comes after its token, or -100; a segment is the number of the sample its token is of.
"""

Sums = tuple[Tensor, Tensor, tuple[Tensor, ...]]
"""Of some micro-batches: the loss summed over tokens, their number, the gradients of loss x loss scale."""


class Gradients(nn.Cell):
    """The loss of a micro-batch and its gradients.

    Args:
        loss: a cell with construct(x, labels, segments or none) -> (loss summed over tokens, their number).
        parameters: what the gradients are of.
        of_input: whether x, too, has a gradient; it then comes first.
    """

    def __init__(self, loss: nn.Cell, parameters: Sequence[Parameter], *, of_input: bool = False) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.of_input = of_input
        weights = mindspore.ParameterTuple(parameters)
        position = 0 if of_input else None
        self.backward = mindspore.value_and_grad(self._scaled, position, weights, has_aux=True)

    def construct(self, x: Tensor, labels: Tensor, loss_scale: Tensor, *segments: Tensor) -> Sums:
        """Return the loss summed over the tokens, their number and the gradients of loss x `loss_scale`.

        Args:
            x: int32 ids [rows, seq_length], or the hidden states that the stage before gave.
            labels: int32 [rows, seq_length], what comes after each token; -100 where it is not in the loss.
            loss_scale: fp32 scalar.
            segments: of packed rows, int32 [rows, seq_length]; otherwise none.
        """
        (_, loss_sum, tokens), gradients = self.backward(x, labels, loss_scale, *segments)
        if self.of_input:
            return loss_sum, tokens, (gradients[0], *gradients[1])
        return loss_sum, tokens, gradients

    def _scaled(
        self, x: Tensor, labels: Tensor, loss_scale: Tensor, *segments: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        loss_sum, tokens = self.loss(x, labels, *segments)
        return loss_sum * loss_scale, loss_sum, ops.cast(tokens, mindspore.float32)


class Sum(nn.Cell):
    """Adds some tensors to as many others, as one graph."""

    def construct(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the sums of the first half of `tensors` and the second, one by one."""
        summed: tuple[Tensor, ...] = ()
        half = len(tensors) // 2
        for i in range(half):
            summed += (tensors[i] + tensors[half + i],)
        return summed


class Accumulation:
    """The sums over a step's micro-batches of a whole model, or of one tensor-parallel slice.

    Args:
        loss: as of `Gradients`.
        parameters: as of `Gradients`.
    """

    def __init__(self, loss: nn.Cell, parameters: Sequence[Parameter]) -> None:
        self._loss, self._gradients, self._sum = loss, Gradients(loss, parameters), Sum()

    def run(self, batches: Sequence[MicroBatch], loss_scale: Tensor) -> Sums:
        """Return the sums over `batches`."""
        total: tuple[Tensor, ...] = ()
        for batch in batches:
            input_ids, labels, *segments = map(Tensor, batch)
            loss_sum, tokens, gradients = self._gradients(input_ids, labels, loss_scale, *segments)
            new = (loss_sum, tokens, *gradients)
            total = self._sum(*total, *new) if total else new
        return total[0], total[1], total[2:]

    def evaluate(self, batches: Sequence[MicroBatch]) -> tuple[Tensor, Tensor]:
        """Return the loss summed over the tokens of `batches`, and their number; no gradients."""
        total: tuple[Tensor, ...] = ()
        for batch in batches:
            new = self._loss(*map(Tensor, batch))
            total = self._sum(*total, *new) if total else new
        return total[0], total[1]
