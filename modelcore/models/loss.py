"""The last linear layer and the cross-entropy as one cell with its own gradient.

Derived op by op, the gradient of softmax, gather and mask over [rows, vocabulary] costs more than the two
products it needs; written out it is softmax minus one-hot. With a vocabulary cut among the ranks of a
group each works on its own columns, and only three numbers a row travel.
"""

from __future__ import annotations

import mindspore
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops.operations import TensorScatterElements

from modelcore.models.layers import NamedCell
from modelcore.parallel.collectives import GroupMax, GroupSum, TensorGroup

__all__ = ["IGNORED", "LinearCrossEntropy", "NextTokenLoss"]

IGNORED = -100
"""The label of a position that is not trained on."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""The smallest normal float32."""


class LinearCrossEntropy(nn.Cell):
    """Cross-entropy of hidden @ weight.T against labels, summed over the rows that have one.

    A pass over [n, rows] costs as much as many over anything else here, so there are few: the backward pass
    takes the softmax that the forward pass made, puts probability - 1 at the labels, and leaves it to the
    narrow tensors around it which rows count and how much.

    Args:
        rows: of the weight on this rank.
        group: the ranks among which the vocabulary is cut; a group of one when it is whole.
    """

    def __init__(self, rows: int, group: TensorGroup) -> None:
        super().__init__()
        self.rows, self.start, self.cut = rows, group.index * rows, group.size > 1
        self.sum, self.max = GroupSum(group), GroupMax(group)
        self.softmax, self.put = ops.Softmax(), TensorScatterElements(axis=1)
        self.logits = ops.MatMul(transpose_b=True)
        self.back = ops.MatMul()
        self.weight_back = ops.MatMul(transpose_a=True)

    def construct(
        self, hidden: Tensor, weight: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return (sum of the losses, number of them, and for the gradient alone: softmax, its share).

        The softmax is over this rank's columns; of the whole vocabulary's it is its share [n].

        Args:
            hidden: [n, width].
            weight: [rows, width], in hidden's dtype.
            labels: int32 [n]; IGNORED where there is none.
        """
        logits = ops.cast(self.logits(hidden, weight), mindspore.float32)
        softmax = self.softmax(logits)
        local, mine = self._local(labels)
        own = self._log_total(logits, softmax, local)
        top = self.max(own)
        log_total = ops.log(self.sum(ops.exp(own - top))) + top
        known = ops.cast(labels != IGNORED, mindspore.float32)
        target = self.sum(ops.gather_elements(logits, 1, local).reshape(-1) * mine)
        loss = ops.reduce_sum((log_total - target) * known)
        return loss, ops.reduce_sum(known), softmax, ops.exp(own - log_total)

    def _log_total(self, logits: Tensor, softmax: Tensor, local: Tensor) -> Tensor:
        """Return the log of the sum of exp(logits) over this rank's columns [n], by one column of each row.

        A whole vocabulary's at the label, which needs no search; where its probability is 0 in float32, the
        loss is that of the smallest there is, 87. A part's at the highest, for the label may be elsewhere.
        """
        at = ops.max(logits, -1, keepdims=True)[1] if self.cut else local
        share = ops.maximum(ops.gather_elements(softmax, 1, at), SMALLEST)
        return (ops.gather_elements(logits, 1, at) - ops.log(share)).reshape(-1)

    def bprop(
        self,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        out: tuple[Tensor, Tensor, Tensor, Tensor],
        dout: tuple[Tensor, Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients; labels have none. That of the logits is softmax - one-hot."""
        softmax = out[2] * out[3].expand_dims(1) if self.cut else out[2]
        local, mine = self._local(labels)
        at_labels = ops.gather_elements(softmax, 1, local) - mine.expand_dims(1)
        slope = ops.cast(self.put(softmax, local, at_labels), hidden.dtype)
        known = ops.cast(ops.cast(labels != IGNORED, mindspore.float32) * dout[0], hidden.dtype)
        known = known.expand_dims(1)
        slope_of_hidden = self.sum(self.back(slope, weight)) * known
        return slope_of_hidden, self.weight_back(slope, hidden * known), ops.zeros_like(labels)

    def _local(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (each label as this rank's column [n, 1], 1.0 where it really is one and 0.0 elsewhere)."""
        local = labels - self.start
        mine = ops.logical_and(local >= 0, local < self.rows)
        column = local * ops.cast(mine, local.dtype)
        return column.expand_dims(1), ops.cast(mine, mindspore.float32)


class NextTokenLoss(NamedCell):
    """The cross-entropy of a network's last stage, summed over labels.

    Args:
        network: of any family; its `hidden` gives what its `head` sees.
    """

    def __init__(self, network: nn.Cell) -> None:
        super().__init__()
        self.network = network
        self.loss = LinearCrossEntropy(network.head.weight.shape[0], network.vocabulary)

    def construct(self, x: Tensor, labels: Tensor, segments: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return (sum of the losses, how many labels are not IGNORED), float32 scalars.

        Args:
            x: as of the network.
            labels: int32 [batch, seq]: the token that follows each; IGNORED where it is not trained on.
            segments: as of the network.
        """
        hidden = self.network.hidden(x, segments)
        weight = ops.cast(self.network.head.weight, hidden.dtype)
        result = self.loss(hidden.reshape(-1, hidden.shape[-1]), weight, labels.reshape(-1))
        return result[0], result[1]
