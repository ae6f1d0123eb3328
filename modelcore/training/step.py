"""One optimizer step of one rank: micro-batches, the sums over ranks, clipping, the update.

Three compiled graphs: gradients of a micro-batch, the reduction over ranks, the update. The host looks at
the loss and the norm between the last two, so that weights never see a gradient that is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn

from modelcore.parallel.groups import Groups
from modelcore.training.gradients import Gradients, Sum
from modelcore.training.optimizer import AdamW, corrected
from modelcore.training.plan import TrainPlan
from modelcore.training.reduction import Reduction
from modelcore.training.schedule import learning_rate

__all__ = ["MicroBatch", "Step", "StepResult"]

MicroBatch = tuple[np.ndarray, np.ndarray]
"""input_ids and labels, int32 [batch_size, seq_length]; a label is what comes after its token, or -100."""


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Attributes:
        step: from 1.
        loss: mean over the global batch's tokens.
        global_norm: of the mean gradient, before clipping.
        rate: learning rate.
        tokens: of the global batch that were learnt.
        positions: tokens of the global batch, padding and all.
        own_finite: whether this rank's own loss is a number.
        updated: whether the weights changed.
    """

    step: int
    loss: float
    global_norm: float
    rate: float
    tokens: int
    positions: int
    own_finite: bool
    updated: bool


class Step:
    """Everything of a step that is compiled once.

    Args:
        plan: the job.
        loss: construct(input_ids, labels) -> (loss summed over tokens, number of tokens).
        groups: this rank's.
        sliced: names of the parameters that are a tensor-parallel slice here.

    Attributes:
        updates: how often the weights were changed; less than the steps where fp16 gradients overflowed.
    """

    def __init__(self, plan: TrainPlan, loss: nn.Cell, groups: Groups, sliced: frozenset[str]) -> None:
        self.plan = plan
        self.parameters: list[Parameter] = list(loss.trainable_params())
        self._gradients = Gradients(loss, self.parameters)
        self._sum = Sum()
        cuts = [p.name in sliced for p in self.parameters]
        self._reduction = Reduction([p.shape for p in self.parameters], cuts, groups)
        self.optimizer = AdamW(self.parameters, plan.beta1, plan.beta2)
        self.updates = 0

    def run(self, step: int, micro_batches: Sequence[MicroBatch], loss_scale: float) -> StepResult:
        """Take step `step` (from 0).

        Args:
            step: counts the steps taken before.
            micro_batches: this rank's.
            loss_scale: the loss is multiplied with it before the backward pass, the gradients divided after.
        """
        loss_sum, tokens, gradients = self._micro_batches(micro_batches, _scalar(loss_scale))
        summed, sums = self._reduction(loss_sum, tokens, *gradients)
        global_loss, global_tokens, squares = (float(x) for x in sums.asnumpy())
        mean = 1 / (max(global_tokens, 1.0) * loss_scale)
        norm = math.sqrt(squares) * mean if squares >= 0 else math.nan
        rate = self._rate(step)
        finite = math.isfinite(norm) and math.isfinite(global_loss)
        if finite:
            self._update(summed, mean * min(1.0, self.plan.clip_norm / max(norm, 1e-12)), rate)
        loss = global_loss / max(global_tokens, 1.0)
        positions = self.plan.global_batch * micro_batches[0][0].shape[1]
        own_finite = math.isfinite(float(loss_sum.asnumpy()))
        return StepResult(step + 1, loss, norm, rate, int(global_tokens), positions, own_finite, finite)

    def _micro_batches(
        self, batches: Sequence[MicroBatch], loss_scale: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        total: tuple[Tensor, ...] = ()
        for input_ids, labels in batches:
            loss_sum, tokens, gradients = self._gradients(Tensor(input_ids), Tensor(labels), loss_scale)
            new = (loss_sum, tokens, *gradients)
            total = self._sum(*total, *new) if total else new
        return total[0], total[1], total[2:]

    def _rate(self, step: int) -> float:
        plan = self.plan
        return learning_rate(
            step,
            steps=plan.steps,
            peak=plan.learning_rate,
            warmup_steps=plan.warmup_steps,
            final_rate=plan.final_rate,
        )

    def _update(self, gradients: tuple[Tensor, ...], scale: float, rate: float) -> None:
        plan = self.plan
        fused = corrected(self.updates, rate, plan.beta1, plan.beta2, plan.epsilon, plan.weight_decay)
        arguments = (scale, fused.rate, fused.epsilon, fused.decay)
        self.optimizer(*(_scalar(x) for x in arguments), *gradients)
        self.updates += 1


def _scalar(value: float) -> Tensor:
    return Tensor(value, mindspore.float32)
