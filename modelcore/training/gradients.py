"""One micro-batch forward and backward as one compiled graph, and the sum over several of them."""

from __future__ import annotations

from collections.abc import Sequence

import mindspore
from mindspore import Parameter, Tensor, nn, ops

__all__ = ["Gradients", "Sum"]


class Gradients(nn.Cell):
    """The loss of a micro-batch and its gradients.

    Args:
        loss: a cell with construct(input_ids, labels) -> (loss summed over tokens, number of tokens).
        parameters: what the gradients are of.
    """

    def __init__(self, loss: nn.Cell, parameters: Sequence[Parameter]) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        weights = mindspore.ParameterTuple(parameters)
        self.backward = mindspore.value_and_grad(self._scaled, None, weights, has_aux=True)

    def construct(
        self, input_ids: Tensor, labels: Tensor, loss_scale: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return the loss summed over the tokens, their number and the gradients of loss x `loss_scale`.

        Args:
            input_ids: int32 [rows, seq_length].
            labels: int32 [rows, seq_length], what comes after each token; -100 where nothing is learnt.
            loss_scale: fp32 scalar.
        """
        (_, loss_sum, tokens), gradients = self.backward(input_ids, labels, loss_scale)
        return loss_sum, tokens, gradients

    def _scaled(self, input_ids: Tensor, labels: Tensor, loss_scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss_sum, tokens = self.loss(input_ids, labels)
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
