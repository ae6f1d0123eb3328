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
from mindspore import Parameter, Tensor

from modelcore.parallel.collectives import GroupSum
from modelcore.parallel.groups import Groups
from modelcore.training.gradients import Accumulation, MicroBatch
from modelcore.training.network import RankNetwork
from modelcore.training.optimizer import AdamW, corrected
from modelcore.training.pipeline import Pipeline
from modelcore.training.plan import TrainPlan
from modelcore.training.reduction import Reduction, Totals
from modelcore.training.schedule import learning_rate
from modelcore.training.sharded_optimizer import ShardedAdamW

__all__ = ["Step", "StepResult"]


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Attributes:
        step: from 1.
        loss: mean over the global batch's tokens.
        global_norm: of the mean gradient, before clipping.
        rate: learning rate.
        tokens: of the global batch that are in the loss.
        positions: tokens of the global batch, padding and all.
        faulty: what of this rank's own is not finite, of weights, loss and gradient; empty in a good step.
        updated: whether the weights changed.
    """

    step: int
    loss: float
    global_norm: float
    rate: float
    tokens: int
    positions: int
    faulty: frozenset[str]
    updated: bool


class Step:
    """Everything of a step that is compiled once.

    Args:
        plan: the job.
        network: this rank's.
        groups: this rank's.

    Attributes:
        updates: how often the weights were changed; less than the steps where fp16 gradients overflowed.
    """

    def __init__(self, plan: TrainPlan, network: RankNetwork, groups: Groups) -> None:
        self.plan = plan
        self.parameters: list[Parameter] = list(network.cell.trainable_params())
        self._micro_batches = (
            Accumulation(network.cell, self.parameters)
            if groups.pipeline.size == 1
            else Pipeline(network.cell, self.parameters, groups, network.hidden)
        )
        self._shared = [i for i, p in enumerate(self.parameters) if p.name in network.shared]
        self._over_ends = GroupSum(groups.ends)
        shapes = [p.shape for p in self.parameters]
        self._reduction = Reduction(shapes, _counted(self.parameters, network, groups), groups)
        self.optimizer = (
            ShardedAdamW(self.parameters, plan.beta1, plan.beta2, groups.data)
            if plan.shard_optimizer and groups.data.size > 1
            else AdamW(self.parameters, plan.beta1, plan.beta2)
        )
        self._totals = Totals(groups)
        self.updates = 0

    def run(self, step: int, micro_batches: Sequence[MicroBatch], loss_scale: float) -> StepResult:
        """Take step `step` (from 0).

        Args:
            step: counts the steps taken before.
            micro_batches: this rank's.
            loss_scale: the loss is multiplied with it before the backward pass, the gradients divided after.
        """
        loss_sum, tokens, gradients = self._micro_batches.run(micro_batches, _scalar(loss_scale))
        summed, sums = self._reduction(loss_sum, tokens, *self._with_other_end(gradients))
        global_loss, global_tokens, squares = (float(x) for x in sums.asnumpy())
        mean = 1 / (max(global_tokens, 1.0) * loss_scale)
        norm = math.sqrt(squares) * mean if squares >= 0 else math.nan
        rate = self._rate(step)
        finite = math.isfinite(norm) and math.isfinite(global_loss)
        if finite:
            self._update(summed, mean * min(1.0, self.plan.clip_norm / max(norm, 1e-12)), rate)
        loss = global_loss / max(global_tokens, 1.0)
        positions = self.plan.global_batch * micro_batches[0][0].shape[1]
        faulty = frozenset() if finite else self._faulty(loss_sum, gradients)
        return StepResult(step + 1, loss, norm, rate, int(global_tokens), positions, faulty, finite)

    def evaluate(self, micro_batches: Sequence[MicroBatch]) -> tuple[float, int]:
        """Return the loss summed over the tokens of all ranks' micro-batches, and their number; no update.

        Args:
            micro_batches: this rank's; as many on every rank, and of the training batches' shape.
        """
        total = self._totals(*self._micro_batches.evaluate(micro_batches)).asnumpy()
        return float(total[0]), int(total[1])

    def _faulty(self, loss_sum: Tensor, gradients: Sequence[Tensor]) -> frozenset[str]:
        """Look for what spoilt a step on this rank, before anything was summed with other ranks'."""
        own = {"weights": self.parameters, "loss": [loss_sum], "gradient": gradients}
        return frozenset(
            what
            for what, tensors in own.items()
            if not all(np.isfinite(tensor.asnumpy()).all() for tensor in tensors)
        )

    @property
    def kept_whole(self) -> tuple[str, ...]:
        """Names of the parameters whose states every replica keeps although they are to be divided."""
        return self.optimizer.kept_whole if isinstance(self.optimizer, ShardedAdamW) else ()

    def _with_other_end(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Add the gradients of what the first and the last stage share; both then do the same update."""
        summed = list(gradients)
        for i in self._shared:
            summed[i] = self._over_ends(summed[i])
        return tuple(summed)

    def _rate(self, step: int) -> float:
        plan = self.plan
        return learning_rate(
            step,
            steps=plan.schedule_steps,
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


def _counted(parameters: Sequence[Parameter], network: RankNetwork, groups: Groups) -> list[bool]:
    """Say of each parameter whether its gradient counts for the global norm here: once over all ranks."""
    again = groups.pipeline.index > 0
    return [
        (p.name in network.sliced or groups.tensor.index == 0) and not (again and p.name in network.shared)
        for p in parameters
    ]


def _scalar(value: float) -> Tensor:
    return Tensor(value, mindspore.float32)
